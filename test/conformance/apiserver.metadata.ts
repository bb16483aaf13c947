/** Metadata as Kubernetes validates it, and the rules of the schemas, as a client sees them. */
import type { TestFn } from 'ava'
import type { Transport } from '#pkg/apimachinery/transport.ts'
import { ask } from '#test/helpers/apiserver.ts'
import type { OpenApi } from './apiserver.factory.ts'
import { configMap, configMaps, container, containers, namespace, secrets } from './apiserver.objects.ts'

const volumes = '/apis/cove.run/v1/namespaces/default/volumes'

/** What is said of a ConfigMap with this metadata. */
async function refusal(transport: Transport, metadata: object): Promise<{ status: number; message: string }> {
  const body = configMap('c', {}, metadata)
  const answer = await ask(transport, `POST ${configMaps}`, { body })
  return { status: answer.status, message: answer.body.message }
}

export function metadata(test: TestFn, name: string, open: OpenApi): void {
  naming(test, name, open)
  relations(test, name, open)
  rules(test, name, open)
}

function naming(test: TestFn, name: string, open: OpenApi): void {
  test(`${name}: a name that is none is refused in Kubernetes' words`, async (t) => {
    const { transport } = await open(t)
    const { status, body } = await ask(transport, `POST ${configMaps}`, { body: configMap('My_Config') })
    t.is(status, 422)
    t.is(body.reason, 'Invalid')
    t.is(
      body.message,
      `ConfigMap "My_Config" is invalid: metadata.name: Invalid value: "My_Config": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`,
    )
    t.is(body.details.causes[0].field, 'metadata.name')
    const nameless = await ask(transport, `POST ${configMaps}`, { body: configMap('') })
    t.is(nameless.status, 422)
    t.regex(nameless.body.message, /metadata\.name: Required value: name or generateName is required$/)
  })

  test(`${name}: the name of a namespace is a label, that of another object may hold dots`, async (t) => {
    const { transport } = await open(t)
    const dotted = await ask(transport, 'POST /api/v1/namespaces', { body: namespace('team.a') })
    t.is(dotted.status, 422)
    t.regex(dotted.body.message, /a lowercase RFC 1123 label must consist of/)
    t.is((await ask(transport, `POST ${configMaps}`, { body: configMap('a.b') })).status, 201)
  })

  test(`${name}: a prefix for generated names must be the beginning of one`, async (t) => {
    const { transport } = await open(t)
    const create = (generateName: string) =>
      ask(transport, `POST ${configMaps}`, { body: { ...configMap(''), metadata: { generateName } } })
    t.is((await create('a.b-')).status, 201)
    const { status, body } = await create('Job-')
    t.is(status, 422)
    t.true(body.details.causes.some(({ field }: { field: string }) => field === 'metadata.generateName'))
  })

  test(`${name}: keys and values of labels are checked, and how much the annotations hold`, async (t) => {
    const { transport } = await open(t)
    const value = await refusal(transport, { labels: { app: 'a b' } })
    t.is(value.status, 422)
    t.regex(value.message, /metadata\.labels.*Invalid value: "a b": a valid label must be an empty string or/)
    const key = await refusal(transport, { labels: { 'a/b/c': '' } })
    t.regex(key.message, /metadata\.labels: Invalid value: "a\/b\/c": a qualified name must consist of/)
    const prefix = await refusal(transport, { annotations: { '/a': '' } })
    t.regex(prefix.message, /metadata\.annotations: Invalid value: "\/a": prefix part must be non-empty/)
    const large = await refusal(transport, { annotations: { a: 'x'.repeat(256 * 1024) } })
    t.is(large.status, 422)
    t.regex(large.message, /metadata\.annotations: Too long: may not be more than 262144 bytes$/)
    const fits = configMap('c', {}, { annotations: { 'EXAMPLE.com/a': 'x'.repeat(1024) } })
    t.is((await ask(transport, `POST ${configMaps}`, { body: fits })).status, 201)
  })

  test(`${name}: metadata is checked when it changes, too`, async (t) => {
    const { transport } = await open(t)
    await ask(transport, `POST ${configMaps}`, { body: configMap('c') })
    for (const wrong of [{ labels: { 'a b': '' } }, { finalizers: ['a b'] }]) {
      const { status } = await ask(transport, `PATCH ${configMaps}/c`, { body: { metadata: wrong } })
      t.is(status, 422, JSON.stringify(wrong))
    }
  })
}

