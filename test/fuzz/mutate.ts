/**
 * Inputs out of inputs: what a mutational fuzzer does to bytes that some target has already seen. Everything comes
 * from the given generator, so a seed names a whole run.
 */
import type { Random } from '#pkg/apimachinery/ambient.ts'

/** What breaks parsers of text, whatever the text is. */
const anyWords = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'null',
  'true',
  '-0',
  '0',
  '1e309',
  '9007199254740993',
  '18446744073709551616',
  '-1',
  '1e-400',
  '0x10',
  '\u0000',
  '\ud800',
  '\\ud800',
  '\u202e',
  'é',
  '𝒳',
  '%00',
  '%zz',
  '..',
  '//',
  '~0~1',
  ' ',
  '\n',
  '\t',
  '\r\n',
  '"',
  "'",
  '\\',
  ',',
  ':',
]

const limits = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff]
const nests: readonly (readonly [string, string])[] = [
  ['[', ']'],
  ['{"a":', '}'],
  ['(', ')'],
  ['{', '}'],
  ['"', '"'],
]

export interface Material {
  readonly random: Random
  /** Inputs to splice with; at least one. */
  readonly pool: readonly Buffer[]
  /** Words of the target's language. */
  readonly words: readonly string[]
  readonly maxBytes: number
}

type Mutation = (input: Buffer, material: Material) => Buffer

const mutations: readonly Mutation[] = [
  flip,
  setByte,
  insertWord,
  insertWord,
  replaceWithWord,
  duplicate,
  remove,
  truncate,
  splice,
  nest,
  insertLimit,
  repeatWord,
]

/** One to a handful of changes on top of each other. */
export function mutate(input: Buffer, material: Material): Buffer {
  let result = input
  for (let left = 1 + below(material.random, 5); left > 0; left--) {
    result = pick(material.random, mutations)(result, material)
  }
  return result.length > material.maxBytes ? result.subarray(0, material.maxBytes) : result
}

/** A whole number from 0 to `limit - 1`. */
export function below(random: Random, limit: number): number {
  return Math.floor(random.next() * limit)
}

/** Any of the items, of which there is at least one. */
export function pick<T>(random: Random, items: readonly T[]): T {
  const item = items[below(random, items.length)]
  if (item === undefined) throw new RangeError('nothing to pick from')
  return item
}

function insertAt(input: Buffer, at: number, piece: Buffer): Buffer {
  return Buffer.concat([input.subarray(0, at), piece, input.subarray(at)])
}

function place(input: Buffer, random: Random): number {
  return below(random, input.length + 1)
}

/** Where it begins and where it ends. */
function range(input: Buffer, random: Random): [number, number] {
  const [one, other] = [place(input, random), place(input, random)]
  return one < other ? [one, other] : [other, one]
}

function wordOf({ random, words }: Material): Buffer {
  const own = words.length > 0 && random.next() < 0.7
  return Buffer.from(pick(random, own ? words : anyWords))
}

function flip(input: Buffer, { random }: Material): Buffer {
  const copy = Buffer.from(input)
  const at = below(random, Math.max(1, copy.length))
  if (at < copy.length) copy[at] = (copy[at] ?? 0) ^ (1 << below(random, 8))
  return copy
}

function setByte(input: Buffer, { random }: Material): Buffer {
  const copy = Buffer.from(input)
  const at = below(random, Math.max(1, copy.length))
  if (at < copy.length) copy[at] = below(random, 256)
  return copy
}

function insertWord(input: Buffer, material: Material): Buffer {
  return insertAt(input, place(input, material.random), wordOf(material))
}

function replaceWithWord(input: Buffer, material: Material): Buffer {
  const from = place(input, material.random)
  const to = Math.min(input.length, from + 1 + below(material.random, 16))
  return Buffer.concat([input.subarray(0, from), wordOf(material), input.subarray(to)])
}

function duplicate(input: Buffer, { random }: Material): Buffer {
  const [from, to] = range(input, random)
  return insertAt(input, place(input, random), input.subarray(from, to))
}

function remove(input: Buffer, { random }: Material): Buffer {
  const [from, to] = range(input, random)
  return Buffer.concat([input.subarray(0, from), input.subarray(to)])
}

function truncate(input: Buffer, { random }: Material): Buffer {
  return input.subarray(0, place(input, random))
}

function splice(input: Buffer, { random, pool }: Material): Buffer {
  const other = pick(random, pool)
  return Buffer.concat([input.subarray(0, place(input, random)), other.subarray(place(other, random))])
}

function nest(input: Buffer, { random }: Material): Buffer {
  const [open, close] = pick(random, nests)
  const depth = pick(random, [1, 3, 30, 300, 3000])
  const [from, to] = range(input, random)
  const inside = input.subarray(from, to).toString('latin1')
  const nested = Buffer.from(`${open.repeat(depth)}${inside}${close.repeat(depth)}`, 'latin1')
  return Buffer.concat([input.subarray(0, from), nested, input.subarray(to)])
}

/** As bytes, big endian, of any width. */
function insertLimit(input: Buffer, { random }: Material): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(pick(random, limits))
  const at = place(input, random)
  const width = 1 + below(random, 4)
  const over = random.next() < 0.7 ? width : 0
  return Buffer.concat([input.subarray(0, at), bytes.subarray(4 - width), input.subarray(at + over)])
}

/** What takes a pattern long takes it long many times over. */
function repeatWord(input: Buffer, material: Material): Buffer {
  const { random } = material
  const word = random.next() < 0.5 ? wordOf(material) : Buffer.from([below(random, 128)])
  const times = pick(random, [2, 10, 100, 1000, 10_000])
  const bytes = Math.min(times * word.length, material.maxBytes)
  return insertAt(input, place(input, random), Buffer.alloc(bytes, word))
}
