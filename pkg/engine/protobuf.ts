/** Just enough of the protobuf wire format for what BuildKit says and asks: fields by number, both ways. */
import { StatusError } from '#pkg/apimachinery/errors.ts'

export interface Field {
  readonly number: number
  /** Of a varint; 0 for another type. */
  readonly value: number
  /** Of bytes, text or a message; empty for another type. */
  readonly bytes: Uint8Array
}

const nothing = new Uint8Array()
const types = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const
const decoder = new TextDecoder()

/** In order of appearance. EngineError for what is no message. */
export function* readFields(message: Uint8Array): Generator<Field> {
  for (let at = 0; at < message.length; ) {
    const tag = readVarint(message, at)
    const number = Math.floor(tag.value / 8)
    const field = readValue(message, tag.next, tag.value % 8)
    at = field.next
    yield { number, value: field.value, bytes: field.bytes }
  }
}

/** All that the field holds, each as it came. */
export function manyOf(message: Uint8Array, number: number): Uint8Array[] {
  return [...readFields(message)].filter((field) => field.number === number).map(({ bytes }) => bytes)
}

export function bytesOf(message: Uint8Array, number: number): Uint8Array {
  return manyOf(message, number).at(-1) ?? nothing
}

export function textOf(message: Uint8Array, number: number): string {
  return decoder.decode(bytesOf(message, number))
}

export function numberOf(message: Uint8Array, number: number): number {
  return [...readFields(message)].findLast((field) => field.number === number)?.value ?? 0
}

/** An empty value is left out, as it is the default. */
export function field(number: number, value: number | string | Uint8Array): Uint8Array {
  if (typeof value === 'number')
    return value === 0 ? nothing : Buffer.concat([varint(number * 8 + types.varint), varint(value)])
  const bytes = typeof value === 'string' ? Buffer.from(value) : value
  if (bytes.length === 0) return nothing
  return Buffer.concat([varint(number * 8 + types.bytes), varint(bytes.length), bytes])
}

function readValue(message: Uint8Array, at: number, type: number) {
  if (type === types.varint) return { ...readVarint(message, at), bytes: nothing }
  const head = type === types.bytes ? readVarint(message, at) : { value: lengthOf(type), next: at }
  const next = head.next + head.value
  if (next > message.length) throw broken()
  return { value: 0, bytes: type === types.bytes ? message.subarray(head.next, next) : nothing, next }
}

function lengthOf(type: number): number {
  if (type === types.fixed64) return 8
  if (type === types.fixed32) return 4
  throw broken()
}

/** Beyond 2^53 it is not exact; nothing here is so large but negative numbers, which nobody asks for. */
function readVarint(message: Uint8Array, from: number): { value: number; next: number } {
  let value = 0
  for (let at = from, factor = 1; at < message.length; at++, factor *= 128) {
    const byte = message[at] ?? 0
    value += (byte % 128) * factor
    if (byte < 128) return { value, next: at + 1 }
  }
  throw broken()
}

function varint(value: number): Uint8Array {
  const bytes: number[] = []
  let rest = value
  while (rest >= 128) {
    bytes.push((rest % 128) + 128)
    rest = Math.floor(rest / 128)
  }
  return Uint8Array.from([...bytes, rest])
}

function broken(): StatusError {
  return new StatusError('EngineError', 'the engine sent a message that breaks off')
}
