/**
 * OpenAPI v2, as far as kubectl looks into it: which kinds can be patched, with which options. It asks for it before it
 * sends a kind that version 3 does not offer as patchable, and older ones before they send anything; without an answer
 * they stop. Only in protobuf, the form that kubectl asks for, and without schemas, which all of them read in version 3.
 * The numbers are those of the messages of gnostic's OpenAPIv2.proto.
 */
import { createHash } from 'node:crypto'
import type { ApiRequest } from '#pkg/apimachinery/transport.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import { objectPath } from '#pkg/apis/paths.ts'

export const v2Path = '/openapi/v2'
/** As it is asked for; a "@" is no part of a media type, so it is answered without. */
const asked = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf'
const mediaType = asked.replace('@', '.')

const document = { swagger: 1, info: 2, paths: 8 } as const
const info = { title: 1, version: 2 } as const
const paths = { path: 2 } as const
const named = { name: 1, value: 2 } as const
const pathItem = { patch: 8 } as const
const operation = { consumes: 7, parameters: 8, extension: 13 } as const
const any = { yaml: 2 } as const
const queryParameter = { in: 2, name: 4 } as const
const patchTypes = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
] as const

export function takesProtobuf({ headers }: ApiRequest): boolean {
  const accept = headers['accept'] ?? ''
  return accept.includes(asked) || accept.includes(mediaType)
}

/** The document, its ETag and its headers. */
export function operationsV2({ kinds, version }: { kinds: readonly Kind[]; version: string }) {
  const patched = kinds.filter(({ viewOf }) => viewOf === undefined)
  const items = patched.flatMap((kind) => field(paths.path, entry(pathOf(kind), patchOf(kind))))
  const body = Buffer.concat([
    field(document.swagger, text('2.0')),
    field(
      document.info,
      Buffer.concat([field(info.title, text('Cove')), field(info.version, text(version))]),
    ),
    field(document.paths, Buffer.concat(items)),
  ])
  const hash = createHash('sha256').update(body).digest('hex').slice(0, 32).toUpperCase()
  const headers = { 'content-type': mediaType, vary: 'Accept', 'cache-control': 'no-cache, private' }
  return { body, etag: `"${hash}"`, headers }
}

function pathOf(kind: Kind): string {
  const path = objectPath(kind, { namespace: '{namespace}', name: '{name}' })
  return path.replaceAll('%7B', '{').replaceAll('%7D', '}')
}

function patchOf({ group, version, kind }: Kind): Buffer {
  const type = `group: ${JSON.stringify(group)}\nkind: ${kind}\nversion: ${version}\n`
  const extension = entry('x-kubernetes-group-version-kind', field(any.yaml, text(type)))
  const parts = [
    ...patchTypes.map((mime) => field(operation.consumes, text(mime))),
    ...['dryRun', 'fieldManager', 'fieldValidation', 'force'].map((name) =>
      field(operation.parameters, parameter(name)),
    ),
    field(operation.extension, extension),
  ]
  return field(pathItem.patch, Buffer.concat(parts))
}

/** A parameter is one of two things, that one of four: a query parameter is the third. */
function parameter(name: string): Buffer {
  const query = [field(queryParameter.in, text('query')), field(queryParameter.name, text(name))]
  return field(1, field(2, field(3, Buffer.concat(query))))
}

function entry(name: string, value: Buffer): Buffer {
  return Buffer.concat([field(named.name, text(name)), field(named.value, value)])
}

function text(value: string): Buffer {
  return Buffer.from(value)
}

/** Everything here is of protobuf's wire type 2: bytes with their length before them. */
function field(number: number, value: Buffer): Buffer {
  return Buffer.concat([varint((number << 3) | 2), varint(value.length), value])
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80)
  return Buffer.from([...bytes, rest])
}
