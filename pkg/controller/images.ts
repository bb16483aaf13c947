/** Tells Images that follow their registry which digests Containers were rolled back from. */
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { sameJson } from '#pkg/apimachinery/hash.ts'
import { objectKey } from '#pkg/apimachinery/meta.ts'
import { containerKind } from '#pkg/apis/container.kind.ts'
import { followedImage } from '#pkg/apis/container.references.ts'
import type { Container } from '#pkg/apis/container.ts'
import type { Rejection } from '#pkg/apis/image.rejected.ts'
import { type Image, imageKind } from '#pkg/apis/image.ts'
import { anyKind } from '#pkg/apis/kind.ts'
import { Informer } from '#pkg/client/informer.ts'
import { Loop } from '#pkg/client/loop.ts'
import type { Client } from '#pkg/client/rest.ts'
import { type Follower, planRejections } from './images.plan.ts'

export class ImageController {
  readonly #client: Client
  readonly #ambient: Ambient
  readonly #containers: Informer<Container>
  readonly #images: Informer<Image>
  readonly #loop: Loop

  constructor({ client, ambient }: { readonly client: Client; readonly ambient: Ambient }) {
    this.#client = client
    this.#ambient = ambient
    this.#loop = new Loop({ name: 'images', ambient, settleMs: 20, pass: (signal) => this.#pass(signal) })
    const onChange = () => this.#loop.poke()
    this.#containers = new Informer({
      client,
      kind: containerKind,
      ambient,
      keep: ({ spec }) => spec.imageFrom !== undefined,
      trim: trimmed,
      matters: (before, after) => !sameJson(verdictOf(before), verdictOf(after)),
      onChange,
    })
    this.#images = new Informer({
      client,
      kind: imageKind,
      ambient,
      keep: ({ spec }) => spec.update !== undefined,
      matters: (before, after) => !sameJson(rejectionsOf(before), rejectionsOf(after)),
      onChange,
    })
  }

  async run(signal: AbortSignal): Promise<void> {
    const running = [this.#containers.run(signal), this.#images.run(signal)]
    await Promise.all([this.#containers.synced(signal), this.#images.synced(signal)])
    await this.#loop.run(signal)
    await Promise.all(running)
  }

  async #pass(signal: AbortSignal): Promise<undefined> {
    const followers = Map.groupBy<string | undefined, Follower>(this.#containers.list(), followedImage)
    for (const image of this.#images.list()) {
      const rejected = planRejections(image, followers.get(objectKey(image.metadata)) ?? [])
      if (rejected !== undefined) await this.#write(image, rejected, signal)
    }
  }

  /** Of the Image as it was seen: its lead writes the rest of the status, and may have taken another one. */
  async #write({ metadata }: Image, rejected: readonly Rejection[], signal: AbortSignal): Promise<void> {
    const { name, namespace = 'default', resourceVersion } = metadata
    const target = { name, namespace, subresource: 'status' as const }
    try {
      const patch = { metadata: { resourceVersion }, status: { rejected } }
      await this.#client.patch(anyKind(imageKind), target, patch, signal)
      const { digest, message } = rejected.at(-1) ?? {}
      this.#ambient.log.info('image rejected', { image: objectKey(metadata), digest, message })
    } catch (error) {
      if (isReason(error, 'Conflict')) this.#loop.poke()
      else if (!isReason(error, 'NotFound')) throw error
    }
  }
}

/** Without what it wrote before it failed. */
function trimmed(container: Container): Container {
  const { rollout, image } = container.status ?? {}
  const { failed } = rollout ?? {}
  return {
    ...container,
    status: {
      ...(image !== undefined && { image }),
      ...(rollout !== undefined && {
        rollout: { ...rollout, ...(failed !== undefined && { failed: { ...failed, log: [], probes: [] } }) },
      }),
    },
  }
}

function verdictOf({ metadata, spec, status }: Container) {
  const { imageFrom } = spec
  const { rollout, image } = status ?? {}
  const { failed } = rollout ?? {}
  const verdict = failed && { image: failed.image, time: failed.time, generation: failed.generation }
  return { generation: metadata.generation, imageFrom, verdict, serves: image?.reference }
}

function rejectionsOf({ metadata, spec, status }: Image) {
  const { annotations, deletionTimestamp } = metadata
  return { annotations, deletionTimestamp, reference: spec.reference, rejected: status?.rejected }
}
