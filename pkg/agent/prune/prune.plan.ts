/**
 * What goes by a policy, in which order, and why everything else stays. Containers go first, then images, networks,
 * volumes and build cache; for the sake of a full disk only containers, build cache and images, until it has room.
 * Everything is removed by its exact name or id, nothing by force. Pure.
 */
import { humanBytes, humanDuration, parseDuration, parseQuantity } from '#pkg/apimachinery/quantity.ts'
import type { PrunePolicySpec } from '#pkg/apis/prunepolicy.ts'
import { engineLabels } from '#pkg/apis/wellknown.ts'
import type { ObservedContainer } from '#pkg/engine/port.ts'
import type { PlannedOp } from '#pkg/plan/plan.ts'
import type { AgentOp } from '../ops.ts'
import { chooseImages, removalsOf, usualAge } from './images.plan.ts'
import { isPredefined, type KeepSet, keepSet } from './keepset.ts'
import { containerText, imageText, type Kept, networkText, type PruneSight, volumeText } from './sight.ts'

export interface PruneRequest {
  readonly spec: PrunePolicySpec
  /** Of the ops. */
  readonly group: string
  readonly because: 'Schedule' | 'Disk' | 'Request'
}

/** One thing that goes, whose names may take several ops. */
export interface PruneItem {
  readonly what: string
  readonly why: string
  /** As far as it is known before. */
  readonly bytes: number
  /** Ids of images, for whoever waits for what becomes of them. */
  readonly image?: string
  readonly ops: readonly PlannedOp<AgentOp>[]
}

export interface PrunePlan {
  readonly items: readonly PruneItem[]
  readonly kept: readonly Kept[]
}

interface Wish {
  readonly what: string
  readonly why: string
  readonly bytes: number
  readonly image?: string
  /** An image that has not lost its name. */
  readonly isNamed?: boolean
  readonly ops: readonly AgentOp[]
}

interface Part {
  /** Of what nobody asked about nothing is said. */
  readonly isAsked: boolean
  readonly going: readonly Wish[]
  readonly kept: readonly Kept[]
}

const usualCacheAge = '48h'

export function planPrune(request: PruneRequest, sight: PruneSight): PrunePlan {
  const containers = planContainers(request, sight, keepSet(sight))
  const leaving = new Set(
    containers.going.flatMap(({ ops }) => ops.flatMap((op) => ('container' in op ? [op.container] : []))),
  )
  const keep = keepSet(sight, leaving)
  const parts =
    request.because === 'Disk'
      ? [containers, planCache(request, sight), planImages(request, sight, keep)]
      : [
          containers,
          planImages(request, sight, keep),
          planNetworks(request, sight, keep),
          planVolumes(request, sight, keep),
          planCache(request, sight),
        ]
  const told = parts.filter((each) => each.isAsked)
  const all = parts.flatMap(({ going }) => going)
  const { count, why } =
    request.because === 'Disk' ? enoughFor(request.spec, sight, all) : { count: all.length, why: '' }
  const spared = all.slice(count).map(({ what }) => ({ what, why }))
  const kept = [...told.flatMap((part) => part.kept), ...spared]
  return { items: withIds(all.slice(0, count), request.group), kept }
}

/** How many of them bring the disk down to where it should be, and why the others stay. */
function enoughFor(
  { disk: marks }: PrunePolicySpec,
  { disk }: PruneSight,
  wishes: readonly Wish[],
): { count: number; why: string } {
  const upTo = (index: number) => (index < 0 ? wishes.length : index)
  if (disk === undefined || marks === undefined)
    return {
      count: upTo(wishes.findIndex(({ isNamed }) => isNamed)),
      why: 'it has a name, and how full the disk is is not known',
    }
  const usable = disk.usedBytes + disk.availableBytes
  let excess = disk.usedBytes - (usable * marks.low) / 100
  const enough = wishes.findIndex(({ bytes }) => {
    if (excess <= 0) return true
    excess -= bytes
    return false
  })
  return { count: upTo(enough), why: 'the disk has room without it' }
}

