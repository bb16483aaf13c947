/**
 * Sets of fields in Kubernetes' FieldsV1 form: a trie whose keys are path elements. The trie is the JSON that
 * metadata.managedFields carries, so nothing is converted when it is read or written. Pure; sets are shared and never
 * changed, and an operation that takes nothing away or adds nothing gives back the very set it was given.
 *
 * Elements: `f:NAME` a field or a key of a map, `k:{"KEY":VALUE}` a list item by its keys, `v:VALUE` an item of a set,
 * `i:N` an item by its index, `.` the field itself. A node with nothing in it is a member too.
 */
import { canonicalJson, isPlainObject } from './hash.ts'

export interface FieldSet {
  readonly [element: string]: FieldSet
}

/** From the outermost element to the innermost. */
export type FieldPath = readonly string[]

const self = '.'
export const emptySet: FieldSet = {}
/** A member with nothing below it. */
export const leaf: FieldSet = emptySet

export function fieldElement(name: string): string {
  return `f:${name}`
}

/** Of a list item with these keys. */
export function keyElement(keys: Readonly<Record<string, unknown>>): string {
  const pairs = Object.keys(keys)
    .filter((name) => keys[name] !== undefined)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${valueText(keys[name])}`)
  return `k:{${pairs.join(',')}}`
}

export function valueElement(value: unknown): string {
  return `v:${valueText(value)}`
}

/** Nearly all are scalars, and those need no sorting. */
function valueText(value: unknown): string {
  return typeof value === 'object' ? canonicalJson(value) : JSON.stringify(value)
}

/** A node of the trie; undefined when there is nothing to say. */
export function fieldNode(member: boolean, children: FieldSet): FieldSet | undefined {
  if (isEmptySet(children)) return member ? leaf : undefined
  return member ? { [self]: leaf, ...children } : children
}

export function isEmptySet(set: FieldSet): boolean {
  for (const _element in set) return false
  return true
}

/** Whether the field that the node stands for is in the set itself, and not only fields below it. */
export function isMember(node: FieldSet | undefined): boolean {
  return node !== undefined && (node[self] !== undefined || isEmptySet(node))
}

export function union(left: FieldSet, right: FieldSet): FieldSet {
  if (left === right || isEmptySet(right)) return left
  if (isEmptySet(left)) return right
  return unionOfChildren(left, right)
}

function unionOfChildren(left: FieldSet, right: FieldSet): FieldSet {
  let result: Record<string, FieldSet> | undefined
  for (const element in right) {
    const mine = left[element]
    const theirs = right[element] ?? leaf
    const both = mine === undefined ? theirs : unionOfNodes(mine, theirs)
    if (both === mine) continue
    result ??= { ...left }
    result[element] = both
  }
  return result ?? left
}

function unionOfNodes(left: FieldSet, right: FieldSet): FieldSet {
  if (left === right) return left
  const children = unionOfChildren(left, right)
  if (isEmptySet(children) || children[self] !== undefined) return children
  return isEmptySet(left) || isEmptySet(right) ? { [self]: leaf, ...children } : children
}

/** The members of `left` that are no members of `right`. */
export function difference(left: FieldSet, right: FieldSet): FieldSet {
  return filtered(left, right, false)
}

/** The members that both have. */
export function intersection(left: FieldSet, right: FieldSet): FieldSet {
  let result: Record<string, FieldSet> | undefined
  for (const element in left) {
    const [mine, theirs] = [left[element], right[element]]
    if (element === self || mine === undefined || theirs === undefined) continue
    const node = fieldNode(isMember(mine) && isMember(theirs), intersection(mine, theirs))
    if (node === undefined) continue
    result ??= {}
    result[element] = node
  }
  return result ?? emptySet
}

function filtered(left: FieldSet, right: FieldSet, member: boolean): FieldSet {
  let result: Record<string, FieldSet> | undefined
  for (const element in right) {
    const mine = left[element]
    if (element === self || mine === undefined) continue
    const node = withoutNode(mine, right[element] ?? leaf)
    if (node === mine) continue
    result ??= { ...left }
    if (node === undefined) delete result[element]
    else result[element] = node
  }
  if (result === undefined) return left
  // What is left of a member whose children are gone is the member.
  if (member && Object.keys(result).length === 1 && result[self] !== undefined) return leaf
  return result
}

/** Undefined: nothing is left. */
function withoutNode(mine: FieldSet, theirs: FieldSet): FieldSet | undefined {
  if (isEmptySet(mine)) return isMember(theirs) ? undefined : mine
  const kept = isMember(mine) && !isMember(theirs)
  const children = filtered(mine, theirs, kept)
  if (kept || children[self] === undefined) return isEmptySet(children) && !kept ? undefined : children
  const { [self]: _self, ...others } = children
  return isEmptySet(others) ? undefined : others
}

/** Whether every member of `inner` is one of `outer`. */
export function includes(outer: FieldSet, inner: FieldSet): boolean {
  return isEmptySet(difference(inner, outer))
}

/** Whether both have the same members. */
export function sameSet(left: FieldSet, right: FieldSet): boolean {
  return left === right || (includes(left, right) && includes(right, left))
}

/** Every member, in the order in which Kubernetes tells them: members of a node before what is below them. */
export function pathsOf(set: FieldSet, above: FieldPath = []): FieldPath[] {
  const elements = Object.keys(set)
    .filter((element) => element !== self)
    .sort(byElement)
  const at = (element: string) => set[element] ?? leaf
  const members = elements.filter((element) => isMember(at(element))).map((element) => [...above, element])
  return [...members, ...elements.flatMap((element) => pathsOf(at(element), [...above, element]))]
}

const kindOrder = ['f', 'k', 'v', 'i']

function byElement(left: string, right: string): number {
  const kinds = kindOrder.indexOf(left.charAt(0)) - kindOrder.indexOf(right.charAt(0))
  if (kinds !== 0) return kinds
  return left < right ? -1 : left > right ? 1 : 0
}

/** `.spec.env[name="A"].value`, as Kubernetes prints paths. */
export function printPath(path: FieldPath): string {
  return path.map(printElement).join('')
}

function printElement(element: string): string {
  const rest = element.slice(2)
  switch (element.slice(0, 2)) {
    case 'f:':
      return `.${rest}`
    case 'v:':
      return `[=${rest}]`
    case 'k:':
      return `[${printKeys(JSON.parse(rest))}]`
    default:
      return `[${rest}]`
  }
}

function printKeys(keys: unknown): string {
  if (!isPlainObject(keys)) return ''
  return Object.entries(keys)
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .join(',')
}

/** Whether the path is a member of the set. */
export function hasPath(set: FieldSet, path: FieldPath): boolean {
  let node: FieldSet | undefined = set
  for (const element of path) node = node?.[element]
  return path.length > 0 && isMember(node)
}

/** A set from outside, its keys in canonical form; undefined when it is none. The whole is no member of itself. */
export function parseFieldSet(value: unknown): FieldSet | undefined {
  const node = parseNode(value)
  if (node?.[self] === undefined) return node
  const { [self]: _whole, ...set } = node
  return set
}

function parseNode(value: unknown): FieldSet | undefined {
  if (!isPlainObject(value)) return undefined
  const result: Record<string, FieldSet> = {}
  for (const [text, below] of Object.entries(value)) {
    const element = parseElement(text)
    const node = parseNode(below)
    if (element === undefined || node === undefined || (element === self && !isEmptySet(node)))
      return undefined
    result[element] = node
  }
  return result
}

function parseElement(text: string): string | undefined {
  if (text === self || text.startsWith('f:')) return text
  if (/^i:-?\d+$/.test(text)) return text
  const json = /^[kv]:/.test(text) ? parseJson(text.slice(2)) : undefined
  if (json === undefined) return undefined
  if (text.startsWith('v:')) return valueElement(json.value)
  return isPlainObject(json.value) ? keyElement(json.value) : undefined
}

function parseJson(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) }
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
