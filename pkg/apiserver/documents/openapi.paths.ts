/** The operations of OpenAPI: what may be asked of each kind, as kubectl looks them up for validation and patches. */
import { hasStatus, type Kind } from '#pkg/apis/kind.ts'
import { collectionPath, objectPath } from '#pkg/apis/paths.ts'
import type { ExtraResource } from './discovery.ts'
import { componentName, components, groupVersionKind, type Json, reference } from './openapi.schemas.ts'

/** What kubectl may send as a patch. Strategic merge is offered for every kind: it keeps list items of others. */
const patchMediaTypes = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
] as const

const queryParameter = (name: string, description: string, type = 'string') => ({
  name,
  in: 'query',
  description,
  schema: { type, uniqueItems: true },
})

const writeParameters = [
  queryParameter('dryRun', 'All: check and answer as usual, and change nothing.'),
  queryParameter('fieldManager', 'The name of who writes.'),
  queryParameter('fieldValidation', 'What happens to unknown fields: Ignore, Warn or Strict.'),
]
const listParameters = [
  queryParameter('labelSelector', 'Only objects with these labels.'),
  queryParameter('fieldSelector', 'Only objects with these fields.'),
  queryParameter('limit', 'At most so many objects in one answer.', 'integer'),
  queryParameter('continue', 'Where the page begins: from the answer before.'),
  queryParameter('resourceVersion', 'The revision that is asked for.'),
  queryParameter('watch', 'Answer with changes as they come.', 'boolean'),
]

const pathParameter = (name: string, description: string) => ({
  name,
  in: 'path',
  description,
  required: true,
  schema: { type: 'string', uniqueItems: true },
})

/** All paths of one kind. */
export function kindPaths(kind: Kind): Json {
  const named = decoded(objectPath(kind, { namespace: '{namespace}', name: '{name}' }))
  const all = decoded(collectionPath(kind, '{namespace}'))
  return {
    ...(kind.namespaced && { [collectionPath(kind)]: everywhere(kind) }),
    [all]: collection(kind),
    [named]: single(kind, ''),
    ...(hasStatus(kind) && { [`${named}/status`]: single(kind, 'Status') }),
  }
}

/** The paths of what is not stored: questions that are created, and what can only be read. */
export function extraPaths(extra: ExtraResource): Json {
  const all = decoded(collectionPath(extra, '{namespace}'))
  const scope = extra.namespaced ? [pathParameter('namespace', 'The namespace.')] : []
  const create = {
    id: operationId('create', extra),
    description: extra.description,
    body: jsonBody(componentName(extra)),
    parameters: writeParameters,
  }
  const list = { id: operationId('list', extra), description: extra.description, answer: listName(extra) }
  return {
    [all]: {
      ...(extra.verbs.includes('list') && { get: operation(extra, 'list', list) }),
      ...(extra.verbs.includes('create') && { post: operation(extra, 'post', create) }),
      ...(scope.length > 0 && { parameters: scope }),
    },
  }
}

/** Braces of templates are no part of a URL, so they stay as they are. */
function decoded(path: string): string {
  return path.replaceAll('%7B', '{').replaceAll('%7D', '}')
}

function everywhere(kind: Kind): Json {
  const id = operationId('list', kind, 'ForAllNamespaces')
  const description = `List or watch ${kind.kind} objects of all namespaces.`
  return {
    get: operation(kind, 'list', { id, description, answer: listName(kind) }),
    parameters: listParameters,
  }
}

function collection(kind: Kind): Json {
  const list = {
    id: operationId('list', kind),
    description: `List or watch ${kind.kind} objects.`,
    answer: listName(kind),
    parameters: listParameters,
  }
  const create = {
    id: operationId('create', kind),
    description: `Create a ${kind.kind}.`,
    body: jsonBody(componentName(kind)),
    parameters: writeParameters,
  }
  const scope = kind.namespaced ? [pathParameter('namespace', 'The namespace.')] : []
  return {
    get: operation(kind, 'list', list),
    ...(kind.viewOf === undefined && { post: operation(kind, 'post', create) }),
    ...(scope.length > 0 && { parameters: scope }),
  }
}

function single(kind: Kind, suffix: '' | 'Status'): Json {
  const what = suffix === '' ? `the ${kind.kind}` : `the status of the ${kind.kind}`
  const of = (verb: string, description: string) => ({ id: operationId(verb, kind, suffix), description })
  const replace = { body: jsonBody(componentName(kind)), parameters: writeParameters }
  const patch = {
    body: patchBody(),
    parameters: [
      ...writeParameters,
      queryParameter('force', 'Take over fields that others manage.', 'boolean'),
    ],
  }
  const remove = { body: jsonBody(components.deleteOptions, false), answer: components.status }
  const scope = kind.namespaced ? [pathParameter('namespace', 'The namespace.')] : []
  const read = operation(kind, 'get', of('read', `Read ${what}.`))
  const path = [pathParameter('name', `Name of the ${kind.kind}.`), ...scope]
  if (kind.viewOf !== undefined) return { get: read, parameters: path }
  return {
    get: read,
    put: operation(kind, 'put', { ...of('replace', `Replace ${what}.`), ...replace }),
    patch: operation(kind, 'patch', { ...of('patch', `Change parts of ${what}.`), ...patch }),
    ...(suffix === '' && {
      delete: operation(kind, 'delete', { ...of('delete', `Delete ${what}.`), ...remove }),
    }),
    parameters: path,
  }
}

type Shown = Pick<Kind, 'group' | 'version' | 'kind' | 'namespaced'>

interface OperationOptions {
  readonly id: string
  readonly description: string
  readonly parameters?: readonly unknown[]
  readonly body?: Json
  /** Component of the answer; absent: the kind's own. */
  readonly answer?: string
}

function operation(kind: Shown, action: string, options: OperationOptions): Json {
  const { id, description, parameters, body, answer = componentName(kind) } = options
  return {
    tags: [componentName(kind)],
    description,
    operationId: id,
    ...(parameters !== undefined && { parameters }),
    ...(body !== undefined && { requestBody: body }),
    responses: {
      '200': { description: 'OK', content: { 'application/json': { schema: reference(answer) } } },
    },
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': groupVersionKind(kind),
  }
}

function jsonBody(component: string, required = true): Json {
  return { content: { 'application/json': { schema: reference(component) } }, required }
}

function patchBody(): Json {
  const content = patchMediaTypes.map((type) => [type, { schema: reference(components.patch) }])
  return { content: Object.fromEntries(content), required: true }
}

function listName(kind: Shown): string {
  return `${componentName(kind)}List`
}

/** `patchCoveRunV1NamespacedContainerStatus`, as Kubernetes builds them; generators of clients make names from it. */
function operationId(verb: string, kind: Shown, suffix = ''): string {
  const group = kind.group === '' ? 'Core' : kind.group.split('.').map(capital).join('')
  const scope = kind.namespaced && suffix !== 'ForAllNamespaces' ? 'Namespaced' : ''
  return `${verb}${group}${capital(kind.version)}${scope}${kind.kind}${suffix}`
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1)
}
