/**
 * What a node is asked about one Container, or does to it once: the subresources `top`, `stats`, `changes`, `ports`,
 * `inspect`, `export`, `commit` and `kill`. The node answers; here is only who is asked, and for how long. And
 * of a Node `containers`, all that its engine holds, and `adoptable`, what of it could be taken over.
 */
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import { notFound } from '#pkg/apimachinery/errors.ts'
import type { ApiRequest, ApiResponse } from '#pkg/apimachinery/transport.ts'
import type { Surface } from '../http/answer.ts'
import { methodNotAllowed } from '../http/request.ts'
import { askNode } from './asknode.ts'
import type { ContainerNode, FindNode } from './proxy.ts'

interface Look {
  readonly method: 'GET' | 'POST'
  /** Parameters that are passed on. */
  readonly parameters: readonly string[]
  /** ms; absent: what is answered comes as it comes, or takes as long as there is to do. */
  readonly within?: number
}

/** A node that is well answers in a fraction of it. */
export const answerWithin = 10_000

const looks: Readonly<Record<string, Look>> = {
  top: { method: 'GET', parameters: ['ps'], within: answerWithin },
  stats: { method: 'GET', parameters: ['stream'] },
  changes: { method: 'GET', parameters: [], within: 60_000 },
  ports: { method: 'GET', parameters: [], within: answerWithin },
  inspect: { method: 'GET', parameters: [], within: answerWithin },
  export: { method: 'GET', parameters: [] },
  commit: { method: 'POST', parameters: ['reference', 'author', 'message', 'change', 'pause'] },
  kill: { method: 'POST', parameters: ['signal'], within: answerWithin },
}

const lookPath = new RegExp(
  `^/apis/cove\\.run/v1/namespaces/([^/]+)/containers/([^/]+)/(${Object.keys(looks).join('|')})$`,
)

export interface LooksOptions {
  readonly findNode: FindNode
  readonly clock: Clock
}

export function containerLooks({ findNode, clock }: LooksOptions): Surface {
  return async (request) => {
    const [, namespace = '', name = '', subresource = ''] = lookPath.exec(request.path) ?? []
    const look = looks[subresource]
    if (look === undefined) return undefined
    const method = request.method === 'HEAD' ? 'GET' : request.method
    if (method !== look.method) throw methodNotAllowed([look.method])
    const node = await findNode(decodeURIComponent(namespace), decodeURIComponent(name))
    const path = `/containers/${namespace}/${name}/${subresource}`
    return pass({ node, path, look, request, clock })
  }
}

interface Passing {
  readonly node: ContainerNode
  readonly path: string
  readonly look: Look
  readonly request: ApiRequest
  readonly clock: Clock
}

function pass({ node, path, look, request, clock }: Passing): Promise<ApiResponse> {
  const { method, parameters } = look
  const { signal } = request
  const query = new URLSearchParams(
    parameters.flatMap((name) => request.query.getAll(name).map((value) => [name, value])),
  )
  // Whoever follows the usage of a container wants it line by line; one answer is due soon.
  const follows = query.get('stream') === 'true'
  const within = parameters.includes('stream') && !follows ? answerWithin : look.within
  if (within !== undefined) return askNode(node, { method, path, query }, { clock, signal, within })
  return node.transport({ method, path, query, headers: { accept: '*/*' }, signal })
}

const nodePath = /^\/apis\/cove\.run\/v1\/nodes\/([^/]+)\/(containers|adoptable)$/

export interface NodeLooksOptions {
  /** Whether there is such a Node. */
  readonly hasNode: (name: string) => boolean
  /** Throws ServiceUnavailable while it is not connected. */
  readonly reachNode: (name: string) => ContainerNode
  readonly clock: Clock
}

export function nodeContainers({ hasNode, reachNode, clock }: NodeLooksOptions): Surface {
  return async (request) => {
    const match = nodePath.exec(request.path)
    if (match === null) return undefined
    if (request.method !== 'GET' && request.method !== 'HEAD') throw methodNotAllowed(['GET'])
    const name = decodeURIComponent(match[1] ?? '')
    if (!hasNode(name)) throw notFound({ group: 'cove.run', plural: 'nodes' }, name)
    const namespace = request.query.get('namespace')
    const query = new URLSearchParams(namespace === null ? {} : { namespace })
    const question = { method: 'GET', path: `/${match[2]}`, query }
    return askNode(reachNode(name), question, { clock, signal: request.signal, within: answerWithin })
  }
}
