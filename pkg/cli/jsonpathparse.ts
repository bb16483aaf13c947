/**
 * kubectl's JSONPath templates as a tree: text, `{expressions}` and `{range}` ... `{end}`. Grammar:
 * https://kubernetes.io/docs/reference/kubectl/jsonpath/. Pure.
 */

export type Step =
  | { readonly kind: 'field'; readonly name: string }
  | { readonly kind: 'fields'; readonly names: readonly string[] }
  | { readonly kind: 'all' }
  | { readonly kind: 'recursive' }
  | { readonly kind: 'indexes'; readonly indexes: readonly number[] }
  | { readonly kind: 'slice'; readonly from?: number; readonly to?: number; readonly step?: number }
  | {
      readonly kind: 'filter'
      readonly left: Operand
      readonly operator?: Operator
      readonly right?: Operand
    }

export type Operator = '==' | '!=' | '<' | '>' | '<=' | '>='

export type Operand =
  | { readonly kind: 'path'; readonly fromRoot: boolean; readonly steps: readonly Step[] }
  | { readonly kind: 'literal'; readonly value: string | number | boolean }

export type TemplateNode =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'print'; readonly operand: Operand }
  | { readonly kind: 'range'; readonly operand: Operand; readonly body: readonly TemplateNode[] }

/** What is wrong with a template, and where. */
export class JsonPathError extends Error {}

export function parseTemplate(template: string): readonly TemplateNode[] {
  const parser = new TemplateParser(template)
  return parser.parse()
}

type Flat =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'print' | 'range'; readonly operand: Operand }
  | { readonly kind: 'end' }

