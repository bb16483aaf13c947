/** What a Dockerfile says that decides about its build: whether it can be built at all, with what, and of which images. Pure. */

import { statusBounds } from '#pkg/apis/build.status.ts'
import type { BuildSpec, BuildWarning } from '#pkg/apis/build.ts'
import { judgeDockerfile, type Refusal } from '#pkg/build/dockerfile/judge.ts'
import type { Lint } from '#pkg/build/dockerfile/lintrule.ts'
import type { Builder } from '#pkg/engine/builds.ts'
import type { BuildFacts } from './port.ts'

type Asked = Pick<
  BuildSpec,
  'args' | 'publicArgs' | 'target' | 'platform' | 'network' | 'builder' | 'secrets' | 'dockerfile'
>

export type DockerfileFacts =
  | {
      readonly ok: true
      readonly builder: Builder
      /** References, as it names them. */
      readonly bases: readonly string[]
      readonly warnings: readonly BuildWarning[]
    }
  | { readonly ok: false; readonly reason: string; readonly message: string; readonly line?: number }

export function dockerfileFacts(
  text: string,
  spec: Asked,
  {
    engineBuilder,
    engineVersion,
    judge = judgeDockerfile,
  }: Pick<BuildFacts, 'engineBuilder' | 'engineVersion' | 'judge'>,
): DockerfileFacts {
  const verdict = judge(text, {
    args: spec.args,
    publicArgs: spec.publicArgs,
    builder: spec.builder,
    secrets: spec.secrets.length,
    engineBuilder,
    ...(engineVersion !== undefined && { engineVersion }),
    ...(spec.target !== undefined && { target: spec.target }),
    ...(spec.platform !== undefined && { platform: spec.platform }),
    ...(spec.network !== undefined && { network: spec.network }),
  })
  if (!verdict.ok) return refused(spec.dockerfile, verdict.refusals)
  const { builder, bases, warnings } = verdict
  return { ok: true, builder, bases, warnings: warningsOf(warnings) }
}

function warningsOf(lints: readonly Lint[]): BuildWarning[] {
  return lints.slice(0, statusBounds.warnings).map(({ rule, message, line }) => ({
    rule,
    message,
    ...(line !== undefined && { line }),
  }))
}

function refused(name: string, [first, ...others]: readonly Refusal[]): DockerfileFacts {
  const { reason = 'InvalidDockerfile', message = 'it cannot be built', line } = first ?? {}
  const where = reason === 'TargetNotFound' ? `spec.target: ${name}` : name
  const more = others.length > 0 ? `; and ${others.length} more` : ''
  return {
    ok: false,
    reason,
    message: `${where}: ${message}${more}`,
    ...(line !== undefined && { line }),
  }
}
