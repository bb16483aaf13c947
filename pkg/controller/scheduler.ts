/** Places Containers, Volumes, Networks, Images and Builds on nodes: watches, lets the plan decide, writes. */
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { sameJson } from '#pkg/apimachinery/hash.ts'
import { byKey, type KubeObject, objectKey, setCondition } from '#pkg/apimachinery/meta.ts'
import { type Build, buildKind } from '#pkg/apis/build.ts'
import { hasEndedForGood } from '#pkg/apis/container.finished.ts'
import { containerKind } from '#pkg/apis/container.kind.ts'
import type { Container } from '#pkg/apis/container.ts'
import { type Image, imageKind } from '#pkg/apis/image.ts'
import { anyKind, type Kind } from '#pkg/apis/kind.ts'
import { type Network, networkKind } from '#pkg/apis/network.ts'
import { type Node, nodeKind } from '#pkg/apis/node.ts'
import { type Volume, volumeKind } from '#pkg/apis/volume.ts'
import { nodeFinalizer } from '#pkg/apis/wellknown.ts'
import { Informer } from '#pkg/client/informer.ts'
import { Loop } from '#pkg/client/loop.ts'
import { EventRecorder } from '#pkg/client/recorder.ts'
import type { Client } from '#pkg/client/rest.ts'
import { execute, makeSlots } from '#pkg/plan/execute.ts'
import { basesOfBuilds, imagesOfBuild } from './scheduler.builds.ts'
import { type PlaceOp, planPlacement, type Unplaced } from './scheduler.plan.ts'

const writesAtOnce = 16
/** Of more that no node takes only their conditions tell: as many events would be half of the store. */
const mostTold = 100

const kinds: Readonly<Record<PlaceOp['kind'], Kind>> = {
  Container: anyKind(containerKind),
  Volume: anyKind(volumeKind),
  Network: anyKind(networkKind),
  Image: anyKind(imageKind),
  Build: anyKind(buildKind),
}

export class Scheduler {
  readonly #client: Client
  readonly #ambient: Ambient
  readonly #containers: Informer<Container>
  readonly #volumes: Informer<Volume>
  readonly #networks: Informer<Network>
  readonly #images: Informer<Image>
  readonly #builds: Informer<Build>
  readonly #nodes: Informer<Node>
  readonly #madeFrom = new WeakMap<Build, readonly string[]>()
  readonly #recorder: EventRecorder
  readonly #loop: Loop