class TemplateParser {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  parse(): readonly TemplateNode[] {
    const flat: Flat[] = []
    while (this.#at < this.#text.length) {
      const open = this.#text.indexOf('{', this.#at)
      const end = open < 0 ? this.#text.length : open
      if (end > this.#at) flat.push({ kind: 'text', text: this.#text.slice(this.#at, end) })
      this.#at = open < 0 ? end : open + 1
      if (open >= 0) flat.push(...this.#action())
    }
    const { nodes, rest } = nest(flat, 0)
    if (rest < flat.length) throw new JsonPathError('{end} without {range}')
    return nodes
  }

  #action(): Flat[] {
    const found: Flat[] = []
    for (;;) {
      this.#skipSpace()
      if (this.#at >= this.#text.length) throw new JsonPathError('unclosed action: "}" is missing')
      if (this.#take('}')) return found
      found.push(this.#actionPart())
    }
  }

  #actionPart(): Flat {
    const word = /^(range|end)(?![\w-])/.exec(this.#rest())?.[1]
    if (word === undefined) return { kind: 'print', operand: this.#operand() }
    this.#at += word.length
    if (word === 'end') return { kind: 'end' }
    this.#skipSpace()
    return { kind: 'range', operand: this.#operand() }
  }

  #operand(): Operand {
    const literal = this.#literal()
    if (literal !== undefined) return literal
    const fromRoot = this.#take('$')
    const begun = fromRoot || this.#take('@')
    const steps = this.#steps()
    if (steps.length === 0 && !begun) {
      throw new JsonPathError(`unrecognized character at "${this.#rest().slice(0, 12)}"`)
    }
    return { kind: 'path', fromRoot, steps }
  }

  #literal(): Operand | undefined {
    const quote = this.#text[this.#at]
    if (quote === '"' || quote === "'") return { kind: 'literal', value: this.#quoted(quote) }
    const match = /^(?:-?\d+(?:\.\d+)?|true\b|false\b)/.exec(this.#rest())
    if (match === null) return undefined
    this.#at += match[0].length
    const word = match[0]
    return { kind: 'literal', value: word === 'true' || word === 'false' ? word === 'true' : Number(word) }
  }

  #quoted(quote: string): string {
    let value = ''
    for (this.#at++; this.#text[this.#at] !== quote; this.#at++) {
      const character = this.#text[this.#at]
      if (character === undefined) throw new JsonPathError('unterminated quoted string')
      value += character === '\\' ? unescaped(this.#text[++this.#at] ?? '') : character
    }
    this.#at++
    return value
  }

  #steps(): Step[] {
    const steps: Step[] = []
    for (;;) {
      if (this.#take('..')) {
        steps.push({ kind: 'recursive' })
        if (this.#text[this.#at] !== '[') steps.push(this.#name())
      } else if (this.#take('.')) {
        if (this.#text[this.#at] !== '[') steps.push(this.#name())
      } else if (this.#take('[')) {
        steps.push(this.#bracket())
      } else {
        return steps
      }
    }
  }

  #name(): Step {
    if (this.#take('*')) return { kind: 'all' }
    const match = /^(?:\\.|[^\s.[\](){}'"=!<>,|@$*?\\])+/.exec(this.#rest())
    // A lone "." is the value itself.
    if (match === null) return { kind: 'fields', names: [] }
    this.#at += match[0].length
    return { kind: 'field', name: match[0].replace(/\\(.)/g, '$1') }
  }

  #bracket(): Step {
    this.#skipSpace()
    if (this.#take('?(')) return this.#filter()
    const quote = this.#text[this.#at]
    if (quote === '"' || quote === "'") return this.#quotedNames()
    const close = this.#text.indexOf(']', this.#at)
    if (close < 0) throw new JsonPathError('unterminated array: "]" is missing')
    const inside = this.#text.slice(this.#at, close).trim()
    this.#at = close + 1
    return arrayStep(inside)
  }

  #quotedNames(): Step {
    const names: string[] = []
    do {
      this.#skipSpace()
      names.push(this.#quoted(this.#text[this.#at] ?? ''))
      this.#skipSpace()
    } while (this.#take(','))
    this.#expect(']')
    return { kind: 'fields', names }
  }

  #filter(): Step {
    this.#skipSpace()
    const left = this.#operand()
    this.#skipSpace()
    const operator = /^(==|!=|<=|>=|<|>)/.exec(this.#rest())?.[1]
    if (operator === undefined) {
      this.#expect(')')
      this.#expect(']')
      return { kind: 'filter', left }
    }
    this.#at += operator.length
    this.#skipSpace()
    const right = this.#operand()
    this.#skipSpace()
    this.#expect(')')
    this.#expect(']')
    return { kind: 'filter', left, operator: operator as Operator, right }
  }

  #rest(): string {
    return this.#text.slice(this.#at)
  }

  #skipSpace(): void {
    while (/\s/.test(this.#text[this.#at] ?? '')) this.#at++
  }

  #take(token: string): boolean {
    if (!this.#text.startsWith(token, this.#at)) return false
    this.#at += token.length
    return true
  }

  #expect(token: string): void {
    if (!this.#take(token)) throw new JsonPathError(`"${token}" is missing at "${this.#rest().slice(0, 12)}"`)
  }
}

/** `*`, `0`, `0,2`, `-1`, `1:3`, `::2`, or a bare name. */
function arrayStep(inside: string): Step {
  if (inside === '*') return { kind: 'all' }
  if (/^-?\d+(\s*,\s*-?\d+)*$/.test(inside))
    return { kind: 'indexes', indexes: inside.split(',').map(Number) }
  const slice = /^(-?\d+)?:(-?\d+)?(?::(\d+))?$/.exec(inside)
  if (slice === null) {
    if (/^[\w-]+$/.test(inside)) return { kind: 'field', name: inside }
    throw new JsonPathError(`invalid array index "${inside}"`)
  }
  const [, from, to, step] = slice
  return {
    kind: 'slice',
    ...(from !== undefined && { from: Number(from) }),
    ...(to !== undefined && { to: Number(to) }),
    ...(step !== undefined && { step: Number(step) }),
  }
}

function nest(flat: readonly Flat[], from: number): { nodes: TemplateNode[]; rest: number } {
  const nodes: TemplateNode[] = []
  let at = from
  for (; at < flat.length; at++) {
    const part = flat[at]
    if (part === undefined || part.kind === 'end') break
    if (part.kind === 'range') {
      const body = nest(flat, at + 1)
      if (body.rest >= flat.length) throw new JsonPathError('{range} without {end}')
      nodes.push({ kind: 'range', operand: part.operand, body: body.nodes })
      at = body.rest
    } else if (part.kind === 'text') {
      nodes.push(part)
    } else {
      nodes.push({ kind: 'print', operand: part.operand })
    }
  }
  return { nodes, rest: at }
}

function unescaped(character: string): string {
  return { n: '\n', t: '\t', r: '\r' }[character] ?? character
}
