/**
 * Regular expressions of .dockerignore patterns in linear time, as Go's are: JavaScript's go back and try again, which
 * patterns of strangers could make last for ever. Reads what ignorepattern.ts writes, and no other expressions. Pure.
 */

/** Undefined: it would need more room than any pattern that is meant seriously. */
export function linearExpression(source: string): ((text: string) => boolean) | undefined {
  const program = new Program()
  const end = program.add({ type: 'match' })
  const start = new Parser(source, program).alternatives(end)
  return program.isFull ? undefined : (text) => runs(program.states, start, text)
}

/** Parts that may be longer or shorter: with more of them, what JavaScript takes grows with that power of the length. */
export function looseParts(source: string): number {
  return source.match(/(?<!\\)\*|(?<!\\)\{\d+,\d*\}/g)?.length ?? 0
}

type Has = (char: string) => boolean
type Place = 'start' | 'end' | 'edge' | 'noEdge'

type State =
  | { readonly type: 'match' }
  | { readonly type: 'char'; readonly has: Has; readonly next: number }
  | { readonly type: 'place'; readonly place: Place; readonly next: number }
  | { readonly type: 'either'; readonly ways: readonly number[] }

const mostStates = 20_000

class Program {
  readonly states: State[] = []

  get isFull(): boolean {
    return this.states.length >= mostStates
  }

  /** Its number. */
  add(state: State): number {
    if (!this.isFull) this.states.push(state)
    return this.states.length - 1
  }

  /** One whose ways are known later. */
  loop(body: (again: number) => number, next: number): number {
    const ways = [next]
    const again = this.add({ type: 'either', ways })
    ways.push(body(again))
    return again
  }
}

/** Adds what leads to a state, and answers where it begins. */
type Part = (next: number) => number

const places: Readonly<Record<string, Place>> = {
  '(?:^)': 'start',
  '(?:$)': 'end',
  '(?:\\b)': 'edge',
  '(?:\\B)': 'noEdge',
  '^': 'start',
  $: 'end',
}

const tokens = /\(\?:[^)]*\)|\[(?:\\.|[^\]\\])*\]|\\x[0-9a-f]{2}|\\.|\{\d+(?:,\d*)?\}|./gsu

class Parser {
  readonly #tokens: readonly string[]
  readonly #program: Program
  #at = 0

  constructor(source: string, program: Program) {
    this.#tokens = source.match(tokens) ?? []
    this.#program = program
  }

  alternatives(next: number): number {
    return this.#alternatives()(next)
  }

  #alternatives(): Part {
    const ways = [this.#sequence()]
    while (this.#take('|')) ways.push(this.#sequence())
    return (next) => this.#program.add({ type: 'either', ways: ways.map((way) => way(next)) })
  }

  #sequence(): Part {
    const parts: Part[] = []
    for (
      let token = this.#peek();
      token !== undefined && token !== '|' && token !== ')';
      token = this.#peek()
    )
      parts.push(this.#repeated())
    return (next) => parts.reduceRight((after, part) => part(after), next)
  }

  #repeated(): Part {
    const part = this.#one()
    if (this.#take('*')) return this.#times(part, 0, Number.POSITIVE_INFINITY)
    if (this.#take('?')) return this.#times(part, 0, 1)
    const counts = /^\{(\d+)(,(\d*))?\}$/.exec(this.#peek() ?? '')
    if (counts === null) return part
    this.#at++
    const [, least = '0', more, most] = counts
    if (more === undefined) return this.#times(part, Number(least), Number(least))
    return this.#times(part, Number(least), most ? Number(most) : Number.POSITIVE_INFINITY)
  }

  #one(): Part {
    const token = this.#tokens[this.#at++] ?? ''
    if (token === '(') {
      const inside = this.#alternatives()
      this.#take(')')
      return inside
    }
    const place = Object.hasOwn(places, token) ? places[token] : undefined
    if (place !== undefined) return (next) => this.#program.add({ type: 'place', place, next })
    const has = charTest(token)
    return (next) => this.#program.add({ type: 'char', has, next })
  }

  #times(part: Part, least: number, most: number): Part {
    const program = this.#program
    return (next) => {
      let start = next
      if (most === Number.POSITIVE_INFINITY) start = program.loop(part, next)
      else
        for (let more = least; more < most && !program.isFull; more++)
          start = program.add({ type: 'either', ways: [next, part(start)] })
      for (let count = 0; count < least && !program.isFull; count++) start = part(start)
      return start
    }
  }

  #peek(): string | undefined {
    return this.#tokens[this.#at]
  }

  #take(token: string): boolean {
    if (this.#peek() !== token) return false
    this.#at++
    return true
  }
}

function charTest(token: string): Has {
  if (!/^[[\\]/.test(token)) return (char) => char === token
  const expression = new RegExp(`^${token}$`, 'u')
  const known = new Map<string, boolean>()
  return (char) => {
    const before = known.get(char)
    if (before !== undefined) return before
    const found = expression.test(char)
    known.set(char, found)
    return found
  }
}

/** Whether it is found anywhere in the text: all ways at once, character by character. */
function runs(states: readonly State[], start: number, text: string): boolean {
  const chars = [...text]
  const reached = new Int32Array(states.length).fill(-1)
  let waiting = [start]
  for (let at = 0; at <= chars.length; at++) {
    const next = step({ states, reached, chars, at }, waiting)
    if (next === 'found') return true
    waiting = [start, ...next]
  }
  return false
}

interface Running {
  readonly states: readonly State[]
  /** The position at which each state was reached last. */
  readonly reached: Int32Array
  readonly chars: readonly string[]
  readonly at: number
}

/** Where it goes on behind the character. */
function step({ states, reached, chars, at }: Running, waiting: number[]): number[] | 'found' {
  const next: number[] = []
  const char = chars[at]
  for (let number = waiting.pop(); number !== undefined; number = waiting.pop()) {
    const state = states[number]
    if (state === undefined || reached[number] === at) continue
    reached[number] = at
    if (state.type === 'match') return 'found'
    if (state.type !== 'char') waiting.push(...waysOn(state, chars, at))
    else if (char !== undefined && state.has(char)) next.push(state.next)
  }
  return next
}

/** Of what takes no character. */
function waysOn(
  state: Extract<State, { type: 'either' | 'place' }>,
  chars: readonly string[],
  at: number,
): readonly number[] {
  if (state.type === 'either') return state.ways
  return isPlace(state.place, chars, at) ? [state.next] : []
}

function isPlace(place: Place, chars: readonly string[], at: number): boolean {
  if (place === 'start') return at === 0
  if (place === 'end') return at === chars.length
  const isEdge = isWord(chars[at - 1]) !== isWord(chars[at])
  return isEdge === (place === 'edge')
}

function isWord(char: string | undefined): boolean {
  return char !== undefined && /^\w$/.test(char)
}
