/** Whatever has been fetched for whomever: what a Build needs, or will be told again, stays, and nothing else does. */
import test from 'ava'
import fc from 'fast-check'
import { objectKey } from '#pkg/apimachinery/meta.ts'
import type { Build } from '#pkg/apis/build.ts'
import { buildObject, world } from '#test/helpers/world.ts'
import { groupOf } from '../world.ts'
import { wantedContext } from './buildsource.ts'
import { type ContextClaims, claimsAfter, contextsToKeep } from './contextsweep.plan.ts'
import type { BuildFacts, ContextSource, SourceAnswer, StoredContext } from './port.ts'
import { contextKey } from './sources/contextkey.ts'

/** A Build and what is known of it, in the words of the test. */
interface Told {
  readonly type: 'git' | 'tar' | 'upload'
  /** What its place has now; absent: it has not answered since the start. */
  readonly now?: number
  /** What it was built of last; absent: nothing. */
  readonly last?: number
  /** Whether its place was asked, and could not say. */
  readonly fails: boolean
  readonly atWork: boolean
}

const told: fc.Arbitrary<Told> = fc.record(
  {
    type: fc.constantFrom('git', 'tar', 'upload'),
    now: fc.nat(3),
    last: fc.nat(3),
    fails: fc.boolean(),
    atWork: fc.boolean(),
  },
  { requiredKeys: ['type', 'fails', 'atWork'] },
)
const builds = fc.array(told, { maxLength: 5 })
const url = (name: string) => `https://${name}.example.com/repo`
const commit = (name: string, version: number) =>
  Buffer.from(`${name}${version}`).toString('hex').padEnd(40, '0')
const digestOf = (name: string, version: number) =>
  `tree:${Buffer.from(`${name}${version}`).toString('hex').padEnd(64, '0')}`

function source({ type }: Told, name: string, version: number): ContextSource {
  if (type === 'git') return { type, url: url(name), commit: commit(name, version) }
  if (type === 'tar') return { type, url: url(name), revision: `etag:${version}` }
  return { type, namespace: 'default', upload: digestOf(name, version) }
}

function objectOf(each: Told, name: string): Build {
  const context = {
    git: { git: { url: url(name) } },
    tar: { tar: { url: url(name) } },
    upload: { upload: digestOf(name, each.now ?? 0) },
  }[each.type]
  const { type, last, fails } = each
  const revision = type === 'git' ? commit(name, last ?? 0) : digestOf(name, last ?? 0)
  const built = { inputs: { context: digestOf(name, last ?? 0) } }
  // What has only been tried has no inputs.
  const status = last === undefined ? {} : fails ? { revision } : { ...built, revision }
  // Whoever uploads writes the text beside it.
  const text = each.type === 'upload' ? {} : { dockerfileInline: undefined }
  return buildObject(name, { context, ...text }, { metadata: { uid: name }, status })
}

function keyOf(build: Build, each: Told, version: number): string {
  return contextKey(wantedContext(build, source(each, build.metadata.name, version)))
}

/** All versions of all Builds, those that are gone as well, lie on the disk. */
function sceneOf(all: readonly Told[], gone: readonly number[] = []) {
  const objects = all.map((each, index) => ({ each, build: objectOf(each, `b${index}`) }))
  const contexts = new Map<string, StoredContext>()
  for (const { each, build } of objects)
    for (const version of [0, 1, 2, 3]) {
      const digest = digestOf(build.metadata.name, version)
      const revision = each.type === 'git' ? commit(build.metadata.name, version) : digest
      contexts.set(keyOf(build, each, version), { digest, bytes: 1, files: 1, dockerfiles: {}, revision })
    }
  const there = objects.filter((_, index) => !gone.includes(index))
  const sources = there.flatMap(({ each, build }): [string, SourceAnswer][] => {
    const { now, fails, type } = each
    const failure = { reason: 'SourceUnavailable', message: 'it is away' }
    const found =
      now === undefined || type === 'upload' ? {} : { source: source(each, build.metadata.name, now) }
    return [[build.metadata.uid ?? '', { at: 0, ...found, ...(fails && { failure }) }]]
  })
  const building: BuildFacts = {
    statuses: new Map(there.map(({ build }) => [build.metadata.uid ?? '', build.status ?? {}])),
    sources: new Map(sources),
    contexts,
    bases: new Map(),
    engineBuilder: 'Classic',
  }
  const seen = world({ objects: there.map(({ build }) => build) }, { building })
  const busy = new Set(
    there.flatMap(({ each, build }) => (each.atWork ? [groupOf('Build', build.metadata)] : [])),
  )
  return { objects: there, contexts, seen, busy }
}

const noClaims: ContextClaims = new Map()

/** Of those that are on the disk. */
function kept({ seen, contexts }: ReturnType<typeof sceneOf>, claims = noClaims): string[] {
  const keep = contextsToKeep(seen, claims)
  return [...contexts.keys()].filter((key) => keep.has(key)).sort()
}

test('a Build keeps what its place has now; until that is known, what it was made of last', (t) => {
  fc.assert(
    fc.property(builds, (all) => {
      const scene = sceneOf(all)
      const wanted = scene.objects.flatMap(({ each, build }) => {
        const version = each.type === 'upload' ? (each.now ?? 0) : (each.now ?? each.last)
        return version === undefined ? [] : [keyOf(build, each, version)]
      })
      t.deepEqual(kept(scene), [...new Set(wanted)].sort())
    }),
  )
})

test('what one Build keeps is its own: places that do not answer keep nothing of others, and nothing of what is gone', (t) => {
  fc.assert(
    fc.property(builds, fc.array(fc.nat(4)), (all, gone) => {
      const whole = kept(sceneOf(all, gone))
      const indexes = all.map((_, index) => index)
      const apart = indexes
        .filter((index) => !gone.includes(index))
        .flatMap((index) =>
          kept(
            sceneOf(
              all,
              indexes.filter((other) => other !== index),
            ),
          ),
        )
      t.deepEqual(whole, [...new Set(apart)].sort())
    }),
  )
})

test('whoever is at work keeps what it began with, whatever its place says meanwhile, until it is done', (t) => {
  fc.assert(
    fc.property(builds, builds, (first, second) => {
      const before = sceneOf(first)
      const claims = claimsAfter(noClaims, before.seen, before.busy)
      const moved = first.map((each, index) => {
        const { now: _now, ...rest } = each
        const { now } = second[index] ?? {}
        return { ...rest, ...(now !== undefined && { now }) }
      })
      const after = sceneOf(moved)
      const now = kept(after, claimsAfter(claims, after.seen, after.busy))
      for (const { each, build } of before.objects)
        if (each.atWork) {
          const own = sceneOf(
            first,
            first.map((_, index) => index).filter((index) => `b${index}` !== build.metadata.name),
          )
          for (const key of kept(own)) t.true(now.includes(key), `${objectKey(build.metadata)} ${key}`)
        }
      t.deepEqual(kept(after, claimsAfter(claims, after.seen, new Set())), kept(after))
    }),
  )
})
