/**
 * What a node is asked as a whole, and what is done to all of it: the subresources `images`, `registry`, `disk` and
 * `prune` of Node, and what is below them. The node answers (its small API has the same paths); here is only what may be
 * asked, what of a question goes on to the node, and how long it may take. Archives of images pass through in both
 * directions no faster than they are taken, and whoever hangs up breaks off what the node does.
 */
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import { notFound } from '#pkg/apimachinery/errors.ts'
import type { ApiRequest } from '#pkg/apimachinery/transport.ts'
import { registryAuthHeader } from '#pkg/apis/registryauth.ts'
import type { Surface } from '../http/answer.ts'
import { methodNotAllowed } from '../http/request.ts'
import { askNode } from './asknode.ts'
import type { ContainerNode } from './proxy.ts'

interface Question {
  /** Parameters that are passed on. */
  readonly parameters: readonly string[]
  /** ms; absent: what is answered comes as it comes, or takes as long as there is to do. */
  readonly within?: number
  /** The body: whole, as the API bounds bodies, or of any length, as it comes. Absent: none. */
  readonly body?: 'whole' | 'input'
}

/** A node that is well answers in a fraction of it. */
const soon = 10_000
/** It has to look at much, or asks a registry, which has a bound of its own. */
const later = 60_000

/** By method and path below the Node. */
const questions: Readonly<Record<string, Question>> = {
  'GET images': { parameters: [], within: later },
  'DELETE images': { parameters: ['image', 'force'] },
  'GET images/details': { parameters: ['image'], within: soon },
  'GET images/raw': { parameters: ['image'], within: soon },
  'GET images/history': { parameters: ['image'], within: soon },
  'POST images/tag': { parameters: ['image', 'reference'], within: soon },
  'POST images/pull': { parameters: ['reference', 'platform', 'allTags'] },
  'POST images/push': { parameters: ['reference'] },
  'GET images/save': { parameters: ['image'] },
  'POST images/load': { parameters: [], body: 'input' },
  'POST images/import': { parameters: ['reference', 'message', 'change', 'platform'], body: 'input' },
  'GET images/layers': { parameters: ['image', 'have'] },
  'GET registry/tags': { parameters: ['reference'], within: later },
  'GET registry/catalog': { parameters: ['server'], within: later },
  'GET registry/search': { parameters: ['term', 'limit'], within: later },
  'GET registry/login': { parameters: ['server'], within: later },
  'GET disk': { parameters: [], within: later },
  'POST prune': { parameters: ['dryRun'], body: 'whole' },
}

const methods = ['GET', 'POST', 'DELETE'] as const
const nodePath = /^\/apis\/cove\.run\/v1\/nodes\/([^/]+)\/((?:images|registry|disk|prune)(?:\/[a-z]+)?)$/

export interface NodeQuestionsOptions {
  /** Whether there is such a Node. */
  readonly hasNode: (name: string) => boolean
  /** Throws ServiceUnavailable while it is not connected. */
  readonly reachNode: (name: string) => ContainerNode
  readonly clock: Clock
}

/** Whether the body of such a request is passed on as it comes. */
export function takesArchive(method: string, path: string): boolean {
  const [, , below = ''] = nodePath.exec(path) ?? []
  return questions[`${method} ${below}`]?.body === 'input'
}

export function nodeQuestions({ hasNode, reachNode, clock }: NodeQuestionsOptions): Surface {
  return async (request) => {
    const [, segment, below = ''] = nodePath.exec(request.path) ?? []
    if (segment === undefined) return undefined
    const method = request.method === 'HEAD' ? 'GET' : request.method
    const question = questions[`${method} ${below}`]
    if (question === undefined) return refuse(below)
    const name = decodeURIComponent(segment)
    if (!hasNode(name)) throw notFound({ group: 'cove.run', plural: 'nodes' }, name)
    const passed = { ...passedOn(request, question), method, path: `/${below}` }
    const node = reachNode(name)
    const { within } = question
    const { signal } = request
    if (within !== undefined) return askNode(node, passed, { clock, signal, within })
    return node.transport({ ...passed, signal })
  }
}

/** Undefined: there is nothing of that name. Throws MethodNotAllowed. */
function refuse(below: string): undefined {
  const allowed = methods.filter((method) => questions[`${method} ${below}`] !== undefined)
  if (allowed.length > 0) throw methodNotAllowed(allowed)
  return undefined
}

type PassedOn = Pick<ApiRequest, 'query' | 'headers' | 'body' | 'input'>

function passedOn({ query, headers, body, input }: ApiRequest, question: Question): PassedOn {
  const known = question.parameters.flatMap((name) => query.getAll(name).map((value) => [name, value]))
  const login = headers[registryAuthHeader]
  const content =
    question.body === 'input' && input !== undefined ? { input } : body !== undefined && { body }
  return {
    query: new URLSearchParams(known),
    headers: { accept: '*/*', ...(login !== undefined && { [registryAuthHeader]: login }) },
    ...(question.body !== undefined && content),
  }
}
