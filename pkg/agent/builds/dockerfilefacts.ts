/** What a Dockerfile says that decides about its build: whether it can be built at all, with what, and of which images. Pure. */
import type { BuildSpec, BuildWarning } from '#pkg/apis/build.ts'
import { describeProblem, type Problem } from '#pkg/build/dockerfile/dockerfile.ts'
import { parseDockerfile } from '#pkg/build/dockerfile/parse.ts'
import { externalImages, targetStage } from '#pkg/build/dockerfile/stages.ts'
import type { Builder } from '#pkg/engine/builds.ts'

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

export function dockerfileFacts(text: string, spec: Asked, engineBuilder: Builder): DockerfileFacts {
  const { dockerfile, problems } = parseDockerfile(text)
  const [first] = problems
  if (first !== undefined) return refused(spec.dockerfile, first, problems.length)
  const builder = spec.builder === 'Auto' ? engineBuilder : spec.builder
  const building = {
    args: spec.args,
    builder,
    ...(spec.target !== undefined && { target: spec.target }),
    ...(spec.platform !== undefined && { platform: spec.platform }),
  }
  if (targetStage(dockerfile, building) === undefined) {
    const names = dockerfile.stages.flatMap(({ name }) => name ?? []).join(', ')
    const message = `spec.target: ${spec.dockerfile} has no stage ${spec.target ?? ''}; it has ${names || 'none with a name'}`
    return { ok: false, reason: 'TargetNotFound', message }
  }
  const bases = externalImages(dockerfile, building).map(({ reference }) => reference)
  return { ok: true, builder, bases, warnings: [] }
}

function refused(name: string, first: Problem, count: number): DockerfileFacts {
  const more = count > 1 ? `; and ${count - 1} more` : ''
  const message = `${name}: ${describeProblem(first)}${more}`
  return { ok: false, reason: 'InvalidDockerfile', message, line: first.line }
}
