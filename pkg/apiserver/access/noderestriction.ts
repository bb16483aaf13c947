/**
 * What a node may change in what it may write, as Kubernetes' admission plugin NodeRestriction: the status of what it
 * holds, its own finalizer off, its own Node's status, and events about what is its own. The last word before a write
 * is stored; whether a node may write an object at all is decided before.
 */
import { qualifiedResource, StatusError } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import type { UserInfo } from '#pkg/apimachinery/transport.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import { applyDefaults, prune } from '#pkg/apis/normalize.ts'
import { nodeFinalizer } from '#pkg/apis/wellknown.ts'
import type { ApiObject } from '../cache/encoded.ts'
import type { Admit, Write } from '../verbs/context.ts'
import { equalJson } from '../verbs/equal.ts'
import type { Authorizer } from './authorizer.ts'
import { nodeOf } from './nodeauthorizer.ts'
import { asEvent, hostOf, type NodeIndex, objectID } from './nodeindex.ts'

export interface RestrictionOptions {
  readonly index: NodeIndex
  /** Those besides the nodes' own rules: what they allow is not restricted here. */
  readonly others: Authorizer
}

/** Throws Forbidden for a write of a node that goes beyond what is its own. */
export function restrictNodes({ index, others }: RestrictionOptions): Admit {
  return (user, write) => {
    const node = nodeOf(user)
    if (node === undefined || mayOtherwise(others, user, write)) return
    const why = whyNot(node, write, index)
    if (why !== undefined) throw forbidden(write, `node "${node}" is not allowed to ${why}`)
  }
}

/** A role that an administrator bound to nodes, say. */
function mayOtherwise(others: Authorizer, user: UserInfo, { kind, object, before }: Write): boolean {
  const { name, namespace } = object.metadata
  const attributes = {
    verb: before === undefined ? 'create' : 'update',
    group: kind.group,
    resource: kind.plural,
    name,
    ...(namespace !== undefined && { namespace }),
  }
  return others(user, attributes).verdict === 'allow'
}

/** What it is not allowed to, in words; undefined: it is. */
function whyNot(node: string, write: Write, index: NodeIndex): string | undefined {
  const { kind, object, before } = write
  if (kind.group === '' && kind.kind === 'Event') return whyNotEvent(node, write, index)
  if (before === undefined) return kind.kind === 'Node' ? whyNotFirst(node, object) : 'create it'
  const touched = changedBeyondStatus(kind, before, object)
  if (touched !== undefined) return `modify ${touched}`
  if (!dropsAtMost(nodeFinalizer(node), before, object))
    return `modify finalizers other than ${nodeFinalizer(node)}`
  const share = shared[kind.kind]
  return share === undefined ? undefined : whyNotShared(node, { before, after: object, share })
}

/** The name of its certificate, and nothing by which Containers could be drawn to it. */
function whyNotFirst(node: string, { metadata, spec }: ApiObject): string | undefined {
  if (metadata.name !== node) return `create node "${metadata.name}"`
  const { labels = {}, annotations, finalizers, ownerReferences } = metadata
  const others = Object.entries(labels).filter(([key, value]) => key !== hostnameLabel || value !== node)
  if (others.length > 0) return `set the labels: ${others.map(([key]) => key).join(', ')}`
  if (isPlainObject(spec) && spec['unschedulable'] === true) return 'set spec.unschedulable'
  const more = [annotations, finalizers, ownerReferences].some(
    (part) => part !== undefined && Object.keys(part).length > 0,
  )
  return more ? 'set annotations, finalizers or owner references' : undefined
}

/** Every node has to do with all of them. */
const forAllNodes: ReadonlySet<string> = new Set(['Registry', 'PrunePolicy'])

const hostnameLabel = 'kubernetes.io/hostname'

/** By its host it says who wrote it; what it is about must be the node's own, or must have been until lately. */
function whyNotEvent(node: string, { object, before }: Write, index: NodeIndex): string | undefined {
  const event = asEvent(object)
  const { involvedObject: about, source, reportingInstance } = event
  const hosts = [source?.host, reportingInstance].filter((host) => host !== undefined && host !== '')
  if (hostOf(event) !== node || hosts.some((host) => host !== node))
    return `write events of the host "${hosts.find((host) => host !== node) ?? ''}"`
  if (before !== undefined && equalJson(asEvent(before).involvedObject, about)) return undefined
  const { kind = '', namespace, name = '' } = about
  if ((namespace ?? 'default') !== object.metadata.namespace)
    return `write events about the namespace "${namespace ?? 'default'}" in another one`
  if ((kind === 'Node' && name === node) || forAllNodes.has(kind)) return undefined
  const id = objectID(kind, namespace, name)
  return index.holds(node, id) || index.heldLately(node, id)
    ? undefined
    : `write events about ${kind} ${namespace ?? ''}/${name}`
}

