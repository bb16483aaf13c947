/** What a Dockerfile builds all the same, but hardly as it is meant: told as warnings, each by the name of its rule. */
import type { Dockerfile } from './dockerfile.ts'
import { copyRules } from './lint.copy.ts'
import { formRules } from './lint.forms.ts'
import { layerRules } from './lint.layers.ts'
import { valueRules } from './lint.values.ts'
import type { Lint, Linting } from './lintrule.ts'
import { type Scoped, type ScopedStage, scopesOf } from './scopes.ts'
import { type Building, builtStages, targetStage } from './stages.ts'

/** Of a Dockerfile that has been read without problems; sorted by place, those without one first. */
export function lintDockerfile(dockerfile: Dockerfile, building: Building): readonly Lint[] {
  const scoped = scopesOf(dockerfile, building)
  const stages = builtStages(dockerfile, scoped, building)
  const target = targetStage(dockerfile, building)
  const image = target === undefined ? [] : chain(scoped, scoped.stages[target.index])
  const linting: Linting = { dockerfile, building, scoped, stages, image }
  return [...formRules, ...valueRules, ...copyRules, ...layerRules]
    .flatMap((rule) => rule(linting))
    .sort((left, right) => (left.line ?? 0) - (right.line ?? 0) || (left.column ?? 0) - (right.column ?? 0))
}

/** `UnusedBuildArg: line 3: ...`, as messages say it. */
export function describeLint({ rule, line, message }: Lint): string {
  return line === undefined ? `${rule}: ${message}` : `${rule}: line ${line}: ${message}`
}

function chain({ stages }: Scoped, last: ScopedStage | undefined): ScopedStage[] {
  const found: ScopedStage[] = []
  for (let at = last; at !== undefined; at = at.parent && stages[at.parent.index]) found.unshift(at)
  return found
}
