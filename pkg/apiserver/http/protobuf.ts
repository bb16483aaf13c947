/**
 * Kubernetes' protobuf, as far as clients send it: kubectl writes the core kinds that way and does not try again in
 * JSON. Only decoding, by tables of field numbers; answers are always JSON. Pure.
 */
import { badRequest, isReason } from '#pkg/apimachinery/errors.ts'
import { timestamp } from '#pkg/apimachinery/meta.ts'
import { type Field, type Message, protobufMessages, scalar } from './protobuftables.ts'

export const protobufType = 'application/vnd.kubernetes.protobuf'

type Json = Record<string, unknown>

const magic = Buffer.from('k8s\0')
const typeMeta: Message = new Map([
  [1, scalar('apiVersion')],
  [2, scalar('kind')],
])

export interface Decoded {
  readonly apiVersion: string
  readonly kind: string
  /** The object as JSON has it; undefined when the kind is not known here. */
  readonly value: Json | undefined
}

/** Undefined when the bytes are not in the format. */
export function decode(body: Uint8Array): Decoded | undefined {
  try {
    return decodeEnvelope(Buffer.from(body.buffer, body.byteOffset, body.byteLength))
  } catch (error) {
    if (isReason(error, 'BadRequest')) return undefined
    throw error
  }
}

/** Throws BadRequest for bytes that are not in the format, and for a kind that is not known here. */
export function decodeProtobuf(body: Uint8Array): Json {
  const decoded = decode(body)
  if (decoded === undefined) throw malformed()
  if (decoded.value !== undefined) return decoded.value
  throw badRequest(`${decoded.apiVersion} ${decoded.kind} is only understood as JSON`)
}

function decodeEnvelope(bytes: Buffer): Decoded {
  if (!bytes.subarray(0, magic.length).equals(magic)) throw malformed()
  const envelope = [...readFields(bytes.subarray(magic.length))]
  const part = (number: number) => envelope.find((field) => field.number === number)?.bytes ?? nothing
  const types = decodeMessage(typeMeta, part(1))
  const [apiVersion, kind] = [String(types['apiVersion'] ?? ''), String(types['kind'] ?? '')]
  const fields = protobufMessages.get(kind === 'DeleteOptions' ? kind : `${apiVersion}/${kind}`)
  const value = fields && { apiVersion, kind, ...decodeMessage(fields, part(2)) }
  return { apiVersion, kind, value }
}

interface RawField {
  readonly number: number
  readonly integer: bigint
  /** Of strings, bytes and messages. */
  readonly bytes: Buffer
}

/** Fields that the table does not know are skipped; empty strings mean absent, and so does a generation of zero. */
function decodeMessage(fields: Message, bytes: Buffer): Json {
  const result: Json = {}
  for (const raw of readFields(bytes)) {
    const field = fields.get(raw.number)
    if (field !== undefined) addField(result, field, raw)
  }
  return result
}

function addField(result: Json, field: Field, raw: RawField): void {
  switch (field.type) {
    case 'map':
      result[field.name] = { ...Object(result[field.name]), ...mapEntry(field.values, raw.bytes) }
      return
    case 'list': {
      const { fields } = field
      const item = fields === undefined ? raw.bytes.toString() : decodeMessage(fields, raw.bytes)
      const known = result[field.name]
      result[field.name] = Array.isArray(known) ? [...known, item] : [item]
      return
    }
    case 'message':
      result[field.name] = decodeMessage(field.fields, raw.bytes)
      return
    default: {
      const value = scalarValue(field.type, raw)
      const unset = value === 0 && field.name === 'generation'
      if (value !== undefined && !unset) result[field.name] = value
    }
  }
}

function scalarValue(type: 'string' | 'bytes' | 'integer' | 'boolean' | 'time', raw: RawField): unknown {
  switch (type) {
    case 'string':
      return raw.bytes.toString() || undefined
    case 'bytes':
      return raw.bytes.toString('base64')
    case 'integer':
      return Number(BigInt.asIntN(64, raw.integer))
    case 'boolean':
      return raw.integer !== 0n
    default:
      return timeValue(raw.bytes)
  }
}

/** {1 seconds, 2 nanos}; nothing at all is what an unset time looks like. */
function timeValue(bytes: Buffer): string | undefined {
  const { seconds } = decodeMessage(new Map([[1, scalar('seconds', 'integer')]]), bytes)
  return typeof seconds === 'number' && Math.abs(seconds) < 1e11 ? timestamp(seconds * 1000) : undefined
}

/** The name may be anything, `__proto__` included: fromEntries makes an own member of it. */
function mapEntry(values: 'string' | 'bytes', bytes: Buffer): Json {
  const entry = [...readFields(bytes)]
  const part = (number: number) => entry.find((field) => field.number === number)?.bytes ?? Buffer.alloc(0)
  return Object.fromEntries([[part(1).toString(), part(2).toString(values === 'bytes' ? 'base64' : 'utf8')]])
}

function* readFields(bytes: Buffer): Generator<RawField> {
  for (let at = 0; at < bytes.length; ) {
    const [tag, afterTag] = readVarint(bytes, at)
    const number = Number(tag >> 3n)
    const [value, afterValue] = readValue(bytes, Number(tag & 7n), afterTag)
    yield { number, ...value }
    at = afterValue
  }
}

const nothing = Buffer.alloc(0)

function readValue(bytes: Buffer, wireType: number, at: number): [Omit<RawField, 'number'>, number] {
  switch (wireType) {
    case 0: {
      const [integer, after] = readVarint(bytes, at)
      return [{ integer, bytes: nothing }, after]
    }
    case 1:
      return [{ integer: 0n, bytes: nothing }, within(bytes, at + 8)]
    case 2: {
      const [length, start] = readVarint(bytes, at)
      const end = within(bytes, start + Number(length))
      return [{ integer: 0n, bytes: bytes.subarray(start, end) }, end]
    }
    case 5:
      return [{ integer: 0n, bytes: nothing }, within(bytes, at + 4)]
    default:
      throw malformed()
  }
}

function readVarint(bytes: Buffer, at: number): [bigint, number] {
  let value = 0n
  for (let index = 0; index < 10; index++) {
    const byte = bytes[at + index]
    if (byte === undefined) throw malformed()
    value |= BigInt(byte & 0x7f) << BigInt(index * 7)
    if (byte < 0x80) return [value, at + index + 1]
  }
  throw malformed()
}

function within(bytes: Buffer, end: number): number {
  if (end > bytes.length) throw malformed()
  return end
}

function malformed() {
  return badRequest('the body is not protobuf as Kubernetes encodes it')
}
