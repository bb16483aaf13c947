/**
 * Single kinds, loaded when they are asked for: the schemas of all kinds take longer to load than most commands do
 * otherwise. A test holds the list equal to kinds.ts.
 */
import { apiVersionOf } from '#pkg/apimachinery/meta.ts'
import { anyKind, type Kind } from './kind.ts'

/** By its name, which no two kinds share. */
const files: Readonly<Record<string, () => Promise<Kind>>> = {
  Container: async () => anyKind((await import('./container.kind.ts')).containerKind),
  Volume: async () => anyKind((await import('./volume.ts')).volumeKind),
  Network: async () => anyKind((await import('./network.ts')).networkKind),
  Image: async () => anyKind((await import('./image.ts')).imageKind),
  Build: async () => anyKind((await import('./build.ts')).buildKind),
  Registry: async () => anyKind((await import('./registry.ts')).registryKind),
  PrunePolicy: async () => anyKind((await import('./prunepolicy.ts')).prunePolicyKind),
  Node: async () => anyKind((await import('./node.ts')).nodeKind),
  Namespace: async () => anyKind((await import('./core.ts')).namespaceKind),
  Secret: async () => anyKind((await import('./core.ts')).secretKind),
  ConfigMap: async () => anyKind((await import('./core.ts')).configMapKind),
  Event: async () => anyKind((await import('./event.ts')).eventKind),
  ServiceAccount: async () => anyKind((await import('./serviceaccount.ts')).serviceAccountKind),
  Role: async () => anyKind((await import('./rbac.ts')).roleKind),
  ClusterRole: async () => anyKind((await import('./rbac.ts')).clusterRoleKind),
  RoleBinding: async () => anyKind((await import('./rbac.ts')).roleBindingKind),
  ClusterRoleBinding: async () => anyKind((await import('./rbac.ts')).clusterRoleBindingKind),
  Lease: async () => anyKind((await import('./lease.ts')).leaseKind),
  ControllerRevision: async () => anyKind((await import('./controllerrevision.ts')).controllerRevisionKind),
}

export const kindNames: readonly string[] = Object.keys(files)

/** The kinds of these types; all there are when one of them is none of Cove's, so that it can be told what there is. */
export async function kindsOfTypes(
  types: readonly { readonly apiVersion: string; readonly kind: string }[],
): Promise<readonly Kind[]> {
  const names = [...new Set(types.map(({ kind }) => kind))]
  const found = await Promise.all(
    names.map((name) => (Object.hasOwn(files, name) ? files[name]?.() : undefined)),
  )
  const isKnown = (type: (typeof types)[number]) =>
    found.some((kind) => kind?.kind === type.kind && apiVersionOf(kind) === type.apiVersion)
  if (types.every(isKnown)) return found.filter((kind) => kind !== undefined)
  return (await import('./kinds.ts')).kinds
}
