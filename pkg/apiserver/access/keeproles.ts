/**
 * Makes the default roles and bindings at a start, and adds to those that are there what they lack. What somebody
 * added stays, and one that says `autoupdate: "false"` is left alone, as Kubernetes does.
 */
import { isReason } from '#pkg/apimachinery/errors.ts'
import { anyKind, type Kind } from '#pkg/apis/kind.ts'
import {
  type ClusterRole,
  type ClusterRoleBinding,
  clusterRoleBindingKind,
  clusterRoleKind,
  type Subject,
} from '#pkg/apis/rbac.ts'
import type { ApiObject } from '../cache/encoded.ts'
import { parseOptions } from '../http/options.ts'
import type { Context } from '../verbs/context.ts'
import { createObject } from '../verbs/create.ts'
import { mutate } from '../verbs/mutate.ts'
import { autoUpdate, defaultRoles } from './defaultroles.ts'
import { missingRights } from './rbaccover.ts'

type Default = ClusterRole | ClusterRoleBinding

export async function keepDefaultRoles(context: Context): Promise<void> {
  const { roles, bindings } = defaultRoles(context.kinds)
  for (const role of roles) await keep(context, anyKind(clusterRoleKind), role, completeRole)
  for (const binding of bindings)
    await keep(context, anyKind(clusterRoleBindingKind), binding, completeBinding)
}

async function keep<T extends Default>(
  context: Context,
  kind: Kind,
  wanted: T,
  complete: (current: T, wanted: T) => T,
): Promise<void> {
  const { name } = wanted.metadata
  if (context.cache.of(kind).get(name) === undefined && (await makeNew(context, kind, wanted))) return
  await mutate(context, {
    target: { kind, name },
    dryRun: false,
    decide: (object) => {
      const current = asDefault<T>(object)
      const frozen = current.metadata.annotations?.[autoUpdate] === 'false'
      return { object: frozen ? object : asObject(complete(current, wanted)), warnings: [] }
    },
  })
}

/** False: another server on the same storage was faster. */
async function makeNew(context: Context, kind: Kind, wanted: Default): Promise<boolean> {
  try {
    const options = parseOptions(new URLSearchParams(), kind)
    await createObject(context, { kind, options }, { ...wanted })
    return true
  } catch (error) {
    if (isReason(error, 'AlreadyExists')) return false
    throw error
  }
}

/** Pure. Rules of a role that collects them are the collector's. */
export function completeRole(current: ClusterRole, wanted: ClusterRole): ClusterRole {
  const kept = { ...current, metadata: completeMeta(current.metadata, wanted.metadata) }
  if (wanted.aggregationRule !== undefined) return { ...kept, aggregationRule: collected(current, wanted) }
  const lacking = wanted.rules.filter((rule) => missingRights(current.rules, [rule]).length > 0)
  return { ...kept, rules: [...current.rules, ...lacking] }
}

function collected(current: ClusterRole, wanted: ClusterRole): NonNullable<ClusterRole['aggregationRule']> {
  const known = current.aggregationRule?.clusterRoleSelectors ?? []
  const seen = new Set(known.map((selector) => JSON.stringify(selector)))
  const more = (wanted.aggregationRule?.clusterRoleSelectors ?? []).filter(
    (selector) => !seen.has(JSON.stringify(selector)),
  )
  return { clusterRoleSelectors: [...known, ...more] }
}

/** Pure. */
export function completeBinding(current: ClusterRoleBinding, wanted: ClusterRoleBinding): ClusterRoleBinding {
  const known = current.subjects ?? []
  const same = (left: Subject, right: Subject) => left.kind === right.kind && left.name === right.name
  const lacking = (wanted.subjects ?? []).filter((subject) => !known.some((other) => same(other, subject)))
  const metadata = completeMeta(current.metadata, wanted.metadata)
  return { ...current, metadata, subjects: [...known, ...lacking] }
}

function completeMeta(current: Default['metadata'], wanted: Default['metadata']): Default['metadata'] {
  return {
    ...current,
    labels: { ...wanted.labels, ...current.labels },
    annotations: { ...wanted.annotations, ...current.annotations },
  }
}

/** The kind says that it is one, and its schema has accepted it. */
function asDefault<T extends Default>(object: ApiObject): T {
  return object as unknown as T
}

function asObject(value: Default): ApiObject {
  return { ...value }
}
