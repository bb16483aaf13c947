/** One object as text for people: sections, conditions and health as tables, events last. Pure. */
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { humanDuration } from '#pkg/apimachinery/quantity.ts'
import { lastAppliedAnnotation } from '#pkg/apis/wellknown.ts'
import { buildSectioned, buildSections, isBuild } from './describe.build.ts'
import { ageText, viewEvents } from './eventrows.ts'
import { formatTable } from './table.ts'
import { whenText } from './why.times.ts'

type Json = Record<string, unknown>

const labelWidth = 14
/** Lines of a failed container; status has up to 200. */
const mostLines = 20
/** Parts of status that have sections of their own. */
const sectioned = 'conditions health lastAction next differences rollout healing'.split(' ')

/** Ages are reckoned from `now`; `node` is how the node of the object is, in sentences. */
export function describeObject(
  object: KubeObject,
  events: readonly KubeObject[],
  now: number,
  node: readonly string[] = [],
): string {
  const sections = [
    metadataSection(object, now),
    actionSection(object, now),
    nextSection(object, now),
    differenceSection(object),
    ...(node.length === 0 ? [] : [line('Node', node.join(' '))]),
    dataSection(object),
    accessSection(object),
    treeSection('Spec', object.spec),
    conditionSection(object, now),
    healthSection(object, now),
    rolloutSection(object, now),
    healingSection(object, now),
    buildSections(object, now),
    treeSection('Status', statusRest(object)),
    eventSection(events, now),
  ]
  return sections.join('')
}

function metadataSection({ apiVersion, kind, metadata }: KubeObject, now: number): string {
  const { [lastAppliedAnnotation]: _, ...annotations } = metadata.annotations ?? {}
  const owners = (metadata.ownerReferences ?? []).map((owner) => `${owner.kind}/${owner.name}`)
  return [
    line('Name', metadata.name),
    ...(metadata.namespace === undefined ? [] : [line('Namespace', metadata.namespace)]),
    line('Kind', `${kind} (${apiVersion})`),
    line('Labels', mapText(metadata.labels)),
    line('Annotations', mapText(annotations)),
    line('Created', timeText(metadata.creationTimestamp, now)),
    ...(metadata.deletionTimestamp === undefined
      ? []
      : [line('Deleting', timeText(metadata.deletionTimestamp, now))]),
    ...(owners.length === 0 ? [] : [line('Owned by', owners.join(', '))]),
    ...((metadata.finalizers ?? []).length === 0
      ? []
      : [line('Finalizers', (metadata.finalizers ?? []).join(', '))]),
  ].join('')
}

/** The last thing that was done to it, and why. */
function actionSection({ status }: KubeObject, now: number): string {
  const action = member(status, 'lastAction')
  if (!isPlainObject(action)) return ''
  const when = typeof action['time'] === 'string' ? ` (${timeText(action['time'], now)})` : ''
  return [
    line('Last action', `${String(action['action'])}${when}`),
    line('  because', String(action['cause'])),
  ].join('')
}

/** What comes next, because of what, and when. */
function nextSection({ status }: KubeObject, now: number): string {
  const next = member(status, 'next')
  if (!isPlainObject(next)) return ''
  const when = typeof next['time'] === 'string' ? ` at ${whenText(next['time'], now)}` : ''
  return [line('Next', `${String(next['action'])}${when}`), line('  because', String(next['cause']))].join('')
}

function differenceSection({ status }: KubeObject): string {
  const differences = objectsOf(member(status, 'differences'))
  if (differences.length === 0) return ''
  const columns = ['field', 'want', 'found', 'change']
  const rows = differences.map((difference) =>
    columns.map((name, index) => `${index === 0 ? '  ' : ''}${String(difference[name])}`),
  )
  return `Differences:\n${formatTable([['  FIELD', 'WANT', 'FOUND', 'CHANGE'], ...rows])}`
}

/** How the last change is going, with the last lines of what failed. */
function rolloutSection({ status }: KubeObject, now: number): string {
  const rollout = member(status, 'rollout')
  if (!isPlainObject(rollout)) return ''
  const { failed } = rollout
  const message = typeof rollout['message'] === 'string' ? `: ${rollout['message']}` : ''
  const since = whenText(textOf(rollout['since']), now)
  const first = line('Rollout', `${String(rollout['phase'])} since ${since}${message}`)
  if (!isPlainObject(failed)) return first
  const log = Array.isArray(failed['log']) ? failed['log'].slice(-mostLines) : []
  return [
    first,
    line('  failed', `${whenText(textOf(failed['time']), now)}: ${failed['reason']}: ${failed['message']}`),
    ...(log.length === 0 ? [] : [`  The last it wrote:\n${log.map((text) => `    ${text}\n`).join('')}`]),
  ].join('')
}

function healingSection({ status }: KubeObject, now: number): string {
  const healing = member(status, 'healing')
  const attempts = objectsOf(member(healing, 'attempts'))
  if (!isPlainObject(healing) || attempts.length === 0) return ''
  const held = textOf(healing['heldSince'])
  const tried = attempts.map(({ time, action }) => `${action} ${whenText(textOf(time), now)}`)
  return [
    line('Healing', tried.join(`\n${' '.repeat(labelWidth + 1)}`)),
    ...(held === undefined ? [] : [line('  held since', whenText(held, now))]),
    ...(healing['nextAt'] === undefined ? [] : [line('  next', whenText(textOf(healing['nextAt']), now))]),
  ].join('')
}

