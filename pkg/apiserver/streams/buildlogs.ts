/**
 * `GET .../builds/NAME/log`: what a Build has written, of its last attempt or of an earlier one, as the node that builds keeps
 * it: text, a line as it was written, or as it comes with `follow`.
 */
import { badRequest, notFound } from '#pkg/apimachinery/errors.ts'
import type { Surface } from '../http/answer.ts'
import { methodNotAllowed } from '../http/request.ts'
import type { ContainerNode } from './proxy.ts'

const logPath = /^\/apis\/cove\.run\/v1\/namespaces\/([^/]+)\/builds\/([^/]+)\/log$/
const counts = ['attempt', 'tailLines'] as const
const switches = ['follow', 'timestamps'] as const

export interface BuildLogsOptions {
  /** The node of the Build, absent until it has one. Undefined: there is no such Build. */
  readonly lookup: (namespace: string, name: string) => { readonly nodeName?: string } | undefined
  /** Throws ServiceUnavailable while it is not connected. */
  readonly reachNode: (name: string) => ContainerNode
}

export function buildLogs({ lookup, reachNode }: BuildLogsOptions): Surface {
  return async ({ method, path, query, signal }) => {
    const match = logPath.exec(path)
    if (match === null) return undefined
    if (method !== 'GET') throw methodNotAllowed(['GET'])
    const [namespace = '', name = ''] = match.slice(1).map(decodeURIComponent)
    const build = lookup(namespace, name)
    if (build === undefined) throw notFound({ group: 'cove.run', plural: 'builds' }, name)
    if (build.nodeName === undefined) throw badRequest(`build "${name}" has not been placed on a node yet`)
    const { transport } = reachNode(build.nodeName)
    const asked = { method, path: `/builds/${match[1]}/${match[2]}/log`, query: buildLogQuery(query) }
    return transport({ ...asked, headers: { accept: 'text/plain' }, signal })
  }
}

/** Only what the agent knows, checked here so that a mistake is told the same whichever node it is. */
function buildLogQuery(query: URLSearchParams): URLSearchParams {
  for (const name of counts) {
    const value = query.get(name)
    if (value !== null && !/^\d{1,9}$/.test(value))
      throw badRequest(`${name}: "${value}" is not a whole number`)
  }
  const known = [...counts, ...switches].flatMap((name) => {
    const value = query.get(name)
    return value === null ? [] : [[name, value]]
  })
  return new URLSearchParams(known)
}
