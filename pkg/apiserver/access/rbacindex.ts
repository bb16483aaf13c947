/**
 * Roles and their bindings by who is bound, kept current by the cache. The rights of a subject in a namespace are
 * compiled when they are first asked for, and again after something changed that they are made of.
 */
import type { UserInfo } from '#pkg/apimachinery/transport.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import { rbacGroup } from '#pkg/apis/rbac.rules.ts'
import type { ClusterRole, PolicyRule, RoleBinding, RoleRef, Subject } from '#pkg/apis/rbac.ts'
import { serviceAccountUser } from '#pkg/apis/serviceaccount.ts'
import type { ApiObject } from '../cache/encoded.ts'
import type { Attributes } from './attributes.ts'
import { type Authorizer, noOpinion } from './authorizer.ts'
import { type CompiledRule, compileRule, type Grant, makeRights, type Rights, sourceOf } from './rbacrules.ts'

interface BoundSubject {
  readonly type: 'users' | 'groups'
  readonly name: string
  /** `User "bob"`. */
  readonly told: string
}

interface BindingFacts {
  /** The namespace in which it gives rights; "": everywhere. */
  readonly scope: string
  readonly roleRef: RoleRef
  /** Of the role that it gives. */
  readonly roleKey: string
  /** `RoleBinding "NAME/NAMESPACE" of Role "ROLE"`. */
  readonly told: string
  readonly subjects: readonly BoundSubject[]
}

/** What one subject holds in one scope. */
interface Held {
  /** With the words for this subject in each: `User "bob"`. */
  readonly bindings: Map<BindingFacts, string>
  /** Absent: to be put together. */
  known?: Known | undefined
}

interface Known {
  readonly grants: readonly Grant[]
  readonly rights: Rights
  /** Roles that are bound and not there, in words. */
  readonly missing: readonly string[]
}

type Holders = Map<string, Map<string, Held>>

export class RbacIndex {
  /** By the key of the role. */
  readonly #rules = new Map<string, readonly CompiledRule[]>()
  /** By kind and key of the binding. */
  readonly #bindings = new Map<string, BindingFacts>()
  readonly #byRole = new Map<string, Set<BindingFacts>>()
  /** By name, then by scope. */
  readonly #users: Holders = new Map()
  readonly #groups: Holders = new Map()

  /** An Indexer of the cache. */
  readonly index = (kind: Kind, key: string, object: ApiObject | undefined): void => {
    if (kind.group !== rbacGroup) return
    if (kind.kind === 'Role' || kind.kind === 'ClusterRole') this.#putRole(`${kind.kind}/${key}`, object)
    else this.#putBinding(`${kind.kind}/${key}`, object)
  }

  /** RBAC's opinion: it allows, or has none. */
  readonly authorize: Authorizer = (user, attributes) => {
    const scope = ('path' in attributes ? undefined : attributes.namespace) ?? ''
    const source =
      this.#sourceIn('', user, attributes) ??
      (scope === '' ? undefined : this.#sourceIn(scope, user, attributes))
    if (source !== undefined) return { verdict: 'allow', reason: `RBAC: allowed by ${source}` }
    const missing = this.#missing(user, scope)
    if (missing.length === 0) return noOpinion
    const list = missing.length === 1 ? missing[0] : `[${missing.join(', ')}]`
    return { verdict: 'no opinion', reason: `RBAC: ${list}` }
  }

  /** All rules that hold for the user in the namespace; "": those that hold everywhere. */
  rulesFor(user: UserInfo, namespace: string): PolicyRule[] {
    return this.#allHeld(user, namespace).flatMap(({ grants }) => grants.map(({ rule }) => rule.rule))
  }

  /** The rules of the role that a binding in `namespace` names; undefined when there is no such role. */
  rulesOf(ref: RoleRef, namespace: string): readonly PolicyRule[] | undefined {
    return this.#rules.get(roleKeyOf(ref, namespace))?.map(({ rule }) => rule)
  }

  #sourceIn(scope: string, { name, groups }: UserInfo, attributes: Attributes): string | undefined {
    const own = this.#users.get(name)?.get(scope)
    const source = own === undefined ? undefined : sourceOf(this.#known(own).rights, attributes)
    if (source !== undefined) return source
    for (const group of groups) {
      const held = this.#groups.get(group)?.get(scope)
      const given = held === undefined ? undefined : sourceOf(this.#known(held).rights, attributes)
      if (given !== undefined) return given
    }
    return undefined
  }

  #missing(user: UserInfo, scope: string): string[] {
    return this.#allHeld(user, scope).flatMap(({ missing }) => missing)
  }

  /** What is held everywhere, and in the scope besides. */
  #allHeld({ name, groups }: UserInfo, scope: string): Known[] {
    const holders = [this.#users.get(name), ...groups.map((group) => this.#groups.get(group))]
    const scopes = scope === '' ? [''] : ['', scope]
    return scopes.flatMap((one) =>
      holders.flatMap((byScope) => {
        const held = byScope?.get(one)
        return held === undefined ? [] : [this.#known(held)]
      }),
    )
  }

  #known(held: Held): Known {
    held.known ??= this.#putTogether(held)
    return held.known
  }

  #putTogether({ bindings }: Held): Known {
    const seen = new Set<string>()
    const [grants, missing] = [[] as Grant[], [] as string[]]
    for (const [{ roleKey, roleRef, told }, subject] of bindings) {
      // A role that is bound twice to the same subject gives nothing more.
      if (seen.has(roleKey)) continue
      seen.add(roleKey)
      const source = `${told} to ${subject}`
      const rules = this.#rules.get(roleKey)
      if (rules === undefined)
        missing.push(`${roleRef.kind.toLowerCase()}.${rbacGroup} "${roleRef.name}" not found`)
      for (const rule of rules ?? []) grants.push({ rule, source })
    }
    return { grants, rights: makeRights(grants), missing }
  }

