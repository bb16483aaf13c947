/** Everything at once that can be said of a Dockerfile before it is built: who asks needs no other file of this folder. */
import { checkDockerfile, targetProblem } from './check.ts'
import { type Builder, type Dockerfile, describeProblem, type Place, type Problem } from './dockerfile.ts'
import { type Choosing, chooseBuilder, type Need } from './features.ts'
import { lintDockerfile } from './lint.ts'
import type { Lint } from './lintrule.ts'
import { parseDockerfile } from './parse.ts'
import { type Building, externalImages } from './stages.ts'

export interface Judging
  extends Omit<Building, 'builder'>,
    Pick<Choosing, 'builder' | 'secrets' | 'network' | 'engineBuilder' | 'engineVersion'> {
  /** There are no files at all: a Dockerfile alone. */
  readonly noContext?: boolean
}

export interface Refusal extends Partial<Place> {
  readonly reason: 'InvalidDockerfile' | 'TargetNotFound' | 'NeedsBuildKit'
  /** With the line in it: `line 2: unknown instruction: FOO`. */
  readonly message: string
}

export type Verdict =
  | { readonly ok: false; readonly dockerfile: Dockerfile; readonly refusals: readonly Refusal[] }
  | {
      readonly ok: true
      readonly dockerfile: Dockerfile
      readonly builder: Builder
      /** References of images from outside, as it names them. */
      readonly bases: readonly string[]
      readonly warnings: readonly Lint[]
    }

export function judgeDockerfile(text: string, judging: Judging): Verdict {
  const { dockerfile, problems } = parseDockerfile(text)
  const refuse = (refusals: readonly Refusal[]): Verdict => ({ ok: false, dockerfile, refusals })
  if (problems.length > 0) return refuse(problems.map(invalid))
  const target = targetProblem(dockerfile, judging)
  if (target !== undefined) return refuse([{ reason: 'TargetNotFound', message: target }])
  const choice = chooseBuilder({ ...judging, dockerfile })
  if ('needs' in choice) return refuse(choice.needs.map(needing))
  const building = { ...judging, builder: choice.builder }
  const checked = checkDockerfile(dockerfile, building)
  if (checked.length > 0) return refuse(checked.map(invalid))
  return {
    ok: true,
    dockerfile,
    builder: choice.builder,
    bases: externalImages(dockerfile, building).map(({ reference }) => reference),
    warnings: lintDockerfile(dockerfile, building),
  }
}

function invalid(problem: Problem): Refusal {
  const { line, column } = problem
  return { reason: 'InvalidDockerfile', line, column, message: describeProblem(problem) }
}

function needing({ line, column, message }: Need): Refusal {
  if (line === undefined || column === undefined) return { reason: 'NeedsBuildKit', message }
  return { reason: 'NeedsBuildKit', line, column, message: describeProblem({ line, column, message }) }
}