/** The first part of the object that differs, apart from status, finalizers and what the server keeps. */
function changedBeyondStatus(kind: Kind, before: ApiObject, after: ApiObject): string | undefined {
  const changed = firstChange(before, after)
  // What an older version stored is completed by whoever writes it next.
  return changed === undefined ? undefined : firstChange(completed(kind, before), after)
}

function completed(kind: Kind, object: ApiObject): ApiObject {
  const whole = asApiObject(applyDefaults(kind.schema, prune(kind.schema, object)))
  return asApiObject(kind.prepare?.(whole) ?? whole)
}

/** The schema's own defaults keep an object what it is. */
function asApiObject(value: unknown): ApiObject {
  return value as ApiObject
}

function firstChange(before: ApiObject, after: ApiObject): string | undefined {
  const { metadata: metaBefore, status: _before, ...restBefore } = before
  const { metadata: metaAfter, status: _after, ...restAfter } = after
  return (
    firstDifference(restBefore, restAfter, '') ??
    firstDifference(kept(metaBefore), kept(metaAfter), 'metadata.')
  )
}

function kept(metadata: ApiObject['metadata']): Readonly<Record<string, unknown>> {
  const {
    finalizers: _finalizers,
    managedFields: _fields,
    resourceVersion: _revision,
    generation: _generation,
    ...rest
  } = metadata
  return rest
}

type Fields = Readonly<Record<string, unknown>>

function firstDifference(before: Fields, after: Fields, prefix: string): string | undefined {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])]
  const name = names.find((field) => !equalJson(before[field], after[field]))
  return name === undefined ? undefined : `${prefix}${name}`
}

function dropsAtMost(finalizer: string, before: ApiObject, after: ApiObject): boolean {
  const without = (object: ApiObject) => (object.metadata.finalizers ?? []).filter((one) => one !== finalizer)
  const added =
    after.metadata.finalizers?.includes(finalizer) === true &&
    before.metadata.finalizers?.includes(finalizer) !== true
  return !added && equalJson(without(before), without(after))
}

/** Whether the node speaks of the object as a whole too. */
type Speaks = (node: string, object: ApiObject) => boolean

/** Kinds of which several nodes tell: each speaks of its own part. */
const shared: Readonly<Record<string, Speaks>> = {
  Network: () => true,
  Image: (node, { spec }) => isPlainObject(spec) && spec['nodeName'] === node,
  Registry: () => false,
  PrunePolicy: () => false,
}

interface SharedWrite {
  readonly before: ApiObject
  readonly after: ApiObject
  readonly share: Speaks
}

function whyNotShared(node: string, { before, after, share }: SharedWrite): string | undefined {
  const [was, is] = [nodesIn(before), nodesIn(after)]
  const others = [...new Set([...Object.keys(was), ...Object.keys(is)])].filter((name) => name !== node)
  const changed = others.find((name) => !equalJson(was[name], is[name]))
  if (changed !== undefined) return `modify the status of node "${changed}"`
  if (share(node, before)) return undefined
  const beyond = firstDifference(wholeOf(before), wholeOf(after), 'status.')
  return beyond === undefined ? undefined : `modify ${beyond}: it is not this node's to say`
}

/** Status apart from what it says of nodes. */
function wholeOf({ status }: ApiObject): Fields {
  if (!isPlainObject(status)) return {}
  const { nodes: _nodes, ...rest } = status
  return rest
}

function nodesIn({ status }: ApiObject): Fields {
  const nodes = isPlainObject(status) ? status['nodes'] : undefined
  return isPlainObject(nodes) ? nodes : {}
}

function forbidden({ kind, object: { metadata } }: Write, why: string): StatusError {
  const { name } = metadata
  const details = { name, group: kind.group, kind: kind.plural }
  return new StatusError('Forbidden', `${qualifiedResource(kind)} "${name}" is forbidden: ${why}`, details)
}
