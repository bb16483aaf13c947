/**
 * `PUT|GET|HEAD .../namespaces/NAMESPACE/uploads/sha256:HEX`: files that objects of the namespace are made of. The body is
 * the file itself; of `tree:HEX` a tar archive whose files have that digest together. A file belongs to its namespace: that another one has it too says nothing to anybody.
 */
import { badRequest, notFound } from '#pkg/apimachinery/errors.ts'
import type { ApiRequest, ApiResponse } from '#pkg/apimachinery/transport.ts'
import { objectSchema } from '#pkg/apis/object.ts'
import { uploadDigestPattern } from '#pkg/apis/uploads.ts'
import type { UploadedFile, UploadName, Uploads } from '../data/uploads.ts'
import type { ExtraResource } from '../documents/discovery.ts'
import { jsonAnswer, type Surface } from '../http/answer.ts'
import { methodNotAllowed } from '../http/request.ts'

const path = /^\/apis\/cove\.run\/v1\/namespaces\/([^/]+)\/uploads\/([^/]+)$/

export const uploadResource: ExtraResource = {
  group: 'cove.run',
  version: 'v1',
  kind: 'Upload',
  plural: 'uploads',
  singular: 'upload',
  namespaced: true,
  shortNames: [],
  categories: [],
  verbs: ['get', 'update'],
  description: 'Upload is a file that objects of its namespace are made of, by the digest of its content.',
  schema: objectSchema({}),
}

export interface UploadsSurfaceOptions {
  readonly uploads: Uploads
  readonly hasNamespace: (name: string) => boolean
}

/** Whether the body of such a request is a file, taken as it comes. */
export function takesFile(method: string, target: string): boolean {
  return method === 'PUT' && path.test(target)
}

export function uploadsSurface({ uploads, hasNamespace }: UploadsSurfaceOptions): Surface {
  return async (request) => {
    const match = path.exec(request.path)
    if (match === null) return undefined
    const [namespace = '', digest = ''] = match.slice(1).map(decodeURIComponent)
    if (!hasNamespace(namespace)) throw notFound({ group: '', plural: 'namespaces' }, namespace)
    if (!uploadDigestPattern.test(digest))
      throw badRequest(
        `"${digest}" is no digest: an upload is called sha256: or tree:, and 64 hexadecimal digits`,
      )
    const name = { namespace, digest }
    const found = await uploads.find(name)
    if (request.method === 'PUT') return put(uploads, name, { request, found })
    if (request.method !== 'GET' && request.method !== 'HEAD') throw methodNotAllowed(['GET', 'HEAD', 'PUT'])
    if (found === undefined) throw notFound({ group: 'cove.run', plural: 'uploads' }, digest)
    await uploads.touch(name)
    const headers = { 'content-type': 'application/octet-stream', 'content-length': String(found.bytes) }
    return { status: 200, headers, body: uploads.read(name) }
  }
}

interface Putting {
  readonly request: ApiRequest
  readonly found: UploadedFile | undefined
}

/** A file that is there already is not read again. */
async function put(uploads: Uploads, name: UploadName, { request, found }: Putting): Promise<ApiResponse> {
  const { input, body, headers, signal } = request
  if (found !== undefined) {
    await uploads.touch(name)
    return told(name, 200)
  }
  const length = headers['content-length']
  await uploads.put(name, {
    input: input ?? whole(body),
    ...(length !== undefined && { bytes: Number(length) }),
    signal,
  })
  return told(name, 201)
}

function told({ namespace, digest }: UploadName, status: number): ApiResponse {
  return jsonAnswer(
    { kind: 'Upload', apiVersion: 'cove.run/v1', metadata: { namespace, name: digest } },
    {},
    status,
  )
}

async function* whole(body: ApiRequest['body']): AsyncGenerator<Uint8Array> {
  if (body !== undefined) yield typeof body === 'string' ? Buffer.from(body) : body
}
