/** What pruning looks at: a whole look at the engine of its own, what should be there, and what was used when. */
import type { DiskUsage, ListedImage } from '#pkg/engine/images.ts'
import type { ObservedContainer, ObservedNetwork, ObservedVolume } from '#pkg/engine/port.ts'
import type { Disk } from '../disk.ts'
import type { OwnerOf } from '../owned.ts'
import type { Desired } from '../world.ts'

export interface PruneSight {
  /** ms since the epoch. */
  readonly now: number
  readonly clusterID: string
  readonly desired: Pick<Desired, 'builds' | 'containers' | 'images' | 'networks' | 'volumes'>
  /** All, intermediate ones too. */
  readonly images: readonly ListedImage[]
  readonly containers: readonly ObservedContainer[]
  /** Of these the engine tells no more than its list does: what they mount and join is not known. */
  readonly untold: readonly { readonly name: string; readonly imageID: string }[]
  readonly networks: readonly ObservedNetwork[]
  readonly volumes: readonly ObservedVolume[]
  readonly usage: DiskUsage
  /** Of the engine; absent: not on this machine. */
  readonly disk?: Disk
  /** By id; ms since the epoch. */
  readonly lastUsed: (image: string) => number
  /** Groups with ops under way. */
  readonly busy: ReadonlySet<string>
  readonly ownerOf: OwnerOf
}

/** What stays, and why. */
export interface Kept {
  readonly what: string
  readonly why: string
}

export function shortID(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, 12)
}

/** `image nginx:1.27`, or its id where nobody calls it anything. */
export function imageText({ id, references, digests }: ListedImage): string {
  if (references.length > 0) return `image ${references.join(', ')}`
  const [digest] = digests
  if (digest === undefined) return `image ${shortID(id)}`
  return `image ${digest.slice(0, digest.indexOf('@sha256:') + 20)}`
}

export const containerText = ({ name }: Pick<ObservedContainer, 'name'>) => `container ${name}`
export const networkText = ({ name }: ObservedNetwork) => `network ${name}`
export const volumeText = ({ name }: ObservedVolume) =>
  `volume ${/^[0-9a-f]{64}$/.test(name) ? name.slice(0, 12) : name}`
