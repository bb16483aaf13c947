/**
 * Templates of `--format` taken apart: the part of Go's text/template that Docker's formats are written in. Texts and
 * actions; if, range and with; pipelines of fields, literals and functions. Variables and definitions are not in it. Pure.
 */

export type TemplatePart =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'print'; readonly pipeline: Pipeline }
  | {
      readonly kind: 'if' | 'range' | 'with'
      readonly pipeline: Pipeline
      readonly body: readonly TemplatePart[]
      readonly otherwise: readonly TemplatePart[]
    }

/** Calls from left to right; each is given what the one before it has made as its last argument. */
export type Pipeline = readonly Call[]

/** A function and its arguments; without a function one operand by itself. */
export interface Call {
  readonly name?: string
  readonly operands: readonly Operand[]
}

export type Operand =
  | { readonly kind: 'literal'; readonly value: string | number | boolean | null }
  | { readonly kind: 'path'; readonly fromRoot: boolean; readonly names: readonly string[] }
  | { readonly kind: 'pipeline'; readonly pipeline: Pipeline; readonly names: readonly string[] }

export class TemplateError extends Error {}

interface Piece {
  readonly kind: 'text' | 'action'
  readonly text: string
}

/** Deeper than anybody writes by hand. */
const deepest = 100

/** Throws TemplateError. */
export function parseTemplate(text: string): readonly TemplatePart[] {
  const pieces = piecesOf(text)
  const reader = { pieces, at: 0, depth: 0 }
  const { parts, end } = readParts(reader)
  if (end !== undefined) throw new TemplateError(`unexpected {{${end}}}`)
  return parts
}

function piecesOf(text: string): readonly Piece[] {
  const pieces: Piece[] = []
  let rest = text
  let trims = false
  for (let open = rest.indexOf('{{'); open >= 0; open = rest.indexOf('{{')) {
    const trimsBefore = /^\{\{-\s/.test(rest.slice(open))
    const before = trims ? rest.slice(0, open).trimStart() : rest.slice(0, open)
    pieces.push({ kind: 'text', text: trimsBefore ? before.trimEnd() : before })
    const inner = rest.slice(open + (trimsBefore ? 3 : 2))
    const close = closingOf(inner)
    const action = inner.slice(0, close)
    trims = /\s-$/.test(action)
    pieces.push({ kind: 'action', text: (trims ? action.slice(0, -1) : action).trim() })
    rest = inner.slice(close + 2)
  }
  pieces.push({ kind: 'text', text: trims ? rest.trimStart() : rest })
  return pieces.filter(({ kind, text: found }) => kind === 'action' || found !== '')
}

const string = /"(?:[^"\\\n]|\\.)*"|`[^`]*`/y

/** Where `}}` is, outside of texts. */
function closingOf(inner: string): number {
  for (let at = 0; at < inner.length; at++) {
    if (inner.startsWith('}}', at)) return at
    string.lastIndex = at
    const found = string.exec(inner)
    if (found !== null) at += found[0].length - 1
  }
  throw new TemplateError('an action is not closed: }} is missing')
}

interface Reader {
  readonly pieces: readonly Piece[]
  at: number
  depth: number
}

interface Parts {
  readonly parts: readonly TemplatePart[]
  /** The action that ended them: `end`, `else`, `else if ...`. */
  readonly end?: string
}

function readParts(reader: Reader): Parts {
  const parts: TemplatePart[] = []
  while (reader.at < reader.pieces.length) {
    const { kind, text } = reader.pieces[reader.at++] ?? { kind: 'text', text: '' }
    if (kind === 'text') parts.push({ kind, text })
    else if (/^(end|else)\b/.test(text)) return { parts, end: text }
    else if (!text.startsWith('/*')) parts.push(readAction(text, reader))
  }
  return { parts }
}

function readAction(text: string, reader: Reader): TemplatePart {
  const [, word, condition = ''] = /^(if|range|with)\b(.*)$/s.exec(text) ?? []
  if (word !== 'if' && word !== 'range' && word !== 'with')
    return { kind: 'print', pipeline: parsePipeline(text) }
  if (++reader.depth > deepest) throw new TemplateError('it is nested too deeply')
  const pipeline = parsePipeline(condition)
  const { parts: body, end } = readParts(reader)
  const otherwise = readElse(end, word, reader)
  reader.depth--
  return { kind: word, pipeline, body, otherwise }
}

