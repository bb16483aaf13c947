/** The kinds that only the server knows, from its aggregated discovery document. */
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import type { Client } from '#pkg/client/rest.ts'
import { builtinResources, findResources, type Resource, unknownResource } from './resources.ts'

const accept =
  'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json'

/** Built-in kinds cost no request; any other word is looked up on the server. Throws when nobody knows it. */
export async function resolveResources(
  word: string,
  client: Client,
  signal: AbortSignal,
): Promise<readonly Resource[]> {
  const builtin = findResources(word, builtinResources)
  if (builtin.length > 0) return builtin
  const served = await discover(client, signal)
  const found = findResources(word, served)
  if (found.length === 0) throw unknownResource(word, served)
  return found
}

/** Every listable resource of the server: the core group first, then its groups in their order. */
export async function discover(client: Client, signal: AbortSignal): Promise<readonly Resource[]> {
  const [core, groups] = await Promise.all(
    ['/api', '/apis'].map((path) => client.json({ method: 'GET', path, headers: { accept } }, signal)),
  )
  return [...groupsOf(core), ...groupsOf(groups)].flatMap(resourcesOfGroup)
}

function groupsOf(list: unknown): Record<string, unknown>[] {
  return objectsIn(list, 'items')
}

function resourcesOfGroup(group: Record<string, unknown>): Resource[] {
  const metadata = isPlainObject(group['metadata']) ? group['metadata'] : {}
  const name = textOf(metadata, 'name')
  return objectsIn(group, 'versions').flatMap((version) =>
    objectsIn(version, 'resources').map((resource) =>
      toResource(resource, { group: name, version: textOf(version, 'version') }),
    ),
  )
}

function toResource(
  resource: Record<string, unknown>,
  at: { readonly group: string; readonly version: string },
): Resource {
  const responseKind = isPlainObject(resource['responseKind']) ? resource['responseKind'] : {}
  const kind = textOf(responseKind, 'kind')
  return {
    ...at,
    kind,
    plural: textOf(resource, 'resource'),
    singular: textOf(resource, 'singularResource') || kind.toLowerCase(),
    shortNames: textsOf(resource, 'shortNames'),
    categories: textsOf(resource, 'categories'),
    namespaced: resource['scope'] === 'Namespaced',
  }
}

function objectsIn(value: unknown, key: string): Record<string, unknown>[] {
  const list = isPlainObject(value) ? value[key] : undefined
  return Array.isArray(list) ? list.filter(isPlainObject) : []
}

function textOf(value: Record<string, unknown>, key: string): string {
  return typeof value[key] === 'string' ? value[key] : ''
}

function textsOf(value: Record<string, unknown>, key: string): string[] {
  return Array.isArray(value[key]) ? value[key].map(String) : []
}