/** Of secrets only the sizes. */
function dataSection(object: KubeObject): string {
  const data: unknown = 'data' in object ? object.data : undefined
  if (!isPlainObject(data)) return ''
  const secret = object.kind === 'Secret'
  const lines = Object.entries(data).map(([key, value]) => {
    const text = String(value)
    const bytes = secret ? Buffer.from(text, 'base64').length : Buffer.byteLength(text)
    return secret || text.includes('\n') ? `  ${key}: ${bytes} bytes\n` : `  ${key}: ${text}\n`
  })
  return `Data:\n${lines.join('')}`
}

function conditionSection({ status }: KubeObject, now: number): string {
  const conditions = objectsOf(member(status, 'conditions'))
  if (conditions.length === 0) return ''
  const rows = conditions.map((condition) => [
    `  ${String(condition['type'])}`,
    String(condition['status']),
    String(condition['reason'] ?? ''),
    sinceText(condition['lastTransitionTime'], now),
    String(condition['message'] ?? ''),
  ])
  return `Conditions:\n${formatTable([['  TYPE', 'STATUS', 'REASON', 'SINCE', 'MESSAGE'], ...rows])}`
}

function healthSection({ status }: KubeObject, now: number): string {
  const health = member(status, 'health')
  if (!isPlainObject(health)) return ''
  const rows = objectsOf(health['log']).map((probe) => [
    `  ${sinceText(probe['end'], now)} ago`,
    String(probe['exitCode']),
    String(probe['output'] ?? '')
      .trim()
      .replaceAll('\n', ' '),
  ])
  const streak = Number(health['failingStreak'] ?? 0)
  const suffix = streak > 0 ? ` (${streak} failures in a row)` : ''
  const log = rows.length === 0 ? '' : formatTable([['  CHECKED', 'EXIT', 'OUTPUT'], ...rows])
  return `${line('Health', `${String(health['status'])}${suffix}`)}${log}`
}

function eventSection(events: readonly KubeObject[], now: number): string {
  if (events.length === 0) return line('Events', '<none>')
  const rows = viewEvents(events).map((event) => [
    `  ${event.type}`,
    event.reason,
    ageText(event, now),
    event.source,
    event.message,
  ])
  return `Events:\n${formatTable([['  TYPE', 'REASON', 'AGE', 'FROM', 'MESSAGE'], ...rows])}`
}

/** Of roles and bindings, which have no spec. */
function accessSection(object: KubeObject): string {
  const parts: [string, unknown][] = [
    ['Role', member(object, 'roleRef')],
    ['Aggregation', member(object, 'aggregationRule')],
  ]
  const lists: [string, Json[]][] = [
    ['Subjects', objectsOf(member(object, 'subjects'))],
    ['Rules', objectsOf(member(object, 'rules'))],
  ]
  return [
    ...parts.map(([title, value]) => treeSection(title, value)),
    ...lists.map(([title, items]) =>
      items.length === 0 ? '' : `${title}:\n${items.flatMap((item) => itemLines(item, '')).join('')}`,
    ),
  ].join('')
}

function treeSection(title: string, value: unknown): string {
  if (!isPlainObject(value) || Object.keys(value).length === 0) return ''
  return `${title}:\n${treeLines(value, '  ').join('')}`
}

/** What has no section of its own. */
function statusRest(object: KubeObject): Json {
  const { status } = object
  if (!isPlainObject(status)) return {}
  const shown = isBuild(object) ? [...sectioned, ...buildSectioned] : sectioned
  return Object.fromEntries(Object.entries(status).filter(([name]) => !shown.includes(name)))
}

function treeLines(value: Json, indent: string): string[] {
  return Object.entries(value).flatMap(([key, inner]) => {
    if (isPlainObject(inner) && Object.keys(inner).length > 0)
      return [`${indent}${key}:\n`, ...treeLines(inner, `${indent}  `)]
    const items = objectsOf(inner)
    if (items.length > 0) return [`${indent}${key}:\n`, ...items.flatMap((item) => itemLines(item, indent))]
    if (typeof inner === 'string' && inner.includes('\n')) {
      const lines = inner.replace(/\n+$/, '').split('\n')
      return [`${indent}${key}:\n`, ...lines.map((text) => `${indent}  ${text}\n`)]
    }
    const empty = Array.isArray(inner) ? inner.length === 0 : isPlainObject(inner)
    return empty ? [] : [`${indent}${key}: ${scalarText(inner)}\n`]
  })
}

/** `  - name: a`, further fields below. */
function itemLines(item: Json, indent: string): string[] {
  const lines = treeLines(item, `${indent}    `)
  return lines.map((text, index) => (index === 0 ? `${indent}  - ${text.trimStart()}` : text))
}

function scalarText(value: unknown): string {
  return Array.isArray(value) ? JSON.stringify(value) : String(value)
}

function line(label: string, value: string): string {
  return `${`${label}:`.padEnd(labelWidth)} ${value}\n`
}

function mapText(map: Readonly<Record<string, string>> | undefined): string {
  const entries = Object.entries(map ?? {})
  if (entries.length === 0) return '<none>'
  return entries.map(([key, value]) => `${key}=${value}`).join(`\n${' '.repeat(labelWidth + 1)}`)
}

function timeText(time: string | undefined, now: number): string {
  return time === undefined ? '<unknown>' : `${time} (${sinceText(time, now)} ago)`
}

function sinceText(time: unknown, now: number): string {
  return typeof time === 'string' ? humanDuration(now - Date.parse(time)) : '<unknown>'
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function member(value: unknown, key: string): unknown {
  return isPlainObject(value) ? value[key] : undefined
}

function objectsOf(value: unknown): Json[] {
  return Array.isArray(value) ? value.filter(isPlainObject) : []
}
