/** What a Dockerfile says that decides about its build: whether it can be built at all, with what, and of which images. Pure. */
import type { BuildSpec, BuildWarning } from '#pkg/apis/build.ts'
import { type Dockerfile, describeProblem, type Problem } from '#pkg/build/dockerfile/dockerfile.ts'
import { chooseBuilder, type Need } from '#pkg/build/dockerfile/features.ts'
import { lintDockerfile } from '#pkg/build/dockerfile/lint.ts'
import type { Lint } from '#pkg/build/dockerfile/lintrule.ts'
import { parseDockerfile } from '#pkg/build/dockerfile/parse.ts'
import { externalImages, targetStage } from '#pkg/build/dockerfile/stages.ts'
import type { Builder } from '#pkg/engine/builds.ts'
import type { BuildFacts } from './port.ts'

type Asked = Pick<BuildSpec, 'args' | 'target' | 'platform' | 'builder' | 'secrets' | 'dockerfile'>

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
  { engineBuilder, engineVersion }: Pick<BuildFacts, 'engineBuilder' | 'engineVersion'>,
): DockerfileFacts {
  const { dockerfile, problems } = parseDockerfile(text)
  const [first] = problems
  if (first !== undefined) return refused(spec.dockerfile, first, problems.length)
  const choice = chooseBuilder({
    dockerfile,
    builder: spec.builder,
    secrets: spec.secrets.length,
    engineBuilder,
    ...(engineVersion !== undefined && { engineVersion }),
  })
  if ('needs' in choice) return needsOther(spec.dockerfile, choice.needs)
  const { builder } = choice
  const building = {
    args: spec.args,
    builder,
    ...(spec.target !== undefined && { target: spec.target }),
    ...(spec.platform !== undefined && { platform: spec.platform }),
  }
  if (targetStage(dockerfile, building) === undefined) return noTarget(dockerfile, spec)
  const bases = externalImages(dockerfile, building).map(({ reference }) => reference)
  return { ok: true, builder, bases, warnings: warningsOf(lintDockerfile(dockerfile, building)) }
}

/** What a status holds. */
const mostWarnings = 64

function warningsOf(lints: readonly Lint[]): BuildWarning[] {
  return lints.slice(0, mostWarnings).map(({ rule, message, line }) => ({
    rule,
    message,
    ...(line !== undefined && { line }),
  }))
}

function needsOther(name: string, [first, ...others]: readonly Need[]): DockerfileFacts {
  const at = first?.line === undefined ? '' : `${name}: line ${first.line}: `
  const more = others.length > 0 ? `; and ${others.length} more` : ''
  const message = `${at}${first?.message ?? 'it needs another builder'}${more}`
  return {
    ok: false,
    reason: 'NeedsBuildKit',
    message,
    ...(first?.line !== undefined && { line: first.line }),
  }
}

function noTarget({ stages }: Dockerfile, { dockerfile, target = '' }: Asked): DockerfileFacts {
  const names = stages.flatMap(({ name }) => name ?? []).join(', ')
  const message = `spec.target: ${dockerfile} has no stage ${target}; it has ${names || 'none with a name'}`
  return { ok: false, reason: 'TargetNotFound', message }
}

function refused(name: string, first: Problem, count: number): DockerfileFacts {
  const more = count > 1 ? `; and ${count - 1} more` : ''
  const message = `${name}: ${describeProblem(first)}${more}`
  return { ok: false, reason: 'InvalidDockerfile', message, line: first.line }
}
