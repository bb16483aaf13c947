/**
 * Nobody gives away more than they hold: writing a role needs all of its rights, or the verb `escalate`; writing a
 * binding those of its role, or the verb `bind`. Rules and words are Kubernetes' own.
 */
import { notFound, qualifiedResource, StatusError } from '#pkg/apimachinery/errors.ts'
import type { UserInfo } from '#pkg/apimachinery/transport.ts'
import { rbacGroup } from '#pkg/apis/rbac.rules.ts'
import type { ClusterRole, PolicyRule, RoleBinding } from '#pkg/apis/rbac.ts'
import type { ApiObject } from '../cache/encoded.ts'
import type { Admit, Write } from '../verbs/context.ts'
import { equalJson } from '../verbs/equal.ts'
import { adminGroup } from './authenticate.ts'
import type { Authorizer } from './authorizer.ts'
import { compactRules, missingRights, mostPieces, piecesIn, ruleText, wordsText } from './rbaccover.ts'
import type { RbacIndex } from './rbacindex.ts'

export interface EscalationOptions {
  readonly rbac: Pick<RbacIndex, 'rulesFor' | 'rulesOf'>
  readonly authorize: Authorizer
}

const everything: readonly PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
]

/** Throws Forbidden for a write of a role or binding by which the user would give more than they hold. */
export function refuseEscalation(options: EscalationOptions): Admit {
  return (user, write) => {
    if (write.kind.group !== rbacGroup || user.groups.includes(adminGroup) || onlyKept(write)) return
    if (write.kind.kind === 'Role' || write.kind.kind === 'ClusterRole') admitRole(options, user, write)
    else admitBinding(options, user, write)
  }
}

/** Whoever may delete or clean up an object need not hold what is in it. */
function onlyKept({ object, before }: Write): boolean {
  return before !== undefined && equalJson(withoutUpkeep(before), withoutUpkeep(object))
}

function withoutUpkeep({ metadata, ...rest }: ApiObject): unknown {
  const {
    finalizers: _finalizers,
    ownerReferences: _owners,
    managedFields: _fields,
    resourceVersion: _revision,
    deletionTimestamp: _deletion,
    deletionGracePeriodSeconds: _grace,
    ...kept
  } = metadata
  return { ...rest, metadata: kept }
}

function admitRole({ rbac, authorize }: EscalationOptions, user: UserInfo, write: Write): void {
  const { kind, object, before } = write
  const { name, namespace } = object.metadata
  const attributes = {
    verb: 'escalate',
    group: rbacGroup,
    resource: kind.plural,
    name,
    ...(namespace !== undefined && { namespace }),
  }
  if (authorize(user, attributes).verdict === 'allow') return
  const held = rbac.rulesFor(user, namespace ?? '')
  demandRights(user, held, asRole(object).rules, write)
  const aggregates = [object, before].some((role) => role !== undefined && asRole(role).aggregationRule)
  if (aggregates && missingRights(held, everything).length > 0)
    throw forbidden(write, 'must have cluster-admin privileges to use an aggregationRule')
}

function admitBinding({ rbac, authorize }: EscalationOptions, user: UserInfo, write: Write): void {
  const { roleRef, metadata } = asBinding(write.object)
  const { namespace } = metadata
  const plural = roleRef.kind === 'Role' ? 'roles' : 'clusterroles'
  const attributes = {
    verb: 'bind',
    group: roleRef.apiGroup,
    resource: plural,
    name: roleRef.name,
    ...(namespace !== undefined && { namespace }),
  }
  if (authorize(user, attributes).verdict === 'allow') return
  const rules = rbac.rulesOf(roleRef, namespace ?? '')
  if (rules === undefined) throw notFound({ group: rbacGroup, plural }, roleRef.name)
  demandRights(user, rbac.rulesFor(user, namespace ?? ''), rules, write)
}

function demandRights(
  { name, groups }: UserInfo,
  held: readonly PolicyRule[],
  wanted: readonly PolicyRule[],
  write: Write,
): void {
  if (piecesIn(wanted) > mostPieces)
    throw forbidden(write, `the rules fall into more than ${mostPieces} rights, too many to compare`)
  const missing = missingRights(held, wanted)
  if (missing.length === 0) return
  const list = compactRules(missing).map(ruleText).toSorted().join('\n')
  const who = `user ${JSON.stringify(name)} (groups=${wordsText(groups)})`
  throw forbidden(write, `${who} is attempting to grant RBAC permissions not currently held:\n${list}`)
}

function forbidden({ kind, object: { metadata } }: Write, why: string): StatusError {
  const { name } = metadata
  const details = { name, group: kind.group, kind: kind.plural }
  return new StatusError('Forbidden', `${qualifiedResource(kind)} "${name}" is forbidden: ${why}`, details)
}

/** The kind says that it is one, and its schema has accepted it. */
function asRole(object: ApiObject): ClusterRole {
  return object as unknown as ClusterRole
}

function asBinding(object: ApiObject): RoleBinding {
  return object as unknown as RoleBinding
}
