/** Keeps for each Build the Image of its name, which brings what was built to whoever is made from it. */
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import { isReason, messageOf } from '#pkg/apimachinery/errors.ts'
import { sameJson } from '#pkg/apimachinery/hash.ts'
import { objectKey } from '#pkg/apimachinery/meta.ts'
import { imageSpecOfBuild } from '#pkg/apis/build.image.ts'
import { type Build, buildKind } from '#pkg/apis/build.ts'
import { type Image, imageKind } from '#pkg/apis/image.ts'
import { anyKind } from '#pkg/apis/kind.ts'
import { Informer } from '#pkg/client/informer.ts'
import { Loop } from '#pkg/client/loop.ts'
import { EventRecorder } from '#pkg/client/recorder.ts'
import type { Client } from '#pkg/client/rest.ts'
import { type BuiltImageChange, planBuiltImage } from './builds.plan.ts'

/** A namespace that is going takes nothing new, and one whose rules have become stricter not this. */
const againMs = 60_000

export class BuildController {
  readonly #client: Client
  readonly #ambient: Ambient
  readonly #builds: Informer<Build>
  readonly #images: Informer<Image>
  readonly #recorder: EventRecorder
  readonly #loop: Loop
  /** By key of the Build: what was said of it last, which is not said again. */
  readonly #told = new Map<string, string>()

  constructor({ client, ambient }: { readonly client: Client; readonly ambient: Ambient }) {
    this.#client = client
    this.#ambient = ambient
    this.#recorder = new EventRecorder({ client, ambient, source: { component: 'cove-builds' } })
    this.#loop = new Loop({ name: 'builds', ambient, settleMs: 5, pass: (signal) => this.#pass(signal) })
    const onChange = () => this.#loop.poke()
    this.#builds = new Informer({
      client,
      kind: buildKind,
      ambient,
      trim: trimmedBuild,
      matters: (before, after) => !sameJson(wishOf(before), wishOf(after)),
      onChange,
    })
    this.#images = new Informer({
      client,
      kind: imageKind,
      ambient,
      trim: trimmedImage,
      matters: (before, after) => !sameJson(keptOf(before), keptOf(after)),
      onChange,
    })
  }

  async run(signal: AbortSignal): Promise<void> {
    const running = [this.#builds.run(signal), this.#images.run(signal), this.#recorder.run(signal)]
    await Promise.all([this.#builds.synced(signal), this.#images.synced(signal)])
    await this.#loop.run(signal)
    await Promise.all(running)
  }

  /** The time to look again at those that the server did not take. */
  async #pass(signal: AbortSignal): Promise<number | undefined> {
    let refused = false
    for (const key of this.#told.keys()) if (this.#builds.get(key) === undefined) this.#told.delete(key)
    let failure: { readonly error: unknown } | undefined
    for (const build of this.#builds.list()) {
      const key = objectKey(build.metadata)
      const image = this.#images.get(key)
      const change = planBuiltImage(build, image)
      if (change === undefined) this.#told.delete(key)
      if (change === undefined) continue
      try {
        refused = (await this.#perform(change, build, image, signal)) || refused
      } catch (error) {
        // One that the server does not take holds up no other.
        failure ??= { error }
      }
    }
    if (failure !== undefined && !signal.aborted) throw failure.error
    return refused ? this.#ambient.clock.now() + againMs : undefined
  }

  /** Whether the server did not take it. */
  async #perform(
    change: BuiltImageChange,
    build: Build,
    image: Image | undefined,
    signal: AbortSignal,
  ): Promise<boolean> {
    try {
      if (change.type === 'taken') this.#tell(build, change.message)
      else if (change.type === 'create') await this.#client.create(anyKind(imageKind), change.image, signal)
      else if (image !== undefined) await this.#patch(image, change.spec, signal)
    } catch (error) {
      if (isReason(error, 'Conflict') || isReason(error, 'AlreadyExists')) this.#loop.poke()
      else if (isReason(error, 'Forbidden') || isReason(error, 'Invalid')) {
        this.#tell(build, messageOf(error))
        return true
      } else if (!isReason(error, 'NotFound')) throw error
    }
    return false
  }

  /** Of the Image as it was seen. */
  async #patch({ metadata }: Image, spec: object, signal: AbortSignal): Promise<void> {
    const { name, namespace = 'default', resourceVersion } = metadata
    await this.#client.patch(
      anyKind(imageKind),
      { name, namespace },
      { metadata: { resourceVersion }, spec },
      signal,
    )
  }

  #tell(object: Build, message: string): void {
    const key = objectKey(object.metadata)
    if (this.#told.get(key) === message) return
    this.#told.set(key, message)
    this.#recorder.record({ object, type: 'Warning', reason: 'FailedKeepImage', message })
  }
}

/** Contents of files and histories are nothing that its Image is made by. */
function trimmedBuild({ apiVersion, kind, metadata, spec }: Build): Build {
  const { annotations: _annotations, labels: _labels, ...kept } = metadata
  const { dockerfileInline: _text, ...rest } = spec
  return { apiVersion, kind, metadata: kept, spec: { ...rest, args: {}, labels: {}, context: {} } }
}

function trimmedImage({ status: _status, ...image }: Image): Image {
  return image
}

function wishOf(build: Build) {
  const { uid, deletionTimestamp } = build.metadata
  return { uid, deletionTimestamp, spec: imageSpecOfBuild(build) }
}

function keptOf({ metadata, spec }: Image) {
  const { uid, deletionTimestamp, ownerReferences } = metadata
  return { uid, deletionTimestamp, ownerReferences, spec }
}