function relations(test: TestFn, name: string, open: OpenApi): void {
  test(`${name}: an owner is named in full, and one at most is the controller`, async (t) => {
    const { transport } = await open(t)
    const owner = { apiVersion: 'cove.run/v1', kind: 'Container', name: 'a', uid: 'u1', controller: true }
    const two = await refusal(transport, { ownerReferences: [owner, { ...owner, name: 'b', uid: 'u2' }] })
    t.is(two.status, 422)
    t.regex(
      two.message,
      /Only one reference can have Controller set to true. Found "true" in references for Container\/a and Container\/b$/,
    )
    const unnamed = await refusal(transport, { ownerReferences: [{ ...owner, uid: '' }] })
    t.regex(unnamed.message, /metadata\.ownerReferences\[0\]\.uid: Required value: must not be empty$/)
    const partial = await refusal(transport, { ownerReferences: [{ kind: 'Container', name: 'a' }] })
    t.is(partial.status, 422)
  })

  test(`${name}: finalizers are qualified names, of which two exclude each other`, async (t) => {
    const { transport } = await open(t)
    const wrong = await refusal(transport, { finalizers: ['not a name'] })
    t.is(wrong.status, 422)
    t.regex(wrong.message, /metadata\.finalizers.*name part must consist of alphanumeric characters/)
    const both = await refusal(transport, { finalizers: ['orphan', 'foregroundDeletion'] })
    t.regex(both.message, /finalizer orphan and foregroundDeletion cannot be both set$/)
  })
}

function rules(test: TestFn, name: string, open: OpenApi): void {
  test(`${name}: a rule over several fields names the place that breaks it`, async (t) => {
    const { transport } = await open(t)
    const mounts = [{ mountPath: '/a', volume: 'a' }, { mountPath: '/b' }]
    const { status, body } = await ask(transport, `POST ${containers}`, {
      body: container('web', { mounts }),
    })
    t.is(status, 422)
    t.deepEqual(body.details.causes, [
      {
        reason: 'FieldValueRequired',
        field: 'spec.mounts[1]',
        message: 'needs one of volume, hostPath, tmpfs, configMap, secret',
      },
    ])
  })

  test(`${name}: what cannot be changed is refused however the change is sent`, async (t) => {
    const { transport } = await open(t)
    const volume = { apiVersion: 'cove.run/v1', kind: 'Volume', metadata: { name: 'data' } }
    const created = await ask(transport, `POST ${volumes}`, { body: volume })
    const { spec } = created.body
    const put = { ...created.body, spec: { ...spec, driver: 'nfs' } }
    const changes = [
      await ask(transport, `PUT ${volumes}/data`, { body: put }),
      await ask(transport, `PATCH ${volumes}/data`, { body: { spec: { driver: 'nfs' } } }),
      await ask(transport, `PATCH ${volumes}/data`, {
        body: [{ op: 'replace', path: '/spec/driver', value: 'nfs' }],
        headers: { 'content-type': 'application/json-patch+json' },
      }),
      await ask(transport, `PATCH ${volumes}/data?fieldManager=test&force=true`, {
        body: { ...volume, spec: { driver: 'nfs' } },
        headers: { 'content-type': 'application/apply-patch+yaml' },
      }),
    ]
    for (const { status, body } of changes) {
      t.is(status, 422)
      t.is(body.details.causes[0].reason, 'FieldValueForbidden')
      t.is(body.details.causes[0].field, 'spec.driver')
    }
    const kept = await ask(transport, `PATCH ${volumes}/data`, {
      body: { spec: { reclaimPolicy: 'Delete' } },
    })
    t.is(kept.status, 200)
  })

  test(`${name}: the type of a Secret stays`, async (t) => {
    const { transport } = await open(t)
    const body = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' }, stringData: { a: 'b' } }
    t.is((await ask(transport, `POST ${secrets}`, { body })).status, 201)
    const changed = await ask(transport, `PATCH ${secrets}/s`, { body: { type: 'other' } })
    t.is(changed.status, 422)
    t.is(changed.body.message, 'Secret "s" is invalid: type: field is immutable')
    t.is((await ask(transport, `PATCH ${secrets}/s`, { body: { stringData: { a: 'c' } } })).status, 200)
  })
}
