/** What the image of a Dockerfile declares to be volumes, before it is built. */
import type { Dockerfile } from './dockerfile.ts'
import { scopesOf } from './scopes.ts'
import { type Building, targetStage } from './stages.ts'

/**
 * Paths of VOLUME in the stage that becomes the image and in those that it is built upon, variables put in. What comes from
 * images outside is not known here, nor are paths with variables of these.
 */
export function declaredVolumes(dockerfile: Dockerfile, building: Building): readonly string[] {
  const { stages } = scopesOf(dockerfile, building)
  const paths: string[] = []
  const target = targetStage(dockerfile, building)
  let stage = target && stages[target.index]
  while (stage !== undefined) {
    for (const { instruction, scope } of stage.instructions) {
      if (instruction.keyword !== 'VOLUME') continue
      const expanded = instruction.args.map(({ text }) => scope.expand(text))
      paths.push(...expanded.filter(scope.certain).map(({ text }) => text))
    }
    stage = stage.parent && stages[stage.parent.index]
  }
  return [...new Set(paths)]
}
