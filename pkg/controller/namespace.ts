/** Empties namespaces that are being deleted, then lets them go. */
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { type Namespace, namespaceKind } from '#pkg/apis/core.ts'
import { anyKind, type Kind } from '#pkg/apis/kind.ts'
import { objectPath } from '#pkg/apis/paths.ts'
import { Informer } from '#pkg/client/informer.ts'
import { Loop } from '#pkg/client/loop.ts'
import type { Client } from '#pkg/client/rest.ts'

/** Contents that wait for their finalizers are looked at again after so many ms. */
const lookAgainAfter = 1000

export class NamespaceController {
  readonly #client: Client
  readonly #ambient: Ambient
  /** Kinds that live in namespaces. */
  readonly #kinds: readonly Kind[]
  readonly #namespaces: Informer<Namespace>
  readonly #loop: Loop

  constructor(options: { client: Client; ambient: Ambient; kinds: readonly Kind[] }) {
    this.#client = options.client
    this.#ambient = options.ambient
    this.#kinds = options.kinds.filter((kind) => kind.namespaced)
    this.#loop = new Loop({
      name: 'namespaces',
      ambient: options.ambient,
      pass: (signal) => this.#pass(signal),
    })
    const onChange = () => this.#loop.poke()
    this.#namespaces = new Informer({
      client: options.client,
      kind: namespaceKind,
      ambient: options.ambient,
      onChange,
    })
  }

  async run(signal: AbortSignal): Promise<void> {
    const running = this.#namespaces.run(signal)
    await this.#namespaces.synced(signal)
    await this.#loop.run(signal)
    await running
  }

  async #pass(signal: AbortSignal): Promise<number | undefined> {
    const leaving = [...this.#namespaces.list()].filter(
      ({ metadata }) => metadata.deletionTimestamp !== undefined,
    )
    const left = await Promise.all(leaving.map((namespace) => this.#empty(namespace, signal)))
    return left.some((count) => count > 0) ? this.#ambient.clock.now() + lookAgainAfter : undefined
  }

  /** Deletes what is in it; resolves to how much is still there. */
  async #empty(namespace: Namespace, signal: AbortSignal): Promise<number> {
    const { name } = namespace.metadata
    let left = 0
    for (const kind of this.#kinds) {
      const { items } = await this.#client.list(kind, { namespace: name }, signal)
      left += items.length
      const waiting = items.filter(({ metadata }) => metadata.deletionTimestamp === undefined)
      for (const { metadata } of waiting)
        await ignoreGone(this.#client.delete(kind, { ...metadata, namespace: name }, signal))
    }
    if (left === 0) await ignoreGone(this.#finalize(namespace, signal))
    return left
  }

  async #finalize(namespace: Namespace, signal: AbortSignal): Promise<void> {
    const path = `${objectPath(anyKind(namespaceKind), { name: namespace.metadata.name })}/finalize`
    const body = JSON.stringify({ ...namespace, spec: { ...namespace.spec, finalizers: [] } })
    await this.#client.json(
      { method: 'PUT', path, body, headers: { 'content-type': 'application/json' } },
      signal,
    )
  }
}

async function ignoreGone(done: Promise<void>): Promise<void> {
  try {
    await done
  } catch (error) {
    if (!isReason(error, 'NotFound') && !isReason(error, 'Conflict')) throw error
  }
}
