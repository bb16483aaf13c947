/**
 * Who is who among the containers of one object. Roles are in the names on the engine, for names can be changed and
 * labels cannot: an agent that was killed reads them again. NAME serves; NAME_next is to take its place; NAME_prev-ID
 * is parked: it served before and is what a failed replacement goes back to; NAME_old-ID served before and was no good;
 * NAME_failed-ID was tried and failed. Pure.
 */
import type { Container } from '#pkg/apis/container.ts'
import { asides, engineName } from '#pkg/apis/wellknown.ts'
import type { ObservedContainer } from '#pkg/engine/port.ts'
import { containersOf, isAlive } from './container.look.ts'
import type { World } from './world.ts'

export interface Cast {
  /** It has the object's name; while nobody has, one that somebody gave a name that is no role's. */
  readonly current: ObservedContainer | undefined
  readonly next: ObservedContainer | undefined
  /**
   * The one that served last comes first. At the end those that somebody gave names that are no roles', beside one that
   * is current: who knows what they were.
   */
  readonly parked: readonly ObservedContainer[]
  /** The newest comes last. */
  readonly failed: readonly ObservedContainer[]
  readonly old: readonly ObservedContainer[]
  /** The engine itself could not end or remove them. */
  readonly dead: readonly ObservedContainer[]
}

const role = new RegExp(`_(next|(?:${asides.join('|')})-[0-9A-Za-z-]{1,6})$`)

/** The name of the object's serving container, of the name of any of its containers that has a role. */
export function nameWithoutRole(name: string): string {
  return name.replace(role, '')
}

export function castOf(container: Container, world: Pick<World, 'observed' | 'clusterID'>): Cast {
  const all = containersOf(container, world)
  const name = engineName(container.metadata)
  const byRole = Map.groupBy(all, (observed) => (observed.state === 'dead' ? 'dead' : roleOf(observed, name)))
  const of = (key: string) => byRole.get(key) ?? []
  const renamed = of('stray')
  const current = of('current').at(-1) ?? renamed.findLast(isAlive) ?? renamed.at(-1)
  return {
    current,
    next: of('next').at(-1),
    parked: [...byEnd(of('prev')), ...byEnd(renamed.filter((observed) => observed !== current))],
    failed: of('failed'),
    old: of('old'),
    dead: of('dead'),
  }
}

function roleOf(observed: ObservedContainer, name: string): string {
  if (observed.name === name) return 'current'
  const suffix = nameWithoutRole(observed.name) === name ? observed.name.slice(name.length + 1) : 'stray'
  return suffix.split('-')[0] ?? 'stray'
}

function byEnd(containers: readonly ObservedContainer[]): ObservedContainer[] {
  return containers.toSorted((a, b) => endOf(b) - endOf(a))
}

function endOf({ finishedAt, createdAt }: ObservedContainer): number {
  return Date.parse(finishedAt ?? createdAt)
}

/** Everybody of the cast. */
export function allOf({ current, next, parked, failed, old, dead }: Cast): ObservedContainer[] {
  const one = [current, next].filter((observed) => observed !== undefined)
  return [...one, ...parked, ...failed, ...old, ...dead]
}

/**
 * The container that stands for the object now: its status, its log, what others depend on. In the middle of a
 * replacement nobody may have its name; then one that runs, else the one that comes or goes back next.
 */
export function servingOf(cast: Cast): ObservedContainer | undefined {
  return cast.current ?? allOf(cast).find(isAlive) ?? allOf(cast)[0]
}

export function currentContainer(
  container: Container,
  world: Pick<World, 'observed' | 'clusterID'>,
): ObservedContainer | undefined {
  return servingOf(castOf(container, world))
}
