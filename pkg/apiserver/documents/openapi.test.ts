import test from 'ava'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { readAll } from '#pkg/apimachinery/transport.ts'
import { kinds } from '#pkg/apis/kinds.ts'
import { groupVersionPath } from '#pkg/apis/paths.ts'
import { adminUser, makeRequest } from '#test/helpers/request.ts'
import { reviewResources } from '../access/reviews.ts'
import { serviceResource } from './absent.ts'
import { groupVersions } from './discovery.ts'
import { openapi } from './openapi.ts'

const surface = openapi({ kinds, version: '0.1.0' })
const coveDocument = '/openapi/v3/apis/cove.run/v1'

async function get(path: string, headers: Record<string, string> = {}) {
  const response = await surface(makeRequest(path, { headers }), adminUser)
  if (response === undefined) throw new Error(`${path} was not answered`)
  const text = await readAll(response.body)
  return { ...response, value: text === '' ? undefined : JSON.parse(text) }
}

/** Every schema inside, with the path that leads to it. */
function* schemas(value: unknown, path: string): Generator<[string, Record<string, unknown>]> {
  if (!isPlainObject(value)) return
  yield [path, value]
  const properties = isPlainObject(value['properties']) ? value['properties'] : {}
  for (const [name, property] of Object.entries(properties)) yield* schemas(property, `${path}.${name}`)
  yield* schemas(value['items'], `${path}[]`)
  yield* schemas(value['additionalProperties'], `${path}{}`)
}

test('the index names each document by its hash, which may then be kept forever', async (t) => {
  const { value, headers } = await get('/openapi/v3')
  t.is(headers['cache-control'], 'no-cache, private')
  t.deepEqual(
    Object.keys(value.paths).toSorted(),
    groupVersions(kinds)
      .map((entry) => groupVersionPath(entry).slice(1))
      .toSorted(),
  )
  const url = value.paths['apis/cove.run/v1'].serverRelativeURL
  t.regex(url, /^\/openapi\/v3\/apis\/cove\.run\/v1\?hash=[0-9A-F]{32}$/)
  const document = await get(`${url}&timeout=32s`)
  t.regex(document.headers['cache-control'] ?? '', /immutable/)
  const again = await get(url, { 'if-none-match': document.headers['etag'] ?? '' })
  t.is(again.status, 304)
})

test('an outdated hash leads to the document of today', async (t) => {
  const { status, headers } = await get(`${coveDocument}?hash=OLD`)
  t.is(status, 301)
  t.regex(headers['location'] ?? '', /^\/openapi\/v3\/apis\/cove\.run\/v1\?hash=[0-9A-F]{32}$/)
})

test('patches can be validated and merged strategically by kubectl', async (t) => {
  const { value } = await get(coveDocument)
  const { patch } = value.paths['/apis/cove.run/v1/namespaces/{namespace}/containers/{name}']
  t.deepEqual(patch['x-kubernetes-group-version-kind'], {
    group: 'cove.run',
    version: 'v1',
    kind: 'Container',
  })
  const names = patch.parameters.map(({ name }: { name: string }) => name)
  t.true(names.includes('fieldValidation'))
  t.deepEqual(Object.keys(patch.requestBody.content).toSorted(), [
    'application/apply-patch+yaml',
    'application/json-patch+json',
    'application/merge-patch+json',
    'application/strategic-merge-patch+json',
  ])
  const spec = value.components.schemas['run.cove.v1.Container'].properties.spec
  t.is(spec.properties.env['x-kubernetes-patch-merge-key'], 'name')
})

test('every operation has an id of its own', async (t) => {
  const seen = new Set<string>()
  for (const path of [coveDocument, '/openapi/v3/api/v1']) {
    const { value } = await get(path)
    for (const item of Object.values<Record<string, unknown>>(value.paths)) {
      for (const operation of Object.values(item)) {
        if (!isPlainObject(operation) || !('operationId' in operation)) continue
        t.false(seen.has(String(operation['operationId'])), String(operation['operationId']))
        seen.add(String(operation['operationId']))
      }
    }
  }
  t.true(seen.size > 40)
})

test('paths of the cluster have no namespace', async (t) => {
  const { value } = await get(coveDocument)
  t.true('/apis/cove.run/v1/nodes/{name}/status' in value.paths)
  t.false(Object.keys(value.paths).some((path) => path.includes('namespaces/{namespace}/nodes')))
  const core = await get('/openapi/v3/api/v1')
  t.true('/api/v1/namespaces/{name}' in core.value.paths)
})

