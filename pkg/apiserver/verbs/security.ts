/**
 * What a namespace's security level makes of a write: what it enforces is refused, what it warns of is said. Only what
 * a write changes is judged, so that an object from before the level was set can be placed, stopped and deleted.
 */

import { qualifiedResource, StatusError } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { objectKey } from '#pkg/apimachinery/meta.ts'
import { dockerfileInObject, ownNameOfBuild } from '#pkg/apis/build.said.ts'
import type { Build } from '#pkg/apis/build.ts'
import { containerKind } from '#pkg/apis/container.kind.ts'
import { sharedNetworkOf } from '#pkg/apis/container.network.ts'
import { namespaceKind } from '#pkg/apis/core.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import {
  type Control,
  controlsOf,
  describeViolations,
  harmlessDockerfile,
  type Level,
  levelLabels,
  levelOf,
  type Violation,
  violations,
} from '#pkg/apis/security.levels.ts'
import { fetchedByAdd, readersOf } from '#pkg/build/dockerfile/reach.ts'
import { type ApiObject, decodeObject, decodeWithoutManagers, headOf } from '../cache/encoded.ts'
import { isNamespaceKind } from '../http/request.ts'
import type { Context, Write } from './context.ts'
import { equalJson } from './equal.ts'

/** The warnings of the write. Throws Forbidden when the level of its namespace does not allow it. */
export function admitSecurity(context: Context, write: Write): string[] {
  if (isNamespaceKind(write.kind)) return warnOfNewLevel(context, write)
  const controls = controlsOf(write.kind)
  const namespace = write.object.metadata.namespace ?? ''
  if (controls.length === 0) return []
  const labels = context.cache.of(namespaceKind).get(namespace)?.labels ?? {}
  const enforced = levelOf(labels, levelLabels.enforce)
  const see = (object: ApiObject) => withNetworkOfOwner(context, asJudged(object))
  const refused = violationsOfWrite({ controls, level: enforced, see }, write)
  if (refused.length > 0) throw forbidden(write, enforced, refused)
  const warned = levelOf(labels, levelLabels.warn)
  const found = violationsOfWrite({ controls, level: warned, see }, write)
  return found.length === 0 ? [] : [`would violate ${standard(warned)}: ${describeViolations(found)}`]
}

const standard = (level: Level) => `PodSecurity "${level}:latest"`

interface Judging {
  readonly controls: readonly Control[]
  readonly level: Level
  /** As what the object is judged. */
  readonly see: (object: ApiObject) => ApiObject
}

/** As many as can share one network one through another; beyond that the engine refuses it. */
const mostOwners = 8

function asJudged(object: ApiObject): ApiObject {
  return object.kind === 'Build' ? withReach(object) : withoutOwnBuild(object)
}

/** With what is wrong with its Dockerfile in place of the text; without a text where the server cannot read it. */
function withReach(object: ApiObject): ApiObject {
  const { dockerfileInline: _, ...spec } = membersOf(object['spec'])
  const text = dockerfileInObject(asBuild(object).spec)
  const reach = text === undefined ? {} : { dockerfileInline: reachOf(text, asBuild(object).spec) }
  return { ...object, spec: { ...spec, ...reach } }
}

/** Whom everybody trusts to read Dockerfiles. */
const usualReader = /^(?:docker\.io\/)?docker\/dockerfile(?:[:@]\S*)?$/

function reachOf(text: string, { args }: Build['spec']): string {
  const reader = readersOf(text, args).find((name) => !usualReader.test(name))
  if (reader !== undefined) return `must not be read by ${JSON.stringify(reader)}: only by docker/dockerfile`
  const [fetched] = fetchedByAdd(text)
  if (fetched === undefined) return harmlessDockerfile
  const { line, source } = fetched
  return `must not ADD ${JSON.stringify(source)} (line ${line}): the node would fetch it, and not a step; RUN may`
}

/** The kind says that it is one, and its schema has accepted it. */
function asBuild(object: ApiObject): Build {
  return object as unknown as Build
}

/** The image that a Build of the namespace makes, by the name that no other namespace may give, is nobody's else. */
function withoutOwnBuild(object: ApiObject): ApiObject {
  if (object.kind !== 'Image') return object
  const { source, ...spec } = membersOf(object['spec'])
  const own = membersOf(source)['build'] === object.metadata.name
  return own && spec['reference'] === ownNameOfBuild(object.metadata) ? { ...object, spec } : object
}