  constructor(options: { client: Client; ambient: Ambient }) {
    const { client, ambient } = options
    this.#client = client
    this.#ambient = ambient
    this.#recorder = new EventRecorder({ client, ambient, source: { component: 'cove-scheduler' } })
    this.#loop = new Loop({ name: 'scheduler', ambient, settleMs: 2, pass: (signal) => this.#pass(signal) })
    const onChange = () => this.#loop.poke()
    const informer = <T extends KubeObject>(kind: Kind<T>) =>
      new Informer<T>({ client, kind, ambient, onChange })
    this.#containers = new Informer({
      client,
      kind: containerKind,
      ambient,
      trim: trimmed,
      matters,
      onChange,
    })
    this.#volumes = informer(volumeKind)
    this.#networks = informer(networkKind)
    this.#images = new Informer({
      client,
      kind: imageKind,
      ambient,
      trim: trimmedImage,
      matters: movesPlaced,
      onChange,
    })
    this.#builds = new Informer({
      client,
      kind: buildKind,
      ambient,
      trim: trimmedBuild,
      matters: movesPlaced,
      onChange,
    })
    this.#nodes = informer(nodeKind)
  }

  async run(signal: AbortSignal): Promise<void> {
    const placed = [this.#containers, this.#volumes, this.#networks, this.#images, this.#builds]
    const informers = [...placed, this.#nodes]
    const running = [...informers.map((informer) => informer.run(signal)), this.#recorder.run(signal)]
    await Promise.all(informers.map((informer) => informer.synced(signal)))
    await this.#loop.run(signal)
    await Promise.all(running)
  }

  async #pass(signal: AbortSignal): Promise<undefined> {
    const builds = byKey(this.#builds.list())
    const { plan, unplaced } = planPlacement({
      containers: byKey(this.#containers.list()),
      volumes: byKey(this.#volumes.list()),
      networks: byKey(this.#networks.list()),
      images: byKey(this.#images.list()),
      builds,
      buildBases: basesOfBuilds(builds, (build) => this.#imagesOf(build)),
      nodes: [...this.#nodes.list()],
    })
    const results = await execute(plan, {
      run: (op) => this.#place(op, signal),
      slots: makeSlots(writesAtOnce),
      signal,
    })
    const few = unplaced.length <= mostTold
    for (const each of unplaced) await this.#explain(each, few, signal)
    const failed = results.find((result) => result.outcome === 'failed')
    if (failed?.outcome === 'failed' && !signal.aborted) throw failed.error
  }

  /** What its Dockerfile is made from is read once for each state of the Build. */
  #imagesOf(build: Build): readonly string[] {
    const known = this.#madeFrom.get(build)
    if (known !== undefined) return known
    const images = imagesOfBuild(build)
    this.#madeFrom.set(build, images)
    return images
  }

  /** Written against the revision it was planned from. Somebody was faster: the change pokes another pass. */
  async #place({ kind, object, finalizers, nodeName, labels }: PlaceOp, signal: AbortSignal): Promise<void> {
    const { resourceVersion, ...name } = object
    const patch = {
      metadata: { finalizers, resourceVersion, ...(labels !== undefined && { labels }) },
      ...(nodeName !== undefined && { spec: { nodeName } }),
    }
    try {
      const placed = await this.#client.patch(kinds[kind], name, patch, signal)
      // In the words of Kubernetes.
      const message = `Successfully assigned ${objectKey(placed.metadata)} to ${nodeName}`
      if (nodeName !== undefined)
        this.#recorder.record({ object: placed, type: 'Normal', reason: 'Scheduled', message })
    } catch (error) {
      if (!isReason(error, 'Conflict') && !isReason(error, 'NotFound')) throw error
    }
  }

  /** Says on the object why no node takes it, and in an event if it is to be told. */
  async #explain({ object, message }: Unplaced, tell: boolean, signal: AbortSignal): Promise<void> {
    const { namespace = 'default', name, generation = 0 } = object.metadata
    const previous = object.status?.conditions ?? []
    const draft = {
      type: 'Ready',
      status: 'False',
      reason: 'Unschedulable',
      message,
      observedGeneration: generation,
    } as const
    const before = previous.find(({ type }) => type === 'Ready')
    if (before?.message === message && before.reason === draft.reason) return
    const status = { phase: 'Pending', conditions: setCondition(previous, draft, this.#ambient.clock.now()) }
    try {
      await this.#client.patch(
        kinds[object.kind],
        { namespace, name, subresource: 'status' },
        { status },
        signal,
      )
      if (tell) this.#recorder.record({ object, type: 'Warning', reason: 'FailedScheduling', message })
    } catch (error) {
      if (!isReason(error, 'NotFound')) throw error
    }
  }
}

/** What planPlacement and the messages about a Container do not read is not kept: there may be very many. */
export function trimmed({ metadata, spec, status, ...type }: Container): Container {
  const { labels: _labels, annotations: _annotations, ownerReferences: _owners, ...named } = metadata
  const { creationTimestamp: _created, ...kept } = named
  const { command: _command, args: _args, healthcheck: _healthcheck, ...rest } = spec
  const { resources, securityContext: _security, ...small } = rest
  const { requests } = resources ?? {}
  const unread = { image: '', env: none, ports: none, dependsOn: none }
  const networks = spec.networks.length === 0 ? none : spec.networks
  const mounts = spec.mounts.length === 0 ? none : spec.mounts
  const { phase, observedGeneration } = status ?? {}
  // Only of those that are on no node it is said why.
  const conditions = spec.nodeName === undefined ? status?.conditions : undefined
  return {
    ...type,
    metadata: kept,
    spec: {
      ...small,
      ...unread,
      networks,
      mounts,
      ...(requests !== undefined && { resources: { requests } }),
    },
    ...(status !== undefined && {
      status: {
        ...(conditions !== undefined && { conditions }),
        ...(phase !== undefined && { phase }),
        ...(observedGeneration !== undefined && { observedGeneration }),
      },
    }),
  }
}

const none: never[] = []

/**
 * Of a Container that is where it belongs, nearly all changes are what its node says of it: nothing is placed by that,
 * unless it has ended for good and leaves its room to others.
 * Any other is looked at again after every change, because a write may have lost its race against that very change.
 */
export function matters(before: Container, after: Container): boolean {
  const { nodeName } = after.spec
  const { finalizers = [], deletionTimestamp } = after.metadata
  const settled =
    nodeName !== undefined && finalizers.includes(nodeFinalizer(nodeName)) && deletionTimestamp === undefined
  if (hasEndedForGood(before) !== hasEndedForGood(after)) return true
  return !settled || !sameJson(before.spec, after.spec) || !sameJson(before.metadata.finalizers, finalizers)
}

/** Progress of pulls and histories are nothing that is placed by. */
export function trimmedImage({ metadata, spec, status, ...type }: Image): Image {
  const { annotations: _annotations, ownerReferences: _owners, ...named } = metadata
  const { conditions } = status ?? {}
  const said = spec.nodeName === undefined && conditions !== undefined
  return { ...type, metadata: named, spec, ...(said && { status: { conditions } }) }
}

/** Steps and histories are nothing that is placed by. */
export function trimmedBuild({ metadata, spec, status, ...type }: Build): Build {
  const { annotations: _annotations, ownerReferences: _owners, ...named } = metadata
  const { conditions } = status ?? {}
  const said = spec.nodeName === undefined && conditions !== undefined
  return { ...type, metadata: named, spec, ...(said && { status: { conditions } }) }
}

/** Of an Image with a lead, and of a Build with a node, what nodes say of it places nothing. */
export function movesPlaced(before: Image | Build, after: Image | Build): boolean {
  const { finalizers = [], labels = {}, deletionTimestamp } = after.metadata
  const { nodeName } = after.spec
  if (nodeName === undefined || !finalizers.includes(nodeFinalizer(nodeName))) return true
  return (
    deletionTimestamp !== before.metadata.deletionTimestamp ||
    !sameJson(before.spec, after.spec) ||
    !sameJson(before.metadata.finalizers, finalizers) ||
    !sameJson(before.metadata.labels ?? {}, labels)
  )
}
