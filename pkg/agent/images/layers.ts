/**
 * Images between nodes, the sending side: `GET /images/layers?image=IMAGE&have=CHAIN...` of a node's small API (streams.ts).
 * The answer is what `docker save` makes of the image by its id, so without a name, less the layers that the asker has.
 * `have` is what chainsOf (layersarchive.ts) says of layers there; for a lowest layer that is its own digest.
 *
 * Which file of the archive is which layer is known at its end only, so the engine saves it twice when something is to be
 * left out.
 */
import { StatusError } from '#pkg/apimachinery/errors.ts'
import type { ApiResponse } from '#pkg/apimachinery/transport.ts'
import type { Engine } from '#pkg/engine/port.ts'
import type { NodeTarget } from '../nodelooks.ts'
import { chainsOf, pathsOfLayers, withoutFiles } from './layersarchive.ts'
import { wantedImage } from './nodeimages.ts'

/** So many are asked for at most: all of them are in one line of a request. */
const mostChains = 100
/** As many images are looked at for them. */
const mostImages = 200

export async function imageLayers(target: NodeTarget): Promise<ApiResponse> {
  const { engine, request } = target
  const { image } = await wantedImage(target)
  const details = await engine.imageDetails(image.id)
  if (details === undefined) throw new StatusError('ImageNotFound', `image ${image.id} has just been removed`)
  const have = new Set(request.query.getAll('have'))
  const count = chainsOf(details.layers).findLastIndex((chain) => have.has(chain)) + 1
  const save = () => engine.saveImages([image.id], request.signal)
  const left =
    count === 0 ? new Set<string>() : await pathsOfLayers(await save(), { count, of: details.layers.length })
  const archive = await save()
  const headers = { 'content-type': 'application/x-tar' }
  return { status: 200, headers, body: left.size === 0 ? archive : withoutFiles(archive, left) }
}

/** What this node has, as others are asked: layers of many images first, then the lower ones, which more may be built on. */
export async function chainsHere(engine: Engine): Promise<string[]> {
  const images = await engine.listAllImages()
  const parents = new Set(images.map(({ parent }) => parent))
  const leaves = images.filter(({ id }) => !parents.has(id))
  const newest = leaves.toSorted((a, b) => (a.createdAt < b.createdAt ? 1 : -1)).slice(0, mostImages)
  const found = new Map<string, { users: number; readonly depth: number }>()
  for (const { id } of newest) {
    const details = await engine.imageDetails(id)
    for (const [depth, chain] of chainsOf(details?.layers ?? []).entries()) {
      const before = found.get(chain) ?? { users: 0, depth }
      found.set(chain, { ...before, users: before.users + 1 })
    }
  }
  const inOrder = [...found].toSorted(([, a], [, b]) => b.users - a.users || a.depth - b.depth)
  return inOrder.slice(0, mostChains).map(([chain]) => chain)
}
