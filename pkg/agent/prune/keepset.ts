/**
 * What pruning never touches, whatever a policy says, and why: what is wanted, what is in use by anybody, what somebody
 * has marked, and all that holds data somebody has given a name. Pure.
 */
import { objectKey } from '#pkg/apimachinery/meta.ts'
import { canonicalReference, parseReference } from '#pkg/apimachinery/reference.ts'
import { namesOfBuild } from '#pkg/apis/build.said.ts'
import type { Build } from '#pkg/apis/build.ts'
import type { Image } from '#pkg/apis/image.ts'
import { engineLabels, engineNameOf, keepLabel } from '#pkg/apis/wellknown.ts'
import type { ListedImage } from '#pkg/engine/images.ts'
import type { ObservedContainer, ObservedNetwork, ObservedVolume } from '#pkg/engine/port.ts'
import { isOurs } from '../container.look.ts'
import { wantedImage } from '../image.ts'
import { imageGroups } from '../images/imagegroups.ts'
import { tellOwner } from '../owned.ts'
import type { PruneSight } from './sight.ts'

/** Each says in words why it must stay; undefined: it need not. */
export interface KeepSet {
  readonly image: (image: ListedImage) => string | undefined
  readonly container: (container: ObservedContainer) => string | undefined
  readonly network: (network: ObservedNetwork) => string | undefined
  readonly volume: (volume: ObservedVolume) => string | undefined
}

/** `leaving`: ids of containers that go first. */
export function keepSet(sight: PruneSight, leaving: ReadonlySet<string> = new Set()): KeepSet {
  const staying = sight.containers.filter(({ id }) => !leaving.has(id))
  return {
    image: keepImages(sight, staying),
    container: keepContainers(sight),
    network: keepNetworks(sight, staying),
    volume: keepVolumes(sight, staying),
  }
}

/** By id, or by name in full: what images are kept by, the first reason that was given. */
class Reasons {
  readonly #byKey = new Map<string, string>()

