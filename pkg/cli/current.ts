/** The objects of a set as the server has them, in few requests: one list for many of a kind, single reads for few. */
import { isReason } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { objectPath } from '#pkg/apis/paths.ts'
import type { CheckedObject } from '#pkg/manifest/checked.ts'
import { listObjects } from './follow.ts'
import { mapInOrder, requestLimit } from './parallel.ts'
import { builtinResources, type Resource } from './resources.ts'
import type { Session } from './session.ts'

/** From so many objects of one kind in one namespace on, listing them all is cheaper than asking for each. */
const listFrom = 5

export async function readCurrent(
  objects: readonly CheckedObject[],
  session: Session,
): Promise<ReadonlyMap<CheckedObject, KubeObject>> {
  const groups = Map.groupBy(objects, ({ kind, object }) => `${kind.kind}/${object.metadata.namespace ?? ''}`)
  const tasks = [...groups.values()].flatMap((group) =>
    group.length < listFrom ? group.map((one) => [one]) : [group],
  )
  const found = await mapInOrder(tasks, requestLimit, (task) => readTask(task, session))
  return new Map(found.flat())
}

export async function readOne(one: CheckedObject, session: Session): Promise<KubeObject | undefined> {
  const { client, signal } = session
  try {
    const value = await client.json(
      { method: 'GET', path: objectPath(one.kind, one.object.metadata) },
      signal,
    )
    return isPlainObject(value) ? (value as unknown as KubeObject) : undefined
  } catch (error) {
    if (isReason(error, 'NotFound')) return undefined
    throw error
  }
}

async function readTask(
  task: readonly CheckedObject[],
  session: Session,
): Promise<[CheckedObject, KubeObject][]> {
  const [first] = task
  if (first === undefined) return []
  if (task.length === 1) {
    const current = await readOne(first, session)
    return current === undefined ? [] : [[first, current]]
  }
  const { namespace } = first.object.metadata
  const scope = { resource: resourceOf(first), ...(namespace !== undefined && { namespace }) }
  const { objects } = await listObjects(scope, session)
  const byName = new Map(objects.map((object) => [object.metadata.name, object]))
  return task.flatMap((one): [CheckedObject, KubeObject][] => {
    const current = byName.get(one.object.metadata.name)
    return current === undefined ? [] : [[one, current]]
  })
}

export function resourceOf({ kind }: CheckedObject): Resource {
  const known = builtinResources.find(
    (resource) => resource.kind === kind.kind && resource.group === kind.group,
  )
  return known ?? kind
}