function withIds(wishes: readonly Wish[], group: string): PruneItem[] {
  let number = 0
  return wishes.map((wish) => {
    let before: string | undefined
    const ops = wish.ops.map((op): PlannedOp<AgentOp> => {
      number += 1
      const id = `${group}#${number}`
      const after = before === undefined ? [] : [before]
      before = id
      return { id, op, cause: wish.why, after, group }
    })
    const { isNamed: _, ...item } = wish
    return { ...item, ops }
  })
}

function part<T>(
  things: readonly T[],
  isAsked: boolean,
  textOf: (thing: T) => string,
  decide: (thing: T) => { why: string } | Omit<Wish, 'what'>,
): Part {
  const going: Wish[] = []
  const kept: Kept[] = []
  for (const thing of things) {
    const decision = decide(thing)
    const what = textOf(thing)
    if ('ops' in decision) going.push({ what, ...decision })
    else kept.push({ what, why: decision.why })
  }
  return { isAsked, going, kept }
}

function planContainers(request: PruneRequest, sight: PruneSight, keep: KeepSet): Part {
  const written = new Map(sight.usage.containers.map(({ id, writtenBytes }) => [id, writtenBytes]))
  return part(sight.containers, request.spec.containers !== undefined, containerText, (container) => {
    const why = keep.container(container) ?? whyContainerStays(container, request, sight)
    if (why !== undefined) return { why }
    const ended = container.finishedAt ?? container.createdAt
    const age = humanDuration(Math.max(0, sight.now - Date.parse(ended)))
    const ops = [{ type: 'removeContainer', container: container.id, prunes: true }] as const
    const past = container.state === 'created' ? `it was never started, since ${age}` : `it ended ${age} ago`
    return { why: past, bytes: written.get(container.id) ?? 0, ops }
  })
}

function whyContainerStays(
  container: ObservedContainer,
  { spec, because }: PruneRequest,
  sight: PruneSight,
): string | undefined {
  const { containers: rules } = spec
  const isLeftover = isLeftOver(container, sight)
  if (because === 'Disk' && isLeftover) return undefined
  if (rules?.exited !== true) return 'no containers are to go'
  if (!isLeftover && !rules.unmanaged) return 'Cove did not make it, and only what Cove left behind is to go'
  const missing = Object.entries(rules.selector ?? {}).find(([key, value]) => container.labels[key] !== value)
  if (missing !== undefined) return `it has not got the label ${missing.join('=')}`
  return tooYoung('it ended', container.finishedAt ?? container.createdAt, rules.olderThan, sight)
}

/** Containers have the labels of their image, too: only one that has it by itself was left behind by a build. */
function isLeftOver({ labels, imageID }: ObservedContainer, { images }: PruneSight): boolean {
  const build = labels[engineLabels.build]
  const image = images.find(({ id }) => id === imageID)
  return build !== undefined && image !== undefined && image.labels[engineLabels.build] !== build
}

/** Why it stays yet; undefined when it is old enough. Of what has no time nobody knows that it is. */
function tooYoung(
  what: string,
  since: string | undefined,
  olderThan: string | undefined,
  { now }: PruneSight,
): string | undefined {
  const least = parseDuration(olderThan ?? usualAge) ?? Number.POSITIVE_INFINITY
  const age = Math.max(0, now - Date.parse(since ?? ''))
  if (age >= least || least === 0) return undefined
  if (Number.isNaN(age)) return 'the engine does not say how old it is'
  return `${what} ${humanDuration(age)} ago: it goes after ${humanDuration(least)}`
}

