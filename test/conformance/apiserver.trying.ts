/** Trials that keep nothing, options that there are not, and which failures say when to try again. */
import type { ExecutionContext, TestFn } from 'ava'
import type { Transport } from '#pkg/apimachinery/transport.ts'
import { ask, type CallOptions } from '#test/helpers/apiserver.ts'
import type { OpenApi } from './apiserver.factory.ts'
import { configMap, configMaps, container, containers, namespace } from './apiserver.objects.ts'

const apply = { 'content-type': 'application/apply-patch+yaml' }
const json = { 'content-type': 'application/json-patch+json' }

export function trying(test: TestFn, name: string, open: OpenApi): void {
  trials(test, name, open)
  options(test, name, open)
  again(test, name, open)
}

/** Everything that is stored, and the revision of the whole. */
async function everything(transport: Transport) {
  const lists = [configMaps, containers, '/api/v1/namespaces']
  return await Promise.all(lists.map(async (path) => (await ask(transport, `GET ${path}`)).body))
}

interface Trial {
  readonly line: string
  readonly call: CallOptions
  readonly code: number
}

const labels = { labels: { tried: 'yes' } }

const writes: readonly Trial[] = [
  { line: `POST ${configMaps}?dryRun=All`, call: { body: configMap('new') }, code: 201 },
  {
    line: `POST ${configMaps}?dryRun=All`,
    call: { body: { ...configMap(''), metadata: { generateName: 'new-' } } },
    code: 201,
  },
  { line: 'POST /api/v1/namespaces?dryRun=All', call: { body: namespace('new') }, code: 201 },
  { line: `PUT ${configMaps}/c?dryRun=All`, call: { body: configMap('c', { a: '2' }) }, code: 200 },
  { line: `PATCH ${configMaps}/c?dryRun=All`, call: { body: { metadata: labels } }, code: 200 },
  {
    line: `PATCH ${configMaps}/c?dryRun=All`,
    call: { body: [{ op: 'add', path: '/data/b', value: '2' }], headers: json },
    code: 200,
  },
  {
    line: `PATCH ${configMaps}/c?dryRun=All&fieldManager=m&force=true`,
    call: { body: configMap('c', { a: '3' }), headers: apply },
    code: 200,
  },
  {
    line: `PATCH ${configMaps}/new?dryRun=All&fieldManager=m`,
    call: { body: configMap('new'), headers: apply },
    code: 201,
  },
  {
    line: `PATCH ${containers}/web/status?dryRun=All`,
    call: { body: { status: { phase: 'Failed' } } },
    code: 200,
  },
  {
    line: `PATCH ${containers}/web/status?dryRun=All&fieldManager=m`,
    call: {
      body: {
        apiVersion: 'cove.run/v1',
        kind: 'Container',
        metadata: { name: 'web' },
        status: { phase: 'Failed' },
      },
      headers: apply,
    },
    code: 200,
  },
  { line: `DELETE ${configMaps}/c?dryRun=All`, call: {}, code: 200 },
  { line: `DELETE ${configMaps}/held?dryRun=All`, call: {}, code: 200 },
  {
    line: `PATCH ${configMaps}/going?dryRun=All`,
    call: { body: { metadata: { finalizers: [] } } },
    code: 200,
  },
  {
    line: `DELETE ${configMaps}/c`,
    call: { body: { dryRun: ['All'], propagationPolicy: 'Foreground' } },
    code: 200,
  },
  { line: `DELETE ${configMaps}?dryRun=All`, call: {}, code: 200 },
  { line: 'DELETE /api/v1/namespaces/team?dryRun=All', call: {}, code: 200 },
  {
    line: 'PUT /api/v1/namespaces/team/finalize?dryRun=All',
    call: { body: { ...namespace('team'), spec: { finalizers: [] } } },
    code: 200,
  },
]

