/** Deletes finished Containers when their `ttlSecondsAfterFinished` is over: `docker run --rm` is that of 0. */
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { objectKey } from '#pkg/apimachinery/meta.ts'
import { containerKind } from '#pkg/apis/container.kind.ts'
import type { Container } from '#pkg/apis/container.ts'
import { Informer } from '#pkg/client/informer.ts'
import { Loop } from '#pkg/client/loop.ts'
import type { Client } from '#pkg/client/rest.ts'
import { dueAt, planTtl } from './ttl.plan.ts'

export class TtlController {
  readonly #client: Client
  readonly #ambient: Ambient
  readonly #containers: Informer<Container>
  readonly #loop: Loop

  constructor({ client, ambient }: { readonly client: Client; readonly ambient: Ambient }) {
    this.#client = client
    this.#ambient = ambient
    this.#loop = new Loop({ name: 'ttl', ambient, pass: (signal) => this.#pass(signal) })
    this.#containers = new Informer({
      client,
      kind: containerKind,
      ambient,
      keep: ({ spec }) => spec.ttlSecondsAfterFinished !== undefined,
      // Of one that is due every change counts: the deletion is of what was seen, and may have come too late for it.
      matters: (before, after) => dueAt(before) !== dueAt(after) || dueAt(after) !== undefined,
      onChange: () => this.#loop.poke(),
    })
  }

  async run(signal: AbortSignal): Promise<void> {
    const running = this.#containers.run(signal)
    await this.#containers.synced(signal)
    await this.#loop.run(signal)
    await running
  }

  async #pass(signal: AbortSignal): Promise<number | undefined> {
    const { expired, next } = planTtl(this.#containers.list(), this.#ambient.clock.now())
    for (const { metadata, spec } of expired) {
      await this.#delete(metadata, signal)
      const seconds = spec.ttlSecondsAfterFinished
      this.#ambient.log.info('finished container deleted', { container: objectKey(metadata), seconds })
    }
    return next
  }

  /** Only as it was seen: what was changed meanwhile may run again, and its change makes us look again. */
  async #delete({ name, namespace, uid, resourceVersion }: Container['metadata'], signal: AbortSignal) {
    const seen = {
      name,
      ...(namespace !== undefined && { namespace }),
      ...(uid !== undefined && { uid }),
      ...(resourceVersion !== undefined && { resourceVersion }),
    }
    try {
      await this.#client.delete(containerKind, seen, signal)
    } catch (error) {
      if (!isReason(error, 'NotFound') && !isReason(error, 'Conflict')) throw error
    }
  }
}