  add(reference: string | undefined, why: string): void {
    for (const key of keysOf(reference ?? '')) if (!this.#byKey.has(key)) this.#byKey.set(key, why)
  }

  of({ id, references, digests }: ListedImage): string | undefined {
    for (const name of [id, ...references, ...digests])
      for (const key of keysOf(name)) {
        const why = this.#byKey.get(key)
        if (why !== undefined) return why
      }
    return undefined
  }
}

/** A tag with a digest names both: the image of that digest, and whatever has the tag now. */
function keysOf(name: string): string[] {
  if (/^sha256:[0-9a-f]{64}$/.test(name)) return [name]
  const parsed = parseReference(name)
  if (!parsed.ok) return name === '' ? [] : [name]
  const { registry, repository, tag, digest } = parsed.reference
  const tagged = digest !== undefined && tag === undefined ? [] : [{ tag: tag ?? 'latest' }]
  const pinned = digest === undefined ? [] : [{ digest }]
  return [...pinned, ...tagged].map((part) => canonicalReference({ registry, repository, ...part }))
}

function keepImages(sight: PruneSight, staying: readonly ObservedContainer[]): KeepSet['image'] {
  const reasons = new Reasons()
  for (const { name, imageID } of [...staying, ...sight.untold])
    reasons.add(imageID, `container ${name} was made from it`)
  for (const { name, image } of staying) reasons.add(image, `container ${name} names it`)
  for (const container of sight.desired.containers.values()) {
    const why = `Container ${objectKey(container.metadata)} is made from it`
    for (const reference of [wantedImage(container), container.status?.image?.reference])
      reasons.add(reference, why)
  }
  const repositories = new Map<string, string>()
  for (const image of sight.desired.images.values()) keepObject(image, sight, reasons, repositories)
  for (const build of sight.desired.builds.values()) keepBuild(build, reasons)
  for (const group of sight.busy)
    if (group.startsWith('Pull/'))
      reasons.add(group.slice('Pull/'.length).replace(/ with .*$/, ''), 'it is being pulled')
  const builds = [...sight.busy].some((group) => group.startsWith('Build/'))
  return (image) => {
    const { labels, references } = image
    if (isMarked(labels)) return `it has the label ${keepLabel}`
    if (builds && references.length === 0) return 'a build is under way, which may be made of it'
    return reasons.of(image) ?? repositoriesOf(image).flatMap((each) => repositories.get(each) ?? [])[0]
  }
}

/**
 * An Image that may be collected keeps nothing while it rests, unless no registry could bring it back. What a deletion
 * leaves or takes away is its own business.
 */
function keepObject(
  image: Image,
  { busy }: PruneSight,
  reasons: Reasons,
  repositories: Map<string, string>,
): void {
  const key = objectKey(image.metadata)
  const { spec, status } = image
  const isLocal = spec.source !== undefined || status?.reference?.startsWith('sha256:') === true
  const isAtWork = imageGroups(image.metadata).some((group) => busy.has(group))
  const mayGo = spec.prunePolicy === 'Collect' && !isLocal && !isAtWork
  if (mayGo) return
  const why = `Image ${key} is to be here`
  const names = [spec.reference, ...spec.tags, status?.reference, status?.digest, status?.id]
  for (const name of names) reasons.add(name, why)
  for (const { id } of Object.values(status?.nodes ?? {})) reasons.add(id, why)
  reasons.add(status?.previous, `Image ${key} was it before, and may be again`)
  const parsed = parseReference(spec.reference)
  if (spec.allTags && parsed.ok) {
    const { registry, repository } = parsed.reference
    repositories.set(canonicalReference({ registry, repository }), why)
  }
}

/**
 * What came of a Build, what it is made of, and the stages that its next build begins with. What came of earlier ones goes
 * as anything else does. Labels say nothing here: containers have those of their image.
 */
function keepBuild(build: Build, reasons: Reasons): void {
  const { metadata, spec, status } = build
  if (metadata.deletionTimestamp !== undefined) return
  const key = objectKey(metadata)
  for (const name of [...namesOfBuild(build), status?.image?.id]) reasons.add(name, `Build ${key} made it`)
  for (const stage of status?.stages ?? []) reasons.add(stage, `it is a stage of Build ${key}, and its cache`)
  const bases = (status?.bases ?? []).flatMap(({ reference, id }) => [reference, id])
  for (const base of [...bases, ...spec.cacheFrom]) reasons.add(base, `Build ${key} is made of it`)
}

/** In full, each once; of an image without names those of its digests. */
export function repositoriesOf({ references, digests }: ListedImage): string[] {
  const names = references.length > 0 ? references : digests
  const found = names.flatMap((name) => {
    const parsed = parseReference(name)
    if (!parsed.ok) return []
    const { registry, repository } = parsed.reference
    return [canonicalReference({ registry, repository })]
  })
  return [...new Set(found)]
}

function isMarked(labels: Readonly<Record<string, string>>): boolean {
  const mark = labels[keepLabel]
  return mark !== undefined && mark !== 'false'
}

function keepContainers(sight: PruneSight): KeepSet['container'] {
  const adopted = new Map(
    [...sight.desired.containers.values()].flatMap(({ metadata, spec }) =>
      spec.adopt === undefined ? [] : [[spec.adopt, objectKey(metadata)]],
    ),
  )
  const leaned = new Map(
    sight.containers.flatMap(({ name, networkMode }) =>
      networkMode.startsWith('container:') ? [[networkMode.slice('container:'.length), name]] : [],
    ),
  )
  return (container) => {
    const { id, labels, state } = container
    const owner = whoseItIs(container, sight)
    if (owner !== undefined) return owner
    if (adopted.has(id)) return `Container ${adopted.get(id)} is to take it over`
    if (isMarked(labels)) return `it has the label ${keepLabel}`
    if (!['exited', 'created', 'dead'].includes(state)) return `it is ${state}`
    return leaned.has(id) ? `container ${leaned.get(id)} is in its network` : undefined
  }
}

/** Undefined: nobody's who looks after it. */
function whoseItIs(container: ObservedContainer, sight: PruneSight): string | undefined {
  const { type, namespace = '', name = '' } = tellOwner(container.labels, sight.ownerOf(container))
  const key = `${namespace}/${name}`
  if (type === 'Container') return `Container ${key} stands for it`
  if (isOurs(container.labels, sight)) return 'Cove made it, and looks after it'
  const others = {
    OtherCluster: `it is ${key} of another cluster`,
    KubernetesPod: `it is of Pod ${key}`,
    SwarmService: `it is of the Swarm service ${name}`,
    ComposeProject: undefined,
    Nobody: undefined,
  }
  return others[type]
}

/** Every engine has them, and nobody can remove them. */
export function isPredefined(network: string): boolean {
  return predefined.includes(network)
}

const predefined: readonly string[] = ['bridge', 'host', 'none', 'ingress', 'docker_gwbridge']

function keepNetworks(sight: PruneSight, staying: readonly ObservedContainer[]): KeepSet['network'] {
  const declared = new Map(
    [...sight.desired.networks.values()].map((network) => [
      engineNameOf(network),
      objectKey(network.metadata),
    ]),
  )
  const members = new Map(
    staying.flatMap(({ name, networks }) => networks.map(({ network }) => [network, name] as const)),
  )
  const [untold] = sight.untold
  return ({ name, driver, labels }) => {
    if (isPredefined(name)) return "it is the engine's own"
    if (driver === 'overlay') return 'it is of a Swarm, other machines may be in it'
    if (members.has(name)) return `container ${members.get(name)} is in it`
    if (declared.has(name)) return `Network ${declared.get(name)} stands for it`
    const cluster = labels[engineLabels.cluster]
    if (cluster !== undefined && cluster !== sight.clusterID) return 'it is of another cluster'
    if (isMarked(labels)) return `it has the label ${keepLabel}`
    return untold && unknowing(untold.name)
  }
}

/** Labels that engines put on volumes that nobody named. */
const anonymousLabel = 'com.docker.volume.anonymous'

function keepVolumes(sight: PruneSight, staying: readonly ObservedContainer[]): KeepSet['volume'] {
  const declared = new Map(
    [...sight.desired.volumes.values()].map((volume) => [engineNameOf(volume), objectKey(volume.metadata)]),
  )
  const mounting = new Map(
    staying.flatMap(({ name, mounts }) =>
      mounts.flatMap(({ type, source }) => (type === 'volume' ? [[source, name] as const] : [])),
    ),
  )
  const seen = Map.groupBy(
    sight.containers.flatMap(({ mounts }) => mounts.map(({ source }) => source)),
    (source) => source,
  )
  const counted = new Map(sight.usage.volumes.map(({ name, containers }) => [name, containers]))
  const [untold] = sight.untold
  return (volume) => {
    const { name } = volume
    if (declared.has(name)) return `Volume ${declared.get(name)} stands for it`
    if (!/^[0-9a-f]{64}$/.test(name)) return 'it has a name: volumes with a name always stay'
    if (mounting.has(name)) return `container ${mounting.get(name)} mounts it`
    if (!isPlain(volume)) return 'somebody made it what it is: it has labels, options or a driver of its own'
    if (untold !== undefined) return unknowing(untold.name)
    const isCounted = (counted.get(name) ?? 0) > (seen.get(name)?.length ?? 0)
    return isCounted ? 'the engine says that it is in use' : undefined
  }
}

/** As engines make one that nobody asked for. */
function isPlain({ driver, options, labels }: ObservedVolume): boolean {
  const own = Object.keys(labels).filter((label) => label !== anonymousLabel)
  return driver === 'local' && own.length + Object.keys(options).length === 0
}

function unknowing(container: string): string {
  return `the engine does not tell what container ${container} uses`
}