function trials(test: TestFn, name: string, open: OpenApi): void {
  test(`${name}: whatever is only tried changes no object, no revision and no watch`, async (t) => {
    const { transport } = await open(t)
    await ask(transport, `POST ${configMaps}`, { body: configMap('c', { a: '1' }) })
    for (const each of ['held', 'going'])
      await ask(transport, `POST ${configMaps}`, {
        body: configMap(each, {}, { finalizers: ['example.com/a'] }),
      })
    await ask(transport, `DELETE ${configMaps}/going`)
    await ask(transport, `POST ${containers}`, { body: container('web') })
    await ask(transport, 'POST /api/v1/namespaces', { body: namespace('team') })
    const before = await everything(transport)
    for (const { line, call, code } of writes) {
      const { status, body } = await ask(transport, line, call)
      t.is(status, code, `${line}: ${body.message}`)
      t.deepEqual(await everything(transport), before, line)
    }
  })

  test(`${name}: a trial is refused like the write it tries`, async (t) => {
    const { transport } = await open(t)
    const { body } = await ask(transport, `POST ${configMaps}`, { body: configMap('c') })
    const codes = async (line: string, call: CallOptions = {}) => (await ask(transport, line, call)).status
    t.is(await codes(`POST ${configMaps}?dryRun=All`, { body: configMap('c') }), 409)
    t.is(await codes(`POST ${configMaps}?dryRun=All`, { body: configMap('No') }), 422)
    const stale = { ...body, metadata: { ...body.metadata, resourceVersion: '1' } }
    t.is(await codes(`PUT ${configMaps}/c?dryRun=All`, { body: stale }), 409)
    t.is(await codes(`DELETE ${configMaps}/nope?dryRun=All`), 404)
    const preconditions = { uid: 'other' }
    t.is(await codes(`DELETE ${configMaps}/c?dryRun=All`, { body: { preconditions } }), 409)
  })
}

function options(test: TestFn, name: string, open: OpenApi): void {
  test(`${name}: options of writes that there are not answer 422, and reads have none of them`, async (t) => {
    const { transport } = await open(t)
    await ask(transport, `POST ${configMaps}`, { body: configMap('c') })
    const refused = async (line: string, body?: unknown) => {
      const answer = await ask(transport, line, { body })
      t.is(answer.status, 422, line)
      return answer.body.message
    }
    t.is(
      await refused(`POST ${configMaps}?dryRun=Some`, configMap('d')),
      'CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: []string{"Some"}: supported values: "All"',
    )
    t.is(
      await refused(`PUT ${configMaps}/c?fieldValidation=Maybe`, configMap('c')),
      'UpdateOptions.meta.k8s.io "" is invalid: fieldValidation: Unsupported value: "Maybe": supported values: "", "Ignore", "Strict", "Warn"',
    )
    t.regex(await refused(`PATCH ${configMaps}/c?dryRun=all`, {}), /^PatchOptions\.meta\.k8s\.io/)
    t.regex(await refused(`DELETE ${configMaps}/c`, { dryRun: ['No'] }), /^DeleteOptions\.meta\.k8s\.io/)
    for (const option of ['dryRun=Some', 'fieldValidation=Maybe', 'watch=true']) {
      t.is((await ask(transport, `GET ${configMaps}/c?${option}`)).body.kind, 'ConfigMap')
    }
  })
}

/** Clients of Kubernetes repeat by themselves what is answered with `Retry-After`. */
function again(test: TestFn, name: string, open: OpenApi): void {
  const told = async (t: ExecutionContext, answer: Promise<Awaited<ReturnType<typeof ask>>>) => {
    const { status, headers, body } = await answer
    t.is(headers['retry-after'], body.details.retryAfterSeconds?.toString())
    return [status, body.reason, body.details.retryAfterSeconds]
  }

  test(`${name}: who asks for a revision that is still to come is told to try again in a second`, async (t) => {
    const { transport, clock } = await open(t)
    await ask(transport, `POST ${configMaps}`, { body: configMap('c') })
    for (const path of [
      `${configMaps}?resourceVersion=9999`,
      `${configMaps}/c?resourceVersion=9999`,
      `${configMaps}?resourceVersion=9999&resourceVersionMatch=NotOlderThan`,
      `${configMaps}?resourceVersion=9999&resourceVersionMatch=Exact`,
      `${configMaps}?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=9999`,
    ]) {
      const answer = ask(transport, `GET ${path}`)
      await clock?.advance(5000)
      t.deepEqual(await told(t, answer), [504, 'Timeout', 1], path)
    }
  })

  test(`${name}: what another try does not mend says nothing of one`, async (t) => {
    const { transport } = await open(t)
    const created = (await ask(transport, `POST ${configMaps}`, { body: configMap('c') })).body
    await ask(transport, `PATCH ${configMaps}/c`, { body: { data: { a: '1' } } })
    t.deepEqual(await told(t, ask(transport, `GET ${configMaps}/nope`)), [404, 'NotFound', undefined])
    t.deepEqual(await told(t, ask(transport, `POST ${configMaps}`, { body: configMap('c') })), [
      409,
      'AlreadyExists',
      undefined,
    ])
    t.deepEqual(await told(t, ask(transport, `PUT ${configMaps}/c`, { body: created })), [
      409,
      'Conflict',
      undefined,
    ])
  })
}
