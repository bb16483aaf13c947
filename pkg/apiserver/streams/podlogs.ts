/** `GET .../pods/NAME/log`: the output of the Container that the Pod shows, as its node sends it. */
import { badRequest } from '#pkg/apimachinery/errors.ts'
import type { ApiResponse } from '#pkg/apimachinery/transport.ts'
import type { Surface } from '../http/answer.ts'
import { methodNotAllowed } from '../http/request.ts'
import { checkContainer, nodeOfPod } from './podstreams.ts'
import { type FindNode, logQuery } from './proxy.ts'

const logPath = /^\/api\/v1\/namespaces\/([^/]+)\/pods\/([^/]+)\/log$/

export function podLogs(findNode: FindNode): Surface {
  return async (request) => {
    const match = logPath.exec(request.path)
    if (match === null) return undefined
    if (request.method !== 'GET') throw methodNotAllowed(['GET'])
    const [, namespace = '', name = ''] = match
    const pod = { namespace: decodeURIComponent(namespace), name: decodeURIComponent(name) }
    checkContainer(request.query, pod)
    const query = logQuery(request.query)
    const limit = limitBytes(request.query)
    const { transport } = await nodeOfPod(findNode, pod)
    const path = `/containers/${namespace}/${name}/log`
    const { signal } = request
    const answer = await transport({ method: 'GET', path, query, headers: { accept: 'text/plain' }, signal })
    return limit === undefined || answer.status !== 200 ? answer : limited(answer, limit)
  }
}

function limitBytes(query: URLSearchParams): number | undefined {
  const text = query.get('limitBytes')
  if (text === null) return undefined
  const limit = Number(text)
  if (!Number.isSafeInteger(limit) || limit < 1)
    throw badRequest(`limitBytes: "${text}" must be greater than 0`)
  return limit
}

function limited(answer: ApiResponse, limit: number): ApiResponse {
  const { body } = answer
  if (typeof body === 'string' || body instanceof Uint8Array)
    return { ...answer, body: Buffer.from(body).subarray(0, limit) }
  return { ...answer, body: firstBytes(body, limit) }
}

async function* firstBytes(
  body: AsyncIterable<string | Uint8Array>,
  limit: number,
): AsyncGenerator<Uint8Array, undefined> {
  let left = limit
  for await (const chunk of body) {
    const bytes = Buffer.from(chunk).subarray(0, left)
    left -= bytes.length
    yield bytes
    if (left === 0) return undefined
  }
  return undefined
}