test('each document is complete: every reference leads somewhere', async (t) => {
  for (const path of [coveDocument, '/openapi/v3/api/v1']) {
    const { body, value } = await get(path)
    const references = [...String(body).matchAll(/"#\/components\/schemas\/([^"]+)"/g)]
    t.true(references.length > 10)
    for (const [, name] of references) t.true((name ?? '') in value.components.schemas, name)
  }
})

test('every field of every kind tells what it is for', async (t) => {
  for (const path of [coveDocument, '/openapi/v3/api/v1']) {
    const { value } = await get(path)
    for (const [name, schema] of Object.entries(value.components.schemas)) {
      const silent = [...schemas(schema, name)].filter(
        ([where, { description, $ref }]) =>
          !/(\[\]|\{\})$/.test(where) && description === undefined && $ref === undefined,
      )
      t.deepEqual(
        silent.map(([where]) => where),
        [],
      )
    }
  }
})

test('metadata is one component, quantities another, and defaults are told', async (t) => {
  const { value } = await get(coveDocument)
  const { properties } = value.components.schemas['run.cove.v1.Container']
  const objectMeta = '#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'
  t.deepEqual(properties.metadata.allOf, [{ $ref: objectMeta }])
  const { interval } = properties.spec.properties.healthcheck.properties
  t.regex(interval.description, /Default: "30s"\.$/)
  const volume = value.components.schemas['run.cove.v1.Volume'].properties
  const { populateFrom } = volume.spec.properties
  t.regex(populateFrom.description, /Not supported by this version, which refuses it\.$/)
  t.is('x-cove-unimplemented' in populateFrom, false)
  const { memory } = properties.spec.properties.resources.properties.limits.properties
  t.regex(memory.allOf[0].$ref, /Quantity$/)
})

test('the rules of a kind are published where they stand', async (t) => {
  const { value } = await get(coveDocument)
  const rule = (schema: { 'x-kubernetes-validations'?: { rule: string }[] }) =>
    schema['x-kubernetes-validations']?.[0]?.rule
  const volume = value.components.schemas['run.cove.v1.Volume'].properties.spec
  t.is(rule(volume.properties.driver), 'self == oldSelf')
  const container = value.components.schemas['run.cove.v1.Container']
  t.regex(rule(container) ?? '', /metadata\.name/)
  const { limits } = container.properties.spec.properties.resources.properties
  t.is(rule(limits.properties.memory), 'quantity(string(self)).sign() > 0')
})

test('version 2 is told to kubectl only, and which kinds can be patched with which options', async (t) => {
  const error = await t.throwsAsync(async () => surface(makeRequest('/openapi/v2'), adminUser))
  t.true(isReason(error, 'NotFound'))
  const accept = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf'
  const answer = await surface(makeRequest('/openapi/v2', { headers: { accept } }), adminUser)
  t.is(answer?.headers['content-type'], 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf')
  const text = Buffer.from(answer?.body as Uint8Array).toString('latin1')
  for (const { kind, group } of kinds)
    t.true(text.includes(`group: ${JSON.stringify(group)}\nkind: ${kind}\nversion: v1`), kind)
  t.is(text.split('fieldValidation').length - 1, kinds.length)
})

test('what is not stored has a schema too, and no operation that it does not answer', async (t) => {
  const extras = [serviceResource, ...reviewResources]
  const own = openapi({ kinds, extras, version: '0.1.0' })
  const paths: Record<string, Record<string, unknown>> = {}
  for (const path of ['api/v1', 'apis/authorization.k8s.io/v1', 'apis/authentication.k8s.io/v1']) {
    const answer = await own(makeRequest(`/openapi/v3/${path}`), adminUser)
    Object.assign(paths, JSON.parse(await readAll(answer?.body ?? '')).paths)
  }
  const verbs = (path: string) => Object.keys(paths[path] ?? {}).filter((key) => key !== 'parameters')
  t.deepEqual(verbs('/apis/authorization.k8s.io/v1/subjectaccessreviews'), ['post'])
  t.deepEqual(verbs('/apis/authentication.k8s.io/v1/tokenreviews'), ['post'])
  t.deepEqual(verbs('/api/v1/namespaces/{namespace}/services'), ['get'])
})
