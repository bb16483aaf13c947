/** Keeps the condition of each Registry: nodes tell of themselves only, and somebody has to say what that comes to. */
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { anyKind } from '#pkg/apis/kind.ts'
import { type Node, nodeKind } from '#pkg/apis/node.ts'
import { type Registry, registryKind } from '#pkg/apis/registry.ts'
import { Informer } from '#pkg/client/informer.ts'
import { Loop } from '#pkg/client/loop.ts'
import type { Client } from '#pkg/client/rest.ts'
import { planRegistry, type RegistryChange } from './registries.plan.ts'

export class RegistryController {
  readonly #client: Client
  readonly #ambient: Ambient
  readonly #registries: Informer<Registry>
  readonly #nodes: Informer<Node>
  readonly #loop: Loop

  constructor({ client, ambient }: { readonly client: Client; readonly ambient: Ambient }) {
    this.#client = client
    this.#ambient = ambient
    this.#loop = new Loop({ name: 'registries', ambient, settleMs: 20, pass: (signal) => this.#pass(signal) })
    const onChange = () => this.#loop.poke()
    this.#registries = new Informer({ client, kind: registryKind, ambient, onChange })
    this.#nodes = new Informer({
      client,
      kind: nodeKind,
      ambient,
      // Only which there are.
      trim: ({ apiVersion, kind, metadata, spec }) => ({ apiVersion, kind, metadata, spec }),
      matters: () => false,
      onChange,
    })
  }

  async run(signal: AbortSignal): Promise<void> {
    const running = [this.#registries.run(signal), this.#nodes.run(signal)]
    await Promise.all([this.#registries.synced(signal), this.#nodes.synced(signal)])
    await this.#loop.run(signal)
    await Promise.all(running)
  }

  async #pass(signal: AbortSignal): Promise<undefined> {
    const nodes = new Set([...this.#nodes.list()].map(({ metadata }) => metadata.name))
    for (const registry of this.#registries.list()) {
      const change = planRegistry(registry, { nodes, now: this.#ambient.clock.now() })
      if (change !== undefined) await this.#write(registry, change, signal)
    }
  }

  /** Of the Registry as it was seen: a node may have told something else since. */
  async #write({ metadata }: Registry, change: RegistryChange, signal: AbortSignal): Promise<void> {
    const { name, resourceVersion } = metadata
    try {
      const patch = { metadata: { resourceVersion }, status: change }
      await this.#client.patch(anyKind(registryKind), { name, subresource: 'status' }, patch, signal)
    } catch (error) {
      if (isReason(error, 'Conflict')) this.#loop.poke()
      else if (!isReason(error, 'NotFound')) throw error
    }
  }
}
