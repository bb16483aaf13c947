/** What a Dockerfile builds all the same, but hardly as it is meant: told as warnings, each by the name of its rule. */
import type { Dockerfile, Place } from './dockerfile.ts'
import type { Building } from './stages.ts'

export interface Lint extends Place {
  /** `UnusedBuildArg`. */
  readonly rule: string
  /** What is the matter, and what to do. */
  readonly message: string
}

export type LintRule = (dockerfile: Dockerfile, building: Building) => readonly Lint[]

const rules: readonly LintRule[] = []

/** Sorted by place. */
export function lintDockerfile(dockerfile: Dockerfile, building: Building): readonly Lint[] {
  return rules
    .flatMap((rule) => rule(dockerfile, building))
    .sort((left, right) => left.line - right.line || left.column - right.column)
}