function planImages({ spec, because }: PruneRequest, sight: PruneSight, keep: KeepSet): Part {
  const full = because === 'Disk'
  const { going, kept } = chooseImages({ sight, keep, rules: spec.images, full })
  const sizes = new Map(sight.usage.images.map((used) => [used.id, used]))
  return {
    isAsked: full || spec.images !== undefined,
    kept,
    going: going.map(({ image, why }) => {
      const { sizeBytes = 0, sharedBytes = 0 } = sizes.get(image.id) ?? {}
      const ops = removalsOf(image).map((removal) => ({ type: 'removeImage', ...removal }) as const)
      const bytes = Math.max(0, sizeBytes - Math.max(0, sharedBytes))
      return {
        what: imageText(image),
        why,
        bytes,
        image: image.id,
        isNamed: image.references.length > 0,
        ops,
      }
    }),
  }
}

function planNetworks({ spec: { networks: rules } }: PruneRequest, sight: PruneSight, keep: KeepSet): Part {
  const ownNetworks = sight.networks.filter(({ name }) => !isPredefined(name))
  return part(ownNetworks, rules !== undefined, networkText, (network) => {
    const why =
      keep.network(network) ??
      (rules?.unused === true
        ? tooYoung('it was made', network.createdAt, rules.olderThan, sight)
        : 'no networks are to go')
    if (why !== undefined) return { why }
    const ops = [{ type: 'removeNetwork', network: network.id }] as const
    return { why: 'no container is in it, and no Network stands for it', bytes: 0, ops }
  })
}

function planVolumes({ spec: { volumes: rules } }: PruneRequest, sight: PruneSight, keep: KeepSet): Part {
  const sizes = new Map(sight.usage.volumes.map(({ name, sizeBytes }) => [name, sizeBytes]))
  return part(sight.volumes, rules !== undefined, volumeText, (volume) => {
    const why =
      keep.volume(volume) ??
      (rules?.anonymous === true
        ? tooYoung('it was made', volume.createdAt, rules.olderThan, sight)
        : 'anonymous volumes are not to go')
    if (why !== undefined) return { why }
    const ops = [{ type: 'removeVolume', volume: volume.name }] as const
    const bytes = Math.max(0, sizes.get(volume.name) ?? 0)
    return { why: 'nobody named it, and no container mounts it', bytes, ops }
  })
}

/** One op for all of it: which records go is the builder's own affair, who knows what is made of what. */
function planCache({ spec, because }: PruneRequest, sight: PruneSight): Part {
  const { buildCache } = sight.usage
  const what = 'build cache'
  const rules = spec.buildCache ?? (because === 'Disk' ? { olderThan: '0s' } : undefined)
  if (buildCache.length === 0) return { isAsked: false, going: [], kept: [] }
  if (rules === undefined) return { isAsked: false, going: [], kept: [] }
  const olderThanMs = parseDuration(rules.olderThan ?? usualCacheAge) ?? Number.POSITIVE_INFINITY
  const keepBytes = parseQuantity(rules.keepStorage ?? 0) ?? 0
  const old = buildCache.filter(
    ({ inUse, createdAt, lastUsedAt = createdAt }) =>
      !inUse && sight.now - Date.parse(lastUsedAt) >= olderThanMs,
  )
  const sum = (records: typeof buildCache) => records.reduce((total, { sizeBytes }) => total + sizeBytes, 0)
  const bytes = Math.min(sum(old), sum(buildCache) - keepBytes)
  if (old.length === 0 || bytes < 0 || (bytes === 0 && keepBytes > 0)) {
    const why =
      old.length === 0
        ? `all of it is used, or younger than ${humanDuration(olderThanMs)}`
        : `${humanBytes(keepBytes)} of it stay`
    return { isAsked: true, going: [], kept: [{ what, why }] }
  }
  const why =
    olderThanMs === 0 ? 'no build uses it now' : `no build has used it for ${humanDuration(olderThanMs)}`
  const ops = [{ type: 'pruneBuildCache', olderThanMs, keepBytes }] as const
  return { isAsked: true, going: [{ what, why, bytes, ops }], kept: [] }
}
