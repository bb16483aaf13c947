/**
 * Kinds of Kubernetes that Cove does not have and that clients look for all the same: lists that can be read and are
 * always empty. Services, for `kubectl cluster-info`; CustomResourceDefinitions, among which kubectl looks for a kind that
 * it finds nowhere else before it says so. Nothing else of them is served.
 */
import { notFound } from '#pkg/apimachinery/errors.ts'
import { apiVersionOf } from '#pkg/apimachinery/meta.ts'
import { objectSchema } from '#pkg/apis/object.ts'
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
  description: 'Service is a kind of Kubernetes that Cove does not have: there is never one.',
  schema: objectSchema({}),
}

/** Not told by discovery: who asks for one by name should hear that there is no such type. */
const definitionResource = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
} as const

const lists = [
  { resource: serviceResource, path: /^\/api\/v1(?:\/namespaces\/[^/]+)?\/services(?:\/([^/]+))?$/ },
  {
    resource: definitionResource,
    path: /^\/apis\/apiextensions\.k8s\.io\/v1\/customresourcedefinitions(?:\/([^/]+))?$/,
  },
]

/** `revision`: of the last change of the store, which an empty list is as of. */
export function absentKinds(revision: () => number): Surface {
  return (request) => {
    const asked = lists.find(({ path }) => path.test(request.path))
    if (asked === undefined) return undefined
    onlyReads(request)
    const { resource, path } = asked
    const [, name] = path.exec(request.path) ?? []
    if (name !== undefined) throw notFound(resource, name)
    const metadata = { resourceVersion: String(revision()) }
    return jsonAnswer({
      kind: `${resource.kind}List`,
      apiVersion: apiVersionOf(resource),
      metadata,
      items: [],
    })
  }
}
