/** Whether an object is as somebody waits for it to be, and what is missing. Pure. */
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { type Condition, findCondition, type KubeObject } from '#pkg/apimachinery/meta.ts'
import { UsageError } from './errors.ts'
import { compilePath, printValue } from './jsonpath.ts'

export type Goal =
  | { readonly kind: 'ready' }
  | { readonly kind: 'condition'; readonly type: string; readonly status: string }
  | { readonly kind: 'delete' }
  | { readonly kind: 'jsonpath'; readonly find: (object: unknown) => unknown[]; readonly value?: string }

export interface Verdict {
  readonly state: 'met' | 'pending' | 'hopeless'
  /** What it waits for, or why it will not come. */
  readonly message: string
}

/** `condition=Ready`, `condition=Ready=false`, `delete`, `jsonpath={.status.phase}=Running`. Throws UsageError. */
export function parseGoal(text: string): Goal {
  if (text === 'delete') return { kind: 'delete' }
  const [form = '', rest] = splitOnce(text, '=')
  if (form === 'condition' && rest !== undefined && rest !== '') return conditionGoal(rest)
  if (form === 'jsonpath' && rest !== undefined && rest !== '') return jsonPathGoal(rest)
  throw new UsageError(
    `unrecognized condition "${text}": condition=TYPE[=STATUS], delete, or jsonpath={PATH}[=VALUE]`,
    'wait',
  )
}

/** `Healthy` or `Healthy=False`. */
export function conditionGoal(text: string): Goal {
  const [type = '', status = 'True'] = splitOnce(text, '=')
  return { kind: 'condition', type, status }
}

/** What `goal` says of the object as it is. `object` is undefined when it does not exist. */
export function judge(object: KubeObject | undefined, goal: Goal): Verdict {
  if (goal.kind === 'delete') {
    return object === undefined
      ? { state: 'met', message: 'gone' }
      : { state: 'pending', message: deletionText(object) }
  }
  if (object === undefined) return { state: 'hopeless', message: 'it does not exist' }
  const verdict = goal.kind === 'jsonpath' ? judgePath(object, goal) : judgeCondition(object, goal)
  if (verdict.state === 'met') return verdict
  const stalled = currentCondition(object, 'Stalled')
  return stalled?.status === 'True'
    ? { state: 'hopeless', message: stalled.message || stalled.reason }
    : verdict
}

function judgeCondition(object: KubeObject, goal: Goal & { kind: 'ready' | 'condition' }): Verdict {
  if (goal.kind === 'ready') {
    const simple = readyWithoutConditions(object)
    if (simple !== undefined) return simple
  }
  const { type, status } = goal.kind === 'ready' ? { type: 'Ready', status: 'True' } : goal
  const condition = currentCondition(object, type)
  if (condition === undefined) return { state: 'pending', message: `condition ${type} is not reported yet` }
  const met = condition.status.toLowerCase() === status.toLowerCase()
  return { state: met ? 'met' : 'pending', message: conditionText(condition) }
}

/** Kinds that are ready by being there, and containers that have done their work, or are not wanted to run. */
function readyWithoutConditions(object: KubeObject): Verdict | undefined {
  const conditioned = ['Container', 'Image', 'Build', 'Volume', 'Network', 'Registry', 'Node'].includes(
    object.kind,
  )
  if (!conditioned) return { state: 'met', message: 'exists' }
  const { status, spec, metadata } = object
  if (object.kind !== 'Container' || !isPlainObject(status) || !isPlainObject(spec)) return undefined
  const observed = Number(status['observedGeneration'] ?? 0) >= (metadata.generation ?? 0)
  if (!observed) return undefined
  const wanted = spec['state']
  if (typeof wanted === 'string' && wanted !== 'Running' && status['phase'] === wanted)
    return { state: 'met', message: `${wanted}, as spec.state says` }
  if (spec['restartPolicy'] !== 'Never' && spec['restartPolicy'] !== 'OnFailure') return undefined
  if (status['phase'] === 'Succeeded') return { state: 'met', message: 'Succeeded' }
  const failed = status['phase'] === 'Failed' && spec['restartPolicy'] === 'Never'
  return failed
    ? { state: 'hopeless', message: `it ended with exit code ${String(status['exitCode'] ?? '?')}` }
    : undefined
}

function judgePath(object: KubeObject, { find, value }: Goal & { kind: 'jsonpath' }): Verdict {
  const found = find(object)
  const text = found.map(printValue).join(' ')
  const met = value === undefined ? found.length > 0 && text !== '' : found.length === 1 && text === value
  return { state: met ? 'met' : 'pending', message: text === '' ? 'not set yet' : `is ${text}` }
}

/** A condition that speaks of an older spec says nothing yet. */
export function currentCondition(object: KubeObject, type: string): Condition | undefined {
  const status = isPlainObject(object.status) ? object.status : {}
  const conditions = Array.isArray(status['conditions']) ? (status['conditions'] as Condition[]) : []
  const condition = findCondition(conditions, type)
  const observed = condition?.observedGeneration ?? status['observedGeneration']
  const stale = typeof observed === 'number' && observed < (object.metadata.generation ?? 0)
  return stale ? undefined : condition
}

function conditionText({ reason, message }: Condition): string {
  if (message === '') return reason
  return reason === '' ? message : `${reason}: ${message}`
}

function deletionText({ metadata }: KubeObject): string {
  if (metadata.deletionTimestamp === undefined) return 'it is not being deleted'
  const finalizers = metadata.finalizers ?? []
  return finalizers.length === 0 ? 'terminating' : `waits for ${finalizers.join(', ')}`
}

function jsonPathGoal(text: string): Goal {
  const braced = /^(\{.*?\})(?:=(.*))?$/s.exec(text)
  const [path, value] = braced === null ? splitOnce(text, '=') : ([braced[1] ?? '', braced[2]] as const)
  const find = compilePath(path, 'wait')
  return {
    kind: 'jsonpath',
    find,
    ...(value !== undefined && { value: value.replace(/^(["'])(.*)\1$/, '$2') }),
  }
}

function splitOnce(text: string, separator: string): readonly [string, string | undefined] {
  const at = text.indexOf(separator)
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)]
}
