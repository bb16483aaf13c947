/**
 * Empties namespaces that are being deleted, then lets them go. One that cannot be emptied says in its conditions what
 * is left and who holds it.
 */
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import { isReason, messageOf } from '#pkg/apimachinery/errors.ts'
import { sameJson } from '#pkg/apimachinery/hash.ts'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { type Namespace, namespaceKind } from '#pkg/apis/core.ts'
import { anyKind, type Kind } from '#pkg/apis/kind.ts'
import { objectPath } from '#pkg/apis/paths.ts'
import { Informer } from '#pkg/client/informer.ts'
import { Loop } from '#pkg/client/loop.ts'
import type { Client } from '#pkg/client/rest.ts'
import { countLeft, type Left, terminatingConditions } from './namespace.plan.ts'

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
    const failures: string[] = []
    for (const kind of this.#kinds) failures.push(...(await this.#deleteAll(kind, name, signal)))
    const left: Left[] = []
    for (const kind of this.#kinds) left.push({ kind, objects: await this.#list(kind, name, signal) })
    const count = countLeft(left)
    await ignoreGone(
      count === 0 ? this.#finalize(namespace, signal) : this.#explain(namespace, { left, failures }, signal),
    )
    return count
  }

  /** Answers why objects could not be deleted; they are tried again with the next pass. */
  async #deleteAll(kind: Kind, namespace: string, signal: AbortSignal): Promise<string[]> {
    const failures: string[] = []
    for (const { metadata } of await this.#list(kind, namespace, signal)) {
      if (metadata.deletionTimestamp !== undefined) continue
      const { name, uid = '' } = metadata
      try {
        await ignoreGone(this.#client.delete(kind, { namespace, name, uid }, signal))
      } catch (error) {
        if (signal.aborted) throw error
        failures.push(messageOf(error))
      }
    }
    return failures
  }

  async #list(kind: Kind, namespace: string, signal: AbortSignal): Promise<readonly KubeObject[]> {
    return (await this.#client.list(kind, { namespace, metadataOnly: true }, signal)).items
  }

  async #explain(
    { metadata: { name }, status }: Namespace,
    found: { readonly left: readonly Left[]; readonly failures: readonly string[] },
    signal: AbortSignal,
  ): Promise<void> {
    const before = status?.conditions ?? []
    const conditions = terminatingConditions(before, found, this.#ambient.clock.now())
    if (sameJson(before, conditions)) return
    const target = { name, subresource: 'status' as const }
    await this.#client.patch(namespaceKind, target, { status: { conditions } }, signal)
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

async function ignoreGone(done: Promise<unknown>): Promise<void> {
  try {
    await done
  } catch (error) {
    if (!isReason(error, 'NotFound') && !isReason(error, 'Conflict')) throw error
  }
}
