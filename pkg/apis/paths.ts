/** URL paths of the API, as Kubernetes lays them out. */
import type { Kind } from './kind.ts'

type Resource = Pick<Kind, 'group' | 'version' | 'plural' | 'namespaced'>

export function groupVersionPath(resource: { group: string; version: string }): string {
  return resource.group === '' ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`
}

/** Of all objects of the kind: in one namespace, or in all when it is absent. */
export function collectionPath(resource: Resource, namespace?: string): string {
  const scope =
    resource.namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : ''
  return `${groupVersionPath(resource)}${scope}/${resource.plural}`
}

export function objectPath(resource: Resource, meta: { namespace?: string; name: string }): string {
  return `${collectionPath(resource, meta.namespace)}/${encodeURIComponent(meta.name)}`
}
