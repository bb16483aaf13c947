/** JSONPath templates applied to objects, with kubectl's way of printing what they find. Pure. */
import { canonicalJson, isPlainObject } from '#pkg/apimachinery/hash.ts'
import { UsageError } from './errors.ts'
import {
  JsonPathError,
  type Operand,
  type Operator,
  parseTemplate,
  type Step,
  type TemplateNode,
} from './jsonpathparse.ts'

/** The template as a function. Throws UsageError when it does not parse. */
export function compileJsonPath(template: string, command: string): (value: unknown) => string {
  try {
    const nodes = parseTemplate(template)
    return (value) => render(nodes, value, value)
  } catch (error) {
    if (!(error instanceof JsonPathError)) throw error
    throw new UsageError(`error parsing jsonpath ${template}: ${error.message}`, command)
  }
}

/** The values a path such as `.status.phase` or `{.status.phase}` finds. Throws UsageError. */
export function compilePath(path: string, command: string): (value: unknown) => unknown[] {
  const bare = path.replace(/^\{(.*)\}$/s, '$1')
  const dotted = /^[.[$@]/.test(bare) ? bare : `.${bare}`
  try {
    const [node, more] = parseTemplate(`{${dotted}}`)
    if (node?.kind !== 'print' || more !== undefined) throw new JsonPathError('one path is expected')
    return (value) => evaluate(node.operand, value, value)
  } catch (error) {
    if (!(error instanceof JsonPathError)) throw error
    throw new UsageError(`error parsing jsonpath ${path}: ${error.message}`, command)
  }
}

/** Strings as they are, everything else as JSON. */
export function printValue(value: unknown): string {
  if (typeof value === 'string') return value
  return value === undefined ? '' : canonicalJson(value)
}

function render(nodes: readonly TemplateNode[], current: unknown, root: unknown): string {
  return nodes
    .map((node) => {
      if (node.kind === 'text') return node.text
      const values = evaluate(node.operand, current, root)
      if (node.kind === 'print') return values.map(printValue).join(' ')
      return values.map((value) => render(node.body, value, root)).join('')
    })
    .join('')
}

/** Each ".." may find everything once more: a few of them on a small object find more than any memory holds. */
const maxValues = 1_000_000

function evaluate(operand: Operand, current: unknown, root: unknown): unknown[] {
  if (operand.kind === 'literal') return [operand.value]
  return operand.steps.reduce<unknown[]>(
    (values, step) => takeEach(step, values, root),
    [operand.fromRoot ? root : current],
  )
}

function takeEach(step: Step, values: readonly unknown[], root: unknown): unknown[] {
  const found: unknown[] = []
  for (const value of values) {
    for (const member of take(step, value, root)) found.push(member)
    if (found.length > maxValues) throw new UsageError(`the jsonpath finds more than ${maxValues} values`)
  }
  return found
}

function take(step: Step, value: unknown, root: unknown): unknown[] {
  switch (step.kind) {
    case 'field':
      return takeFields([step.name], value)
    case 'fields':
      return step.names.length === 0 ? [value] : takeFields(step.names, value)
    case 'all':
      return members(value)
    case 'recursive':
      return descendants(value)
    case 'indexes':
      return Array.isArray(value) ? step.indexes.flatMap((index) => present(value.at(index))) : []
    case 'slice':
      return Array.isArray(value)
        ? value.slice(step.from, step.to).filter((_, index) => index % (step.step ?? 1) === 0)
        : []
    case 'filter':
      return members(value).filter((member) => passes(step, member, root))
    default:
      return []
  }
}

function takeFields(names: readonly string[], value: unknown): unknown[] {
  return isPlainObject(value)
    ? names.flatMap((name) => (Object.hasOwn(value, name) ? present(value[name]) : []))
    : []
}

function present(value: unknown): unknown[] {
  return value === undefined ? [] : [value]
}

function members(value: unknown): unknown[] {
  if (Array.isArray(value)) return value
  return isPlainObject(value) ? Object.values(value) : []
}

function descendants(value: unknown): unknown[] {
  return [value, ...members(value).flatMap(descendants)]
}

function passes(filter: Step & { kind: 'filter' }, member: unknown, root: unknown): boolean {
  const [left] = evaluate(filter.left, member, root)
  if (filter.operator === undefined || filter.right === undefined) return left !== undefined
  const [right] = evaluate(filter.right, member, root)
  return left !== undefined && right !== undefined && compare(left, right, filter.operator)
}

function compare(left: unknown, right: unknown, operator: Operator): boolean {
  const numbers = typeof left === 'number' && typeof right === 'number'
  const [a, b] = numbers ? [left, right] : [printValue(left), printValue(right)]
  switch (operator) {
    case '==':
      return a === b
    case '!=':
      return a !== b
    case '<':
      return a < b
    case '<=':
      return a <= b
    case '>':
      return a > b
    default:
      return a >= b
  }
}
