/** How many layers an image gets: RUN, COPY and ADD make one each. */
import type { Instruction, Place, Stage } from './dockerfile.ts'
import type { Scoped } from './scopes.ts'

/** What overlay2 can mount, as measured: the next one fails with `max depth exceeded`. */
export const mostLayers = 125

export interface Layers {
  /** Of this Dockerfile, earlier stages that it is built upon included. */
  readonly own: number
  /** What they lie upon, an image from outside; its layers come on top. Absent: scratch. */
  readonly base?: string
  /** The instruction that makes the last of them. */
  readonly excess?: Place
}

export function layersOf(scoped: Scoped, stage: Stage): Layers {
  const at = scoped.stages[stage.index]
  const making = stage.instructions.filter(makesLayer)
  const below: Layers = at?.parent === undefined ? bottom(at?.base.text) : layersOf(scoped, at.parent)
  const last = making.at(-1)
  const excess = last === undefined ? below.excess : { line: last.line, column: last.column }
  return {
    own: below.own + making.length,
    ...(below.base !== undefined && { base: below.base }),
    ...(excess !== undefined && { excess }),
  }
}

function bottom(base: string | undefined): Layers {
  return base === undefined || base === 'scratch' ? { own: 0 } : { own: 0, base }
}

export function makesLayer({ keyword }: Instruction): boolean {
  return keyword === 'RUN' || keyword === 'COPY' || keyword === 'ADD'
}
