/** Templates of `--format` applied to values, with Go's way of printing them, and Docker's functions. Pure. */
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { UsageError } from './errors.ts'
import {
  type Call,
  type Operand,
  type Pipeline,
  parseTemplate,
  TemplateError,
  type TemplatePart,
} from './gotemplateparse.ts'

export interface TemplateOptions {
  /** For messages. */
  readonly command: string
  /** The only fields that there are; absent: one that is not there prints `<no value>`. */
  readonly fields?: readonly string[]
}

/** `\t` and `\n` may be written with a backslash. Throws UsageError for a template that does not parse. */
export function compileTemplate(
  template: string,
  { command, fields }: TemplateOptions,
): (value: unknown) => string {
  const told = (error: unknown) =>
    error instanceof TemplateError
      ? new UsageError(`error parsing the template ${template}: ${error.message}`, command)
      : error
  try {
    const parts = parseTemplate(template.replaceAll('\\t', '\t').replaceAll('\\n', '\n'))
    return (value) => {
      try {
        return render(parts, { dot: value, root: value, ...(fields && { fields }) })
      } catch (error) {
        throw told(error)
      }
    }
  } catch (error) {
    throw told(error)
  }
}

interface Scope {
  readonly dot: unknown
  readonly root: unknown
  readonly fields?: readonly string[]
}

function render(parts: readonly TemplatePart[], scope: Scope): string {
  return parts.map((part) => renderPart(part, scope)).join('')
}

function renderPart(part: TemplatePart, scope: Scope): string {
  if (part.kind === 'text') return part.text
  const value = evaluate(part.pipeline, scope)
  if (part.kind === 'print') return goText(value)
  if (part.kind === 'if') return render(isTrue(value) ? part.body : part.otherwise, scope)
  if (!isTrue(value)) return render(part.otherwise, scope)
  if (part.kind === 'with') return render(part.body, { ...scope, dot: value })
  return membersOf(value)
    .map((dot) => render(part.body, { ...scope, dot }))
    .join('')
}

function evaluate(pipeline: Pipeline, scope: Scope): unknown {
  return pipeline.reduce<unknown>((before, call, index) => {
    const values = call.operands.map((operand) => operandValue(operand, scope))
    return apply(call, index === 0 ? values : [...values, before])
  }, undefined)
}

function operandValue(operand: Operand, scope: Scope): unknown {
  if (operand.kind === 'literal') return operand.value
  if (operand.kind === 'pipeline') return follow(operand.names, evaluate(operand.pipeline, scope))
  const start = operand.fromRoot ? scope.root : scope.dot
  const [first] = operand.names
  if (first !== undefined && start === scope.root && scope.fields?.includes(first) === false)
    throw new TemplateError(`there is no field .${first}: one of ${scope.fields.join(', ')}`)
  return follow(operand.names, start)
}

function follow(names: readonly string[], from: unknown): unknown {
  return names.reduce<unknown>(
    (value, name) => (isPlainObject(value) && Object.hasOwn(value, name) ? value[name] : undefined),
    from,
  )
}

function apply({ name }: Call, values: readonly unknown[]): unknown {
  if (name === undefined) return values[0]
  const known = Object.hasOwn(functions, name) ? functions[name] : undefined
  if (known === undefined)
    throw new TemplateError(`there is no function ${name}: one of ${Object.keys(functions).join(', ')}`)
  return known(values)
}

type TemplateFunction = (values: readonly unknown[]) => unknown

const functions: Readonly<Record<string, TemplateFunction>> = {
  json: ([value]) => JSON.stringify(value ?? null),
  upper: ([value]) => goText(value).toUpperCase(),
  lower: ([value]) => goText(value).toLowerCase(),
  title: ([value]) => goText(value).replace(/(^|\s)\S/g, (letter) => letter.toUpperCase()),
  join: ([values, separator]) => membersOf(values).map(goText).join(goText(separator)),
  split: ([text, separator]) => goText(text).split(goText(separator)),
  truncate: ([text, length]) => goText(text).slice(0, Number(length)),
  len: ([value]) => (typeof value === 'string' ? Buffer.byteLength(value) : membersOf(value).length),
  index: ([from, ...keys]) => keys.reduce<unknown>(memberOf, from),
  print: (values) => values.map(goText).join(' '),
  println: (values) => `${values.map(goText).join(' ')}\n`,
  printf: ([format, ...values]) => formatted(goText(format), values),
  not: ([value]) => !isTrue(value),
  and: (values) => values.find((value) => !isTrue(value)) ?? values.at(-1),
  or: (values) => values.find(isTrue) ?? values.at(-1),
  eq: ([first, ...others]) => others.some((other) => other === first),
  ne: ([first, second]) => first !== second,
  lt: ([first, second]) => isLess(first, second),
  le: ([first, second]) => !isLess(second, first),
  gt: ([first, second]) => isLess(second, first),
  ge: ([first, second]) => !isLess(first, second),
}

function isLess(first: unknown, second: unknown): boolean {
  if (typeof first === 'number' && typeof second === 'number') return first < second
  return goText(first) < goText(second)
}

function memberOf(from: unknown, key: unknown): unknown {
  if (Array.isArray(from) && typeof key === 'number') return from[key]
  return typeof key === 'string' ? follow([key], from) : undefined
}

/** `%s`, `%v`, `%d`, `%q` and `%%`, with a width. */
function formatted(format: string, values: readonly unknown[]): string {
  let next = 0
  return format.replace(/%(-?)(\d{0,3})([svdq%])/g, (_, left: string, width: string, verb: string) => {
    if (verb === '%') return '%'
    const value = values[next++]
    const text = verb === 'q' ? JSON.stringify(goText(value)) : goText(value)
    return left === '-' ? text.padEnd(Number(width)) : text.padStart(Number(width))
  })
}

function membersOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value
  return isPlainObject(value) ? sortedEntries(value).map(([, member]) => member) : []
}

function isTrue(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0
  if (isPlainObject(value)) return Object.keys(value).length > 0
  return value !== undefined && value !== null && value !== false && value !== 0 && value !== ''
}

/** As Go prints a value: `[a b]`, `map[a:1 b:2]`. */
function goText(value: unknown): string {
  if (value === undefined || value === null) return '<no value>'
  if (Array.isArray(value)) return `[${value.map(goText).join(' ')}]`
  if (!isPlainObject(value)) return String(value)
  return `map[${sortedEntries(value)
    .map(([key, member]) => `${key}:${goText(member)}`)
    .join(' ')}]`
}

function sortedEntries(value: Readonly<Record<string, unknown>>): [string, unknown][] {
  return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
}