function readElse(end: string | undefined, word: string, reader: Reader): readonly TemplatePart[] {
  if (end === 'end') return []
  if (end === undefined) throw new TemplateError(`{{${word}}} has no {{end}}`)
  const condition = end.slice('else'.length).trim()
  // What follows has the same end.
  if (condition !== '') return [readAction(condition, reader)]
  const { parts, end: last } = readParts(reader)
  if (last !== 'end') throw new TemplateError(`{{${word}}} has no {{end}}`)
  return parts
}

const token = new RegExp(
  `\\s+|(?<text>${string.source})|(?<number>-?\\d+(?:\\.\\d+)?)|(?<path>\\$?(?:\\.[A-Za-z_]\\w*)+|\\$|\\.)|(?<word>[A-Za-z_]\\w*)|(?<sign>[|()])`,
  'y',
)

type Token = readonly [kind: 'text' | 'number' | 'path' | 'word' | 'sign', text: string]

function tokensOf(text: string): Token[] {
  const tokens: Token[] = []
  for (let at = 0; at < text.length; at = token.lastIndex) {
    token.lastIndex = at
    const groups = token.exec(text)?.groups
    if (groups === undefined) throw new TemplateError(`unexpected "${text.slice(at, at + 20)}"`)
    for (const kind of ['text', 'number', 'path', 'word', 'sign'] as const) {
      const found = groups[kind]
      if (found !== undefined) tokens.push([kind, found])
    }
  }
  return tokens
}

function parsePipeline(text: string): Pipeline {
  const tokens = tokensOf(text)
  const pipeline = readPipeline(tokens, 0)
  const [left] = tokens
  if (left !== undefined) throw new TemplateError(`unexpected "${left[1]}"`)
  return pipeline
}

/** Takes its tokens away, up to a closing parenthesis. */
function readPipeline(tokens: Token[], depth: number): Pipeline {
  if (depth > deepest) throw new TemplateError('it is nested too deeply')
  const calls: Call[] = []
  do {
    calls.push(readCall(tokens, depth))
  } while (takeSign(tokens, '|'))
  return calls
}

function readCall(tokens: Token[], depth: number): Call {
  const name = takeFunction(tokens)
  const operands: Operand[] = []
  while (tokens.length > 0 && !isSign(tokens, '|') && !isSign(tokens, ')')) {
    operands.push(readOperand(tokens, depth))
  }
  if (name !== undefined) return { name, operands }
  if (operands.length === 1) return { operands }
  throw new TemplateError(operands.length === 0 ? 'a value is missing' : 'one value is expected')
}

const constants: Readonly<Record<string, boolean | null>> = { true: true, false: false, nil: null }

function takeFunction(tokens: Token[]): string | undefined {
  const [first] = tokens
  if (first === undefined || first[0] !== 'word' || Object.hasOwn(constants, first[1])) return undefined
  tokens.shift()
  return first[1]
}

function readOperand(tokens: Token[], depth: number): Operand {
  const [kind, text] = tokens.shift() ?? ['sign', '']
  if (kind === 'text') return { kind: 'literal', value: unquote(text) }
  if (kind === 'number') return { kind: 'literal', value: Number(text) }
  if (kind === 'path') return { kind, fromRoot: text.startsWith('$'), names: namesOf(text) }
  if (kind === 'word' && Object.hasOwn(constants, text))
    return { kind: 'literal', value: constants[text] ?? null }
  if (kind === 'word') return { kind: 'pipeline', pipeline: [{ name: text, operands: [] }], names: [] }
  if (text !== '(') throw new TemplateError(`unexpected "${text}"`)
  const pipeline = readPipeline(tokens, depth + 1)
  if (!takeSign(tokens, ')')) throw new TemplateError('a closing parenthesis is missing')
  const [next] = tokens
  const follows = next?.[0] === 'path' && /^\../.test(next[1])
  if (follows) tokens.shift()
  return { kind: 'pipeline', pipeline, names: follows ? namesOf(next[1]) : [] }
}

function namesOf(path: string): readonly string[] {
  return path
    .split('.')
    .slice(1)
    .filter((name) => name !== '')
}

function unquote(text: string): string {
  if (text.startsWith('`')) return text.slice(1, -1)
  try {
    return String(JSON.parse(text))
  } catch (error) {
    if (error instanceof SyntaxError) throw new TemplateError(`${text} is no text`)
    throw error
  }
}

function isSign(tokens: readonly Token[], sign: string): boolean {
  const [first] = tokens
  return first !== undefined && first[0] === 'sign' && first[1] === sign
}

function takeSign(tokens: Token[], sign: string): boolean {
  if (!isSign(tokens, sign)) return false
  tokens.shift()
  return true
}
