/**
 * The core Services as a list that can be read and is always empty: Cove has none, and clients that look for some, as
 * `kubectl cluster-info` does, should hear just that. Nothing else of them is served.
 */
import { notFound } from '#pkg/apimachinery/errors.ts'
import { jsonAnswer, onlyReads, type Surface } from '../http/answer.ts'
import type { ExtraResource } from './discovery.ts'

export const serviceResource: ExtraResource = {
  group: '',
  version: 'v1',
  kind: 'Service',
  plural: 'services',
  singular: 'service',
  namespaced: true,
  shortNames: ['svc'],
  categories: [],
  verbs: ['get', 'list'],
}

const services = /^\/api\/v1(?:\/namespaces\/[^/]+)?\/services(?:\/([^/]+))?$/

/** `revision`: of the last change of the store, which an empty list is as of. */
export function noServices(revision: () => number): Surface {
  return (request) => {
    const found = services.exec(request.path)
    if (found === null) return undefined
    onlyReads(request)
    const [, name] = found
    if (name !== undefined) throw notFound(serviceResource, name)
    const metadata = { resourceVersion: String(revision()) }
    return jsonAnswer({ kind: 'ServiceList', apiVersion: 'v1', metadata, items: [] })
  }
}