  #putRole(key: string, object: ApiObject | undefined): void {
    if (object === undefined) this.#rules.delete(key)
    else this.#rules.set(key, (asRole(object).rules ?? []).map(compileRule))
    for (const binding of this.#byRole.get(key) ?? []) this.#forget(binding)
  }

  #putBinding(key: string, object: ApiObject | undefined): void {
    const before = this.#bindings.get(key)
    if (before !== undefined) this.#unbind(key, before)
    if (object !== undefined) this.#bind(key, factsOf(asBinding(object)))
  }

  #bind(key: string, facts: BindingFacts): void {
    this.#bindings.set(key, facts)
    entry(this.#byRole, facts.roleKey, () => new Set<BindingFacts>()).add(facts)
    for (const { type, name, told } of facts.subjects) {
      const scopes = entry(this.#holders(type), name, () => new Map<string, Held>())
      const held = entry(scopes, facts.scope, (): Held => ({ bindings: new Map() }))
      if (!held.bindings.has(facts)) held.bindings.set(facts, told)
      held.known = undefined
    }
  }

  #unbind(key: string, facts: BindingFacts): void {
    this.#bindings.delete(key)
    const bound = this.#byRole.get(facts.roleKey)
    bound?.delete(facts)
    if (bound?.size === 0) this.#byRole.delete(facts.roleKey)
    this.#forget(facts)
    for (const { type, name } of facts.subjects) {
      const scopes = this.#holders(type).get(name)
      const held = scopes?.get(facts.scope)
      held?.bindings.delete(facts)
      if (held?.bindings.size === 0) scopes?.delete(facts.scope)
      if (scopes?.size === 0) this.#holders(type).delete(name)
    }
  }

  #forget({ subjects, scope }: BindingFacts): void {
    for (const { type, name } of subjects) {
      const held = this.#holders(type).get(name)?.get(scope)
      if (held !== undefined) held.known = undefined
    }
  }

  #holders(type: BoundSubject['type']): Holders {
    return type === 'users' ? this.#users : this.#groups
  }
}

function entry<V>(map: Map<string, V>, key: string, make: () => V): V {
  const known = map.get(key)
  if (known !== undefined) return known
  const made = make()
  map.set(key, made)
  return made
}

function roleKeyOf({ kind, name }: RoleRef, namespace: string): string {
  return kind === 'Role' ? `Role/${namespace}/${name}` : `${kind}/${name}`
}

function factsOf({ kind, metadata, roleRef, subjects = [] }: RoleBinding): BindingFacts {
  const { name, namespace: scope = '' } = metadata
  return {
    scope,
    roleRef,
    roleKey: roleKeyOf(roleRef, scope),
    told: `${kind} "${scope === '' ? name : `${name}/${scope}`}" of ${roleRef.kind} "${roleRef.name}"`,
    subjects: subjects.flatMap((subject) => boundSubject(subject, scope) ?? []),
  }
}

/** A ServiceAccount is the user that its tokens name. */
function boundSubject({ kind, name, namespace }: Subject, scope: string): BoundSubject | undefined {
  const told = `${kind} "${name}"`
  if (kind === 'User') return { type: 'users', name, told }
  if (kind === 'Group') return { type: 'groups', name, told }
  const home = namespace === undefined || namespace === '' ? scope : namespace
  if (kind !== 'ServiceAccount' || home === '') return undefined
  return {
    type: 'users',
    name: serviceAccountUser(home, name),
    told: `${kind} "${name}/${home}"`,
  }
}

/** The kind says that it is one, and its schema has accepted it. */
function asRole(object: ApiObject): ClusterRole {
  return object as unknown as ClusterRole
}

function asBinding(object: ApiObject): RoleBinding {
  return object as unknown as RoleBinding
}
