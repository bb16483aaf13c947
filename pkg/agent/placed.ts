/** What placement gave to this node. Pure. */
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { nodeFinalizer } from '#pkg/apis/wellknown.ts'
import type { World } from './world.ts'

/** What this node has not yet given back. */
export function placedHere<T extends KubeObject>(
  objects: ReadonlyMap<string, T>,
  { nodeName }: Pick<World, 'nodeName'>,
): T[] {
  const finalizer = nodeFinalizer(nodeName)
  return [...objects.values()].filter(({ metadata }) => metadata.finalizers?.includes(finalizer) === true)
}
