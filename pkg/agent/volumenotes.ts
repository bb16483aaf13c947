/**
 * The event of data that nobody has named a Volume for: the image declares a directory to be one, and the spec mounts
 * nothing there. Told once for each container that is made, for the image is known only here. Pure.
 */
import type { Container, ContainerStatus } from '#pkg/apis/container.ts'
import type { EventNote } from '#pkg/client/recorder.ts'
import { isAnonymous } from './container.look.ts'
import type { World } from './world.ts'

export function volumeNotes(
  object: Container,
  { before, after }: { readonly before: ContainerStatus | undefined; readonly after: ContainerStatus },
  { observed }: Pick<World, 'observed'>,
): EventNote[] {
  if (after.containerID === before?.containerID) return []
  const made = observed.containers.find(({ id }) => id === after.containerID)
  const declared = observed.imageConfigs.get(made?.imageID ?? '')?.volumes ?? []
  const paths = (made?.mounts ?? [])
    .filter((mount) => isAnonymous(mount) && declared.includes(mount.target))
    .map(({ target }) => target)
  if (made === undefined || paths.length === 0) return []
  const what = paths.length === 1 ? 'an anonymous volume' : 'anonymous volumes'
  const message = `image ${made.image} declares VOLUME ${paths.join(', ')}, and spec.mounts has nothing there: ${what} will go along with every new container of this object and be removed with it; mount a Volume to keep the data`
  return [{ object, type: 'Normal', reason: 'AnonymousVolume', message }]
}
