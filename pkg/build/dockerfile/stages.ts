/** What stages are made of: earlier stages, and images from outside; and which of them a build makes. */
import {
  type Builder,
  type Dockerfile,
  flagOf,
  type Instruction,
  type Place,
  type Stage,
  stageNamed,
} from './dockerfile.ts'
import { mountOptions } from './mounts.ts'
import { type Scoped, type ScopedStage, scopesOf, type Values } from './scopes.ts'

export interface Building extends Values {
  /** Name of a stage. Absent: the last one. */
  readonly target?: string
  /** BuildKit leaves out the stages that nothing needs; the classic builder, which is assumed, makes all up to the target. */
  readonly builder?: Builder
  /** Names of arguments that are called like secrets and are none. */
  readonly publicArgs?: readonly string[]
}

export interface ExternalImage extends Place {
  /** As the Dockerfile names it, its variables put in. */
  readonly reference: string
  readonly by: 'FROM' | 'COPY' | 'RUN'
  /** Of `FROM --platform`. */
  readonly platform?: string
}

/**
 * Images that must be on the node, each once, in the order in which they are named. Without a platform those are left out
 * whose name depends on it.
 */
export function externalImages(dockerfile: Dockerfile, building: Building): readonly ExternalImage[] {
  const scoped = scopesOf(dockerfile, building)
  const found = new Map<string, ExternalImage>()
  for (const { stage } of builtStages(dockerfile, scoped, building)) {
    const own = scoped.stages[stage.index]
    if (own === undefined) continue
    for (const image of imagesOf(dockerfile, own)) {
      if (image.reference !== '' && !found.has(image.reference)) found.set(image.reference, image)
    }
  }
  return [...found.values()]
}

function imagesOf(dockerfile: Dockerfile, scoped: ScopedStage): ExternalImage[] {
  const { base, certain, parent, platform, stage } = scoped
  const own: ExternalImage = {
    reference: base.text,
    by: 'FROM',
    line: base.line,
    column: base.column,
    ...(platform !== undefined && { platform }),
  }
  const isOutside = parent === undefined && certain && base.text !== 'scratch'
  const others = stage.instructions.flatMap((instruction) =>
    sourcesFrom(instruction).flatMap(({ from, ...place }): ExternalImage[] => {
      if (stageBehind(dockerfile, from, stage) !== undefined) return []
      return [{ reference: from, by: instruction.keyword === 'RUN' ? 'RUN' : 'COPY', ...place }]
    }),
  )
  return isOutside ? [own, ...others] : others
}

export interface From extends Place {
  readonly from: string
}

/** What `COPY --from` and `RUN --mount=from=` name. No builder puts variables in there. */
export function sourcesFrom(instruction: Instruction): readonly From[] {
  if (instruction.keyword === 'COPY') {
    const { value = '', line, column } = flagOf(instruction, 'from') ?? { line: 0, column: 0 }
    return value === '' ? [] : [{ from: value, line, column }]
  }
  if (instruction.keyword !== 'RUN') return []
  return instruction.flags.flatMap(({ name, value = '', line, column }) => {
    const from = name === 'mount' ? mountOptions(value).get('from') : undefined
    return from === undefined || from === '' ? [] : [{ from, line, column }]
  })
}

/** An earlier stage, by name or number. */
export function stageBehind(dockerfile: Dockerfile, from: string, asker: Stage): Stage | undefined {
  const named = stageNamed(dockerfile, from, asker.index)
  if (named !== undefined || !/^\d{1,6}$/.test(from)) return named
  return Number(from) < asker.index ? dockerfile.stages[Number(from)] : undefined
}

/** The stage that becomes the image, by its name, as all builders know it; undefined when there is none of that name. */
export function targetStage(dockerfile: Dockerfile, { target }: Pick<Building, 'target'>): Stage | undefined {
  return target === undefined ? dockerfile.stages.at(-1) : stageNamed(dockerfile, target)
}

/** Stages that are made, in their order; none when the target is unknown. */
export function builtStages(
  dockerfile: Dockerfile,
  scoped: Scoped,
  building: Building,
): readonly ScopedStage[] {
  const target = targetStage(dockerfile, building)
  if (target === undefined) return []
  if (building.builder !== 'BuildKit') return scoped.stages.slice(0, target.index + 1)
  const needed = new Set<number>()
  const open: Stage[] = [target]
  for (let stage = open.pop(); stage !== undefined; stage = open.pop()) {
    if (needed.has(stage.index)) continue
    needed.add(stage.index)
    open.push(...stagesBehind(dockerfile, scoped, stage))
  }
  return scoped.stages.filter(({ stage }) => needed.has(stage.index))
}

function stagesBehind(dockerfile: Dockerfile, scoped: Scoped, stage: Stage): Stage[] {
  const parent = scoped.stages[stage.index]?.parent
  const others = stage.instructions.flatMap((instruction) =>
    sourcesFrom(instruction).flatMap(({ from }) => stageBehind(dockerfile, from, stage) ?? []),
  )
  return parent === undefined ? others : [parent, ...others]
}
