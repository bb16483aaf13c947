/** Every kind that Cove stores, in the order of discovery: where two groups share a plural, the earlier one wins. */
import { buildKind } from './build.ts'
import { containerKind } from './container.kind.ts'
import { controllerRevisionKind } from './controllerrevision.ts'
import { configMapKind, namespaceKind, secretKind } from './core.ts'
import { eventKind } from './event.ts'
import { imageKind } from './image.ts'
import { anyKind, type Kind } from './kind.ts'
import { leaseKind } from './lease.ts'
import { networkKind } from './network.ts'
import { nodeKind } from './node.ts'
import { podKind } from './pod.kind.ts'
import { prunePolicyKind } from './prunepolicy.ts'
import { clusterRoleBindingKind, clusterRoleKind, roleBindingKind, roleKind } from './rbac.ts'
import { registryKind } from './registry.ts'
import { serviceAccountKind } from './serviceaccount.ts'
import { volumeKind } from './volume.ts'

export const kinds: readonly Kind[] = [
  anyKind(containerKind),
  anyKind(volumeKind),
  anyKind(networkKind),
  anyKind(imageKind),
  anyKind(buildKind),
  anyKind(registryKind),
  anyKind(prunePolicyKind),
  anyKind(nodeKind),
  anyKind(namespaceKind),
  anyKind(secretKind),
  anyKind(configMapKind),
  anyKind(eventKind),
  anyKind(serviceAccountKind),
  anyKind(roleKind),
  anyKind(clusterRoleKind),
  anyKind(roleBindingKind),
  anyKind(clusterRoleBindingKind),
  anyKind(leaseKind),
  anyKind(controllerRevisionKind),
]

/** What the server serves: besides the kinds that people write, those that only show others. */
export const servedKinds: readonly Kind[] = [...kinds, anyKind(podKind)]

export function findKind(gvk: { group: string; version: string; kind: string }): Kind | undefined {
  return kinds.find(
    (kind) => kind.group === gvk.group && kind.version === gvk.version && kind.kind === gvk.kind,
  )
}
