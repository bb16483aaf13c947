/**
 * The part of a node's small API (streams.ts) that asks registries, as the node's engine would reach them: `GET
 * /registry/tags?reference=`, `/registry/catalog?server=`, `/registry/search?term=&limit=` and `/registry/login?server=`.
 * Credentials that come along are shown to the registry and nobody else; without any, those of the node are.
 */
import { badRequest, StatusError } from '#pkg/apimachinery/errors.ts'
import { parseReference } from '#pkg/apimachinery/reference.ts'
import type { ApiResponse } from '#pkg/apimachinery/transport.ts'
import { decodeRegistryAuth, registryAuthHeader } from '#pkg/apis/registryauth.ts'
import type { Asking, RegistryClient } from '#pkg/registry/port.ts'
import type { NodeTarget } from '../nodelooks.ts'
import { withCredentialsTold } from './credentials.ts'
import { offeredFor } from './imagetransfers.ts'

/** As Docker Hub bounds it. */
const mostFound = 100
const usualFound = 25

export async function registryTags(target: NodeTarget): Promise<ApiResponse> {
  const text = target.request.query.get('reference') ?? ''
  const parsed = parseReference(text)
  if (!parsed.ok) throw badRequest(`reference: ${parsed.message}`)
  const { registry, repository } = parsed.reference
  const items = await told(target, text, (client, asking) => client.tags({ registry, repository }, asking))
  return answer('RegistryTags', { registry, repository, items })
}

export async function registryCatalog(target: NodeTarget): Promise<ApiResponse> {
  const server = serverIn(target)
  const items = await told(target, anyOf(server), (client, asking) => client.catalog(server, asking))
  return answer('RegistryCatalog', { server, items })
}

/** Of Docker Hub: no other registry can be searched. */
export async function registrySearch(target: NodeTarget): Promise<ApiResponse> {
  const { query, signal } = target.request
  const term = query.get('term') ?? ''
  if (term === '') throw badRequest('term: what is searched for?')
  const limit = Number(query.get('limit') ?? usualFound)
  if (!Number.isInteger(limit) || limit < 1 || limit > mostFound)
    throw badRequest(`limit: must be a number from 1 to ${mostFound}`)
  const items = await clientOf(target).search(term, { credentials: [], signal, limit })
  return answer('RegistrySearch', { items })
}

/** Whether the credentials that come along are good. */
export async function registryLogin(target: NodeTarget): Promise<ApiResponse> {
  const server = serverIn(target)
  const { headers, signal } = target.request
  const credentials = decodeRegistryAuth(headers[registryAuthHeader])
  if (credentials === undefined) throw badRequest(`the header ${registryAuthHeader} is missing`)
  await clientOf(target).login(server, credentials, signal)
  return answer('RegistryLogin', { server, username: credentials.username })
}

async function told<T>(
  target: NodeTarget,
  reference: string,
  ask: (client: RegistryClient, asking: Asking) => Promise<T>,
): Promise<T> {
  const { signal } = target.request
  const offered = await offeredFor(target, reference)
  const credentials = offered.found.map((found) => found.credentials)
  try {
    return await ask(clientOf(target), { credentials, signal })
  } catch (error) {
    throw withCredentialsTold(error, reference, offered)
  }
}

function clientOf({ registry, nodeName }: NodeTarget): RegistryClient {
  if (registry !== undefined) return registry
  throw new StatusError('ServiceUnavailable', `node ${nodeName} does not ask registries`)
}

function serverIn({ request }: NodeTarget): string {
  const server = request.query.get('server') ?? ''
  const parsed = parseReference(anyOf(server))
  // What is no host would be the first part of a repository on Docker Hub.
  const isHost = parsed.ok && /^(library\/)?any$/.test(parsed.reference.repository)
  if (!isHost) throw badRequest(`server: "${server}" is not HOST or HOST:PORT`)
  return parsed.reference.registry
}

/** A reference of the registry, for what is meant for all of it. */
function anyOf(server: string): string {
  return `${server}/any`
}

function answer(kind: string, value: object): ApiResponse {
  const headers = { 'content-type': 'application/json' }
  return { status: 200, headers, body: JSON.stringify({ kind, apiVersion: 'cove.run/v1', ...value }) }
}
