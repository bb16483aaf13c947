/** Keeps the rules of ClusterRoles that collect them from others, such as admin, edit and view. */
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { type ClusterRole, clusterRoleKind, type PolicyRule } from '#pkg/apis/rbac.ts'
import { Informer } from '#pkg/client/informer.ts'
import { Loop } from '#pkg/client/loop.ts'
import type { Client } from '#pkg/client/rest.ts'
import { planAggregation } from './aggregation.plan.ts'

export class RoleAggregator {
  readonly #client: Client
  readonly #roles: Informer<ClusterRole>
  readonly #loop: Loop

  constructor(options: { readonly client: Client; readonly ambient: Ambient }) {
    this.#client = options.client
    this.#loop = new Loop({
      name: 'role aggregation',
      ambient: options.ambient,
      pass: (signal) => this.#pass(signal),
    })
    this.#roles = new Informer({ ...options, kind: clusterRoleKind, onChange: () => this.#loop.poke() })
  }

  async run(signal: AbortSignal): Promise<void> {
    const running = this.#roles.run(signal)
    await this.#roles.synced(signal)
    await this.#loop.run(signal)
    await running
  }

  /** What one write makes necessary elsewhere, the next pass finds: the copy changes then. */
  async #pass(signal: AbortSignal): Promise<undefined> {
    for (const { role, rules } of planAggregation([...this.#roles.list()]))
      await this.#write(role, rules, signal)
  }

  /** The revision goes with it: rules made from an older role must not be written. */
  async #write({ metadata }: ClusterRole, rules: readonly PolicyRule[], signal: AbortSignal): Promise<void> {
    const { name, resourceVersion } = metadata
    try {
      await this.#client.patch(clusterRoleKind, { name }, { metadata: { resourceVersion }, rules }, signal)
    } catch (error) {
      // Changed or deleted meanwhile: the change comes, and with it the next pass.
      if (!isReason(error, 'Conflict') && !isReason(error, 'NotFound')) throw error
    }
  }
}
