/**
 * Containers that follow a Build of the same set: they are ready with the image before, too, so whoever waits for the whole
 * set waits until they are made from what has just been built.
 */
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { type KubeObject, objectKey } from '#pkg/apimachinery/meta.ts'
import { buildKind } from '#pkg/apis/build.ts'
import { builtinResource } from './resources.ts'
import type { Session } from './session.ts'
import { type WaitOptions, type WaitResult, waitFor } from './waiting.ts'

type ObjectName = Parameters<typeof objectKey>[0]

interface Follower {
  readonly name: string
  readonly namespace: string
  readonly build: string
}

/** To be called when all of them are ready. Resolves with what became of those that follow. */
export async function waitForFollowers(
  objects: readonly KubeObject[],
  session: Session,
  options: Omit<WaitOptions, 'goal'>,
): Promise<readonly WaitResult[]> {
  const results: WaitResult[] = []
  for (const { name, namespace, build } of followersIn(objects)) {
    const { status } = await session.client.get(buildKind, { namespace, name: build }, session.signal)
    const id = status?.image?.id
    if (id === undefined) continue
    const waited = [{ resource: builtinResource('Container'), namespace, name }]
    const goal = { kind: 'jsonpath', find: (object: unknown) => [servedFrom(object)], value: id } as const
    results.push(...(await waitFor(waited, session, { ...options, goal })))
  }
  return results
}

/** Of those whose Build is one of the objects, too. */
export function followersIn(objects: readonly KubeObject[]): Follower[] {
  const keyOf = ({ name, namespace = 'default' }: ObjectName) => objectKey({ namespace, name })
  const isBuild = ({ kind }: KubeObject) => kind === 'Build'
  const builds = new Set(objects.filter(isBuild).map(({ metadata }) => keyOf(metadata)))
  return objects.flatMap(({ kind, metadata, spec }) => {
    const { name, namespace = 'default' } = metadata
    const from = kind === 'Container' && isPlainObject(spec) ? spec['imageFrom'] : undefined
    const build = isPlainObject(from) ? from['build'] : undefined
    if (typeof build !== 'string' || !builds.has(keyOf({ namespace, name: build }))) return []
    return [{ name, namespace, build }]
  })
}

/** What a Container serves with: a replacement that is still on trial is not it. */
function servedFrom(object: unknown): string {
  const container = isPlainObject(object) ? object : {}
  const status = isPlainObject(container['status']) ? container['status'] : {}
  const image = isPlainObject(status['image']) ? status['image']['reference'] : undefined
  return typeof image === 'string' ? image : 'made from nothing yet'
}
