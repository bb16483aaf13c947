/** `GET /disk` of the node's small API: what lies on the disk of its engine, and whose it is. */
import type { ApiResponse } from '#pkg/apimachinery/transport.ts'
import type { NodeDisk } from '#pkg/apis/looks.images.ts'
import type { NodeTarget } from '../nodelooks.ts'
import { tellOwner } from '../owned.ts'
import { answer } from './nodeimages.ts'

export async function nodeDisk({ engine, request, ownerOf }: NodeTarget): Promise<ApiResponse> {
  const [usage, images, containers] = await Promise.all([
    engine.diskUsage(request.signal),
    engine.listAllImages(),
    engine.listContainers(),
  ])
  const imageOf = new Map(images.map((image) => [image.id, image]))
  const containerOf = new Map(containers.map((container) => [container.id, container]))
  const disk: NodeDisk = {
    layersBytes: usage.layersBytes,
    images: usage.images.flatMap((used) => {
      const image = imageOf.get(used.id)
      // What went between the two looks is no longer there.
      if (image === undefined) return []
      const { references, digests, createdAt } = image
      return [{ ...used, references, digests, createdAt }]
    }),
    containers: usage.containers.flatMap(({ writtenBytes, ...used }) => {
      const container = containerOf.get(used.id)
      if (container === undefined) return []
      const { command, status, labels } = container
      return [{ ...used, command, status, writtenBytes, owner: tellOwner(labels, ownerOf(container)) }]
    }),
    volumes: usage.volumes.map(({ name, sizeBytes, containers: users, labels }) => {
      const owned = ownerOf({ id: '', labels })
      const owner = owned && { namespace: owned.namespace, name: owned.name }
      return { name, sizeBytes, containers: users, ...(owner && { owner }) }
    }),
    buildCache: usage.buildCache,
  }
  return answer('NodeDisk', disk)
}
