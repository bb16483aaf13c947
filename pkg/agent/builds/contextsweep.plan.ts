/**
 * Which contexts stay on the node's disk. Each is judged by itself: what a Build comes from may not be known for as long as
 * its git host is away, which keeps what that Build was made of last, and nothing else. Pure.
 */
import type { Build } from '#pkg/apis/build.ts'
import { groupOf, type World } from '../world.ts'
import { sourceOf, wantedContext } from './buildsource.ts'
import type { BuildFacts } from './port.ts'
import { contextKey } from './sources/contextkey.ts'

/** What Builds that are at work may be at work with, by their uid: keys of contexts. */
export type ContextClaims = ReadonlyMap<string, ReadonlySet<string>>

type Sight = Pick<World, 'desired' | 'building'>

/** After each pass: whoever is at work keeps what was wanted when it began, and since. `busy`: groups. */
export function claimsAfter(before: ContextClaims, world: Sight, busy: ReadonlySet<string>): ContextClaims {
  const { building } = world
  if (building === undefined) return new Map()
  const atWork = [...world.desired.builds.values()].filter(({ metadata }) =>
    busy.has(groupOf('Build', metadata)),
  )
  return new Map(
    atWork.map((build) => {
      const { uid = '' } = build.metadata
      return [uid, new Set([...(before.get(uid) ?? []), ...keysOf(build, building)])]
    }),
  )
}

/** Keys of all that is kept: what no Build that exists leads to goes. */
export function contextsToKeep({ desired, building }: Sight, claims: ContextClaims): ReadonlySet<string> {
  if (building === undefined) return new Set()
  const wanted = [...desired.builds.values()].flatMap((build) => keysOf(build, building))
  return new Set([...wanted, ...[...claims.values()].flatMap((keys) => [...keys])])
}

function keysOf(build: Build, facts: BuildFacts): string[] {
  const found = sourceOf(build, facts)
  return 'source' in found ? [contextKey(wantedContext(build, found.source))] : lastOf(build, facts)
}

/** Its place is likely to say what it said last: then nothing has to be fetched. */
function lastOf({ metadata, status }: Build, { statuses, contexts }: BuildFacts): string[] {
  const { inputs, revision } = statuses.get(metadata.uid ?? '') ?? status ?? {}
  const digest = inputs?.['context']
  const isLast = (context: { readonly digest: string; readonly revision: string }) =>
    context.digest === digest || context.revision === revision
  return [...contexts].flatMap(([key, context]) => (isLast(context) ? [key] : []))
}
