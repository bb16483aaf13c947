/** From the bytes of a body to a value. The one place where text from outside becomes JSON. */
import { badRequest, messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import { isPlainObject, jsonValue } from '#pkg/apimachinery/hash.ts'
import { apiVersionOf } from '#pkg/apimachinery/meta.ts'
import type { ApiRequest } from '#pkg/apimachinery/transport.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import { parseYaml } from '#pkg/manifest/yaml.ts'
import { decodeProtobuf, protobufType } from './protobuf.ts'

export type Json = Record<string, unknown>

const jsonType = 'application/json'
const yamlType = 'application/yaml'

/** The media type without its parameters; a body without one is taken as JSON, as `kubectl --raw` sends it. */
export function mediaType(request: ApiRequest): string {
  const [type = ''] = (request.headers['content-type'] ?? '').split(';')
  return type.trim().toLowerCase() || jsonType
}

/** Throws BadRequest when the body is absent or not JSON. */
export function readJson(request: ApiRequest): unknown {
  const text = readText(request)
  if (text === '') throw badRequest('the request has no body')
  return checked(text, parse(text))
}

/** The value that the text says, when nobody can be harmed by it. */
function checked(text: string, value: unknown): unknown {
  if (text.includes('__proto__') || text.includes('\\u')) refuseProto(value)
  return value
}

/** An object, in YAML or in JSON, which is YAML too. Throws BadRequest when the body is absent or neither. */
export function readYaml(request: ApiRequest): Json {
  const text = readText(request)
  if (text === '') throw badRequest('the request has no body')
  const json = objectInJson(text)
  const value = json === undefined ? parseBody(text) : checked(text, json)
  if (!isPlainObject(value)) throw badRequest('the body must be an object')
  return value
}

/** Most clients send JSON, which is read in a fraction of the time. Undefined: it is not, though it may begin so. */
function objectInJson(text: string): unknown {
  return text.trimStart().startsWith('{') ? jsonValue(text) : undefined
}

function parseBody(text: string): unknown {
  try {
    const value = parseYaml(text)
    refuseProto(value)
    return value
  } catch (error) {
    const message = `error decoding YAML: ${messageOf(error)}`
    throw new StatusError('BadRequest', message, {}, { cause: error })
  }
}

/** An object, in JSON, YAML or protobuf. */
export function readMembers(request: ApiRequest): Json {
  const type = mediaType(request)
  if (type === yamlType) return readYaml(request)
  if (type !== jsonType && type !== protobufType) {
    throw unsupportedMediaType(type, [jsonType, yamlType, protobufType])
  }
  const value = type === protobufType ? readProtobuf(request) : readJson(request)
  if (!isPlainObject(value)) throw badRequest('the body must be a JSON object')
  return value
}

/**
 * An object of the kind, which the path names: a body that leaves its kind or apiVersion out, as typed clients do, is of
 * that kind. Throws BadRequest when it says that it is of another one.
 */
export function readObject(kind: Pick<Kind, 'group' | 'version' | 'kind'>, request: ApiRequest): Json {
  const value = readMembers(request)
  const type = { apiVersion: apiVersionOf(kind), kind: kind.kind }
  checkType('kind', value['kind'], type.kind)
  checkType('apiVersion', value['apiVersion'], type.apiVersion)
  return { ...value, ...type }
}

function readProtobuf({ body = '' }: ApiRequest): Json {
  const value = decodeProtobuf(Buffer.from(body))
  refuseProto(value)
  return value
}

/** The text of a body in JSON, whatever it is called; empty for any other, and for none. */
export function jsonText(request: ApiRequest): string {
  const type = mediaType(request)
  if (type.endsWith('json')) return readText(request)
  const text = type.endsWith('yaml') ? readText(request) : ''
  return objectInJson(text) === undefined ? '' : text
}

export function isEmpty(request: ApiRequest): boolean {
  return request.body === undefined || request.body.length === 0
}

/** Worded as Kubernetes words it: kubectl repeats it to the user. */
export function unsupportedMediaType(type: string, accepted: readonly string[]): StatusError {
  const message = `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`
  return new StatusError('UnsupportedMediaType', message, {
    causes: [{ reason: 'FieldValueNotSupported', field: 'Content-Type', message: `"${type}"` }],
  })
}

function checkType(field: string, found: unknown, expected: string): void {
  if (found === expected || found === undefined || found === null || found === '') return
  throw badRequest(
    `the ${field} in the data (${String(found)}) does not match the expected ${field} (${expected})`,
  )
}

function readText({ body }: ApiRequest): string {
  if (body === undefined) return ''
  return typeof body === 'string'
    ? body
    : Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString()
}

function parse(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text)
    if (text.length > 2 * maxDepth && isDeeper(value, maxDepth)) throw tooDeep()
    return value
  } catch (error) {
    if (error instanceof StatusError) throw error
    throw badRequest(`the body is not JSON: ${withoutExcerpt(messageOf(error))}`)
  }
}

/** Node's messages quote the text around the mistake, which may be of a Secret; for the same reason they are no cause. */
function withoutExcerpt(message: string): string {
  return message.replace(/,? (\.\.\.)?".*$/s, '').replace(/^".*$/s, 'unexpected text')
}

/** Everything that walks through a value may use the stack for it. */
export const maxDepth = 200

function tooDeep(): StatusError {
  return badRequest(`the body is nested too deeply: at most ${maxDepth} levels`)
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((member) => isDeeper(member, levels - 1))
}

/** As a member of its own it does no harm; copying would make it a prototype. */
function refuseProto(value: unknown): void {
  if (holdsProto(value)) throw badRequest('"__proto__" is not allowed as a name')
}

function holdsProto(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(holdsProto)
  if (!isPlainObject(value)) return false
  return Object.hasOwn(value, '__proto__') || Object.values(value).some(holdsProto)
}
