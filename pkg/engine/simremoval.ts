/** What a simulated engine does when an image is to go: Docker's rules, and its words. */
import type { RemovedImage } from './images.ts'
import { isUp, type SimContainer } from './simcontainer.ts'
import { type HeldImage, refuse, type SimHost } from './simhost.ts'
import { canonicalName, familiarName } from './simregistry.ts'

interface Removal {
  readonly host: SimHost
  readonly held: HeldImage
  readonly force: boolean
  readonly untagged: string[]
  readonly deleted: string[]
}

/** `asked` is how the image was named: by a reference of its, or by its id. */
export function removeImage(host: SimHost, held: HeldImage, asked: string, force: boolean): RemovedImage {
  const removal: Removal = { host, held, force, untagged: [], deleted: [] }
  if (isIdOf(held, asked)) byId(removal)
  else byReference(removal, canonicalName(asked))
  return { untagged: removal.untagged, deleted: removal.deleted }
}

function byReference(removal: Removal, name: string): void {
  const { host, held, force } = removal
  const user = usersOf(host, held)[0]
  if (!force && isSingle(held) && user !== undefined) {
    const by = `container ${user.id.slice(0, 12)} is using its referenced image`
    refuse('InUse', `conflict: unable to remove repository reference "${name}" (must force) - ${by}`)
  }
  cut(removal, name)
  const repository = repositoryOf(name)
  if (![...held.references].some((reference) => repositoryOf(reference) === repository))
    for (const digest of held.digests) if (repositoryOf(digest) === repository) cut(removal, digest)
  const isNamed = held.references.size + held.digests.size > 0
  if (!isNamed && hardConflict(removal) === undefined && usersOf(host, held).length === 0) drop(removal)
}

function byId(removal: Removal): void {
  const { host, held, force } = removal
  const conflict = hardConflict(removal)
  if (conflict !== undefined) refuseDelete(held, `cannot be forced) - ${conflict}`)
  const user = usersOf(host, held)[0]
  if (!force && user !== undefined) {
    refuseDelete(held, `must be forced) - image is being used by stopped container ${user.id.slice(0, 12)}`)
  }
  if (!force && !isSingle(held)) {
    refuseDelete(held, 'must be forced) - image is referenced in multiple repositories')
  }
  for (const name of [...held.references, ...held.digests]) cut(removal, name)
  drop(removal)
}

function drop(removal: Removal): void {
  const { host, held, deleted } = removal
  host.dropImage(held)
  deleted.push(held.image.id)
  const parent = held.parent === undefined ? undefined : host.images.get(held.parent)
  if (parent === undefined || parent.references.size + parent.digests.size > 0) return
  const above = { ...removal, held: parent }
  if (hardConflict(above) === undefined && usersOf(host, parent).length === 0) drop(above)
}

function cut({ held, untagged }: Removal, name: string): void {
  if (held.references.delete(name) || held.digests.delete(name)) untagged.push(familiarName(name))
}

function hardConflict({ host, held }: Removal): string | undefined {
  const running = usersOf(host, held).find(isUp)
  if (running !== undefined) return `image is being used by running container ${running.id.slice(0, 12)}`
  const hasChild = [...host.images.values()].some(({ parent }) => parent === held.image.id)
  return hasChild ? 'image has dependent child images' : undefined
}

function refuseDelete({ image }: HeldImage, why: string): never {
  return refuse('InUse', `conflict: unable to delete ${image.id.slice('sha256:'.length, 19)} (${why}`)
}

function usersOf(host: SimHost, { image }: HeldImage): SimContainer[] {
  return [...host.containers.values()].filter((container) => container.image.id === image.id)
}

/** At most one tag, and nothing of another repository. */
function isSingle({ references, digests }: HeldImage): boolean {
  const repositories = new Set([...references, ...digests].map(repositoryOf))
  return references.size <= 1 && repositories.size <= 1
}

function isIdOf({ image, references, digests }: HeldImage, asked: string): boolean {
  const digits = asked.replace(/^sha256:/, '')
  if (!/^[0-9a-f]+$/.test(digits) || !image.id.startsWith(`sha256:${digits}`)) return false
  if (digits.length === 64) return true
  const name = canonicalName(asked)
  return !references.has(name) && !digests.has(name)
}

function repositoryOf(name: string): string {
  return name.replace(/@.*$/, '').replace(/:[^/:]*$/, '')
}
