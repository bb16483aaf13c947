/** Every controller of the control plane, in one explicit list. */
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import { kinds } from '#pkg/apis/kinds.ts'
import type { Client } from '#pkg/client/rest.ts'
import { RoleAggregator } from './aggregation.ts'
import { BuildController } from './builds.ts'
import { expireEvents } from './expiry.ts'
import { GarbageCollector } from './garbage.ts'
import { ImageController } from './images.ts'
import { NamespaceController } from './namespace.ts'
import { RegistryController } from './registries.ts'
import { RevisionController } from './revisions.ts'
import { Scheduler } from './scheduler.ts'
import { type AccountTokenSource, TokenController } from './tokens.ts'
import { TtlController } from './ttl.ts'

/** Runs them all until the signal aborts. */
export async function runControllers(
  options: { client: Client; ambient: Ambient; accountTokens?: AccountTokenSource },
  signal: AbortSignal,
): Promise<void> {
  await Promise.all([
    new Scheduler(options).run(signal),
    new RoleAggregator(options).run(signal),
    new NamespaceController({ ...options, kinds }).run(signal),
    new GarbageCollector({ ...options, kinds }).run(signal),
    expireEvents(options, signal),
    new RevisionController(options).run(signal),
    new TokenController(options).run(signal),
    new TtlController(options).run(signal),
    new ImageController(options).run(signal),
    new BuildController(options).run(signal),
    new RegistryController(options).run(signal),
  ])
}