/** Whoever shares the network of a Container from before the level has the node's own if that one has it. */
function withNetworkOfOwner(context: Context, object: ApiObject): ApiObject {
  const spec = membersOf(object['spec'])
  let mode = spec['networkMode']
  for (let left = mostOwners; left > 0; left--) {
    const name = typeof mode === 'string' ? sharedNetworkOf({ networkMode: mode }) : undefined
    if (name === undefined) break
    const { namespace = '' } = object.metadata
    const owner = context.cache.of(containerKind).get(objectKey({ namespace, name }))
    if (owner === undefined) break
    mode = membersOf(decodeObject(owner.text)['spec'])['networkMode']
  }
  return mode === spec['networkMode'] ? object : { ...object, spec: { ...spec, networkMode: mode } }
}

/** Those of the object, unless it had them all before and is not made anew for what changed. */
function violationsOfWrite({ controls, level, see }: Judging, { kind, object, before }: Write): Violation[] {
  const found = violations(controls, level, see(object))
  if (found.length === 0 || before === undefined) return found
  const known = new Set(violations(controls, level, see(before)).map(textOf))
  const changed = changedFields(before['spec'], object['spec'], 'spec')
  const anew = changed.some((field) => field !== placement && kind.changeOf?.(field) === 'recreate')
  return anew || found.some((violation) => !known.has(textOf(violation))) ? found : []
}

/** What a scheduler sets makes a container where there was none. */
const placement = 'spec.nodeName'

const textOf = ({ field, message }: Violation) => `${field} ${message}`

/** Paths of members that differ; lists are compared as a whole. */
function changedFields(before: unknown, after: unknown, path: string): string[] {
  if (equalJson(before, after)) return []
  if (!isPlainObject(before ?? {}) || !isPlainObject(after ?? {})) return [path]
  const [left, right] = [membersOf(before), membersOf(after)]
  const names = new Set([...Object.keys(left), ...Object.keys(right)])
  return [...names].flatMap((name) => changedFields(left[name], right[name], `${path}.${name}`))
}

function membersOf(value: unknown): Readonly<Record<string, unknown>> {
  return isPlainObject(value) ? value : {}
}

/** Worded as Kubernetes' admission words it. */
function forbidden({ kind, object }: Write, level: Level, found: readonly Violation[]): StatusError {
  const { name } = object.metadata
  const message = `${qualifiedResource(kind)} "${name}" is forbidden: violates ${standard(level)}: ${describeViolations(found)}`
  const causes = found.map(({ field, message: text }) => ({
    reason: 'FieldValueForbidden' as const,
    field,
    message: text,
  }))
  return new StatusError('Forbidden', message, { name, group: kind.group, kind: kind.plural, causes })
}

/** Nothing that is there is touched by a stricter level; who sets it should know what would be refused today. */
function warnOfNewLevel(context: Context, { object, before }: Write): string[] {
  const level = levelOf(object.metadata.labels ?? {}, levelLabels.enforce)
  const unchanged = level === levelOf(before?.metadata.labels ?? {}, levelLabels.enforce)
  if (before === undefined || unchanged || level === 'privileged') return []
  const namespace = object.metadata.name
  return context.kinds.flatMap((kind) => {
    const lines = existing(context, kind, namespace, level)
    if (lines.length === 0) return []
    const what = `existing ${kind.plural} in namespace "${namespace}" violate the new PodSecurity enforce level "${level}:latest"`
    return [what, ...lines]
  })
}

/** `web, db: privileged, hostPort`: those that violate the same controls together. */
function existing(context: Context, kind: Kind, namespace: string, level: Level): string[] {
  const controls = controlsOf(kind)
  if (controls.length === 0) return []
  const entries = context.cache.of(kind).select({ namespace, labelSelector: [], fieldSelector: [] })
  const unseen = entries.length - mostLookedAt
  const found = entries.slice(0, mostLookedAt).flatMap(({ name, text }) => {
    const object = asJudged(decodeWithoutManagers(headOf(kind), text))
    const names = new Set(violations(controls, level, object).map(({ control }) => control))
    return names.size === 0 ? [] : [{ name, controls: [...names].join(', ') }]
  })
  const lines = [...Map.groupBy(found, (one) => one.controls)].map(
    ([violated, of]) => `${namesOf(of.map(({ name }) => name))}: ${violated}`,
  )
  return unseen > 0 ? [...lines, `${unseen} more ${kind.plural} were not looked at`] : lines
}

/** Everybody else waits while they are read; as many as Kubernetes looks at. */
const mostLookedAt = 3000

/** A header is no place for a thousand names. */
const namesShown = 20

function namesOf(names: readonly string[]): string {
  const more = names.length - namesShown
  return names.slice(0, namesShown).join(', ') + (more > 0 ? ` and ${more} more` : '')
}
