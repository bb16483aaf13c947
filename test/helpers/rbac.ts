/** RBAC of a test: an index that holds the default roles and bindings, or rights given to users in few words. */

import { objectKey } from '#pkg/apimachinery/meta.ts'
import { anyKind, type Kind } from '#pkg/apis/kind.ts'
import { servedKinds } from '#pkg/apis/kinds.ts'
import { rbacGroup } from '#pkg/apis/rbac.rules.ts'
import {
  type ClusterRole,
  type ClusterRoleBinding,
  clusterRoleBindingKind,
  clusterRoleKind,
  type PolicyRule,
  type Role,
  type RoleBinding,
  roleBindingKind,
  roleKind,
} from '#pkg/apis/rbac.ts'
import type { Authorizer } from '#pkg/apiserver/access/authorizer.ts'
import { defaultRoles } from '#pkg/apiserver/access/defaultroles.ts'
import { RbacIndex } from '#pkg/apiserver/access/rbacindex.ts'

export type RbacObject = Role | ClusterRole | RoleBinding | ClusterRoleBinding

const kinds: Readonly<Record<RbacObject['kind'], Kind>> = {
  Role: anyKind(roleKind),
  ClusterRole: anyKind(clusterRoleKind),
  RoleBinding: anyKind(roleBindingKind),
  ClusterRoleBinding: anyKind(clusterRoleBindingKind),
}

/** As the cache tells the index of a change. */
export function tell(index: RbacIndex, object: RbacObject, gone = false): void {
  index.index(kinds[object.kind], objectKey(object.metadata), gone ? undefined : { ...object })
}

/** What a server holds after its first start. */
export function heldRbac(): RbacIndex {
  const index = new RbacIndex()
  const { roles, bindings } = defaultRoles(servedKinds)
  for (const object of [...roles, ...bindings]) tell(index, object)
  return index
}

const apiVersion = `${rbacGroup}/v1`

export function makeRole(name: string, rules: PolicyRule[], namespace?: string): Role | ClusterRole {
  const metadata = { name, ...(namespace !== undefined && { namespace }) }
  return { apiVersion, kind: namespace === undefined ? 'ClusterRole' : 'Role', metadata, rules }
}

export function makeBinding(
  name: string,
  options: {
    readonly role: string
    readonly kind?: 'Role' | 'ClusterRole'
    readonly subjects: RoleBinding['subjects']
    readonly namespace?: string
  },
): RoleBinding | ClusterRoleBinding {
  const { role, kind = 'ClusterRole', subjects, namespace } = options
  return {
    apiVersion,
    kind: namespace === undefined ? 'ClusterRoleBinding' : 'RoleBinding',
    metadata: { name, ...(namespace !== undefined && { namespace }) },
    roleRef: { apiGroup: rbacGroup, kind, name: role },
    ...(subjects !== undefined && { subjects }),
  }
}

/** Rules that hold everywhere, by the kind and name of who holds them. */
export function allowing(
  held: Readonly<Partial<Record<'User' | 'Group', Record<string, PolicyRule[]>>>>,
): Authorizer {
  const index = new RbacIndex()
  for (const [kind, byName] of Object.entries(held))
    for (const [name, rules] of Object.entries(byName)) {
      tell(index, makeRole(`${kind}-${name}`, rules))
      const subjects = [{ kind, apiGroup: rbacGroup, name }]
      tell(index, makeBinding(`${kind}-${name}`, { role: `${kind}-${name}`, subjects }))
    }
  return index.authorize
}
