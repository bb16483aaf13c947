import test from 'ava'
import { validateMetadata } from './metadata.ts'

const container = { kind: 'Container', namespaced: true }
const node = { kind: 'Node', namespaced: false }
const namespace = { kind: 'Namespace', namespaced: false, nameRule: 'label' } as const
const role = { kind: 'Role', namespaced: true, nameRule: 'path segment' } as const

type Kind = Parameters<typeof validateMetadata>[0]

function fields(kind: Kind, metadata: unknown): string[] {
  return validateMetadata(kind, { metadata }).map(({ reason, field }) => `${reason} ${field}`)
}

test('names are those of DNS', (t) => {
  for (const name of ['a', 'web', 'web-1', 'a.b.c', '1', 'x'.repeat(253)]) {
    t.deepEqual(fields(container, { name }), [], name)
  }
  for (const name of [
    'Web',
    '-a',
    'a-',
    'a_b',
    'a..b',
    '.a',
    'a.',
    'a b',
    'ä',
    'x'.repeat(254),
    'a.-b',
    'a\n',
  ]) {
    t.deepEqual(fields(container, { name }), ['FieldValueInvalid metadata.name'], name)
  }
})

test('the name of a Namespace holds no dot', (t) => {
  t.deepEqual(fields(namespace, { name: 'shop' }), [])
  for (const name of ['a.b', 'x'.repeat(64)]) {
    t.deepEqual(fields(namespace, { name }), ['FieldValueInvalid metadata.name'], name)
  }
})

test('a name is needed, or something to make one from', (t) => {
  t.deepEqual(validateMetadata(container, {}), [
    { reason: 'FieldValueRequired', field: 'metadata', message: 'is required' },
  ])
  t.deepEqual(validateMetadata(container, 'text').length, 1)
  t.deepEqual(fields(container, {}), ['FieldValueRequired metadata.name'])
  t.deepEqual(fields(container, { name: '' }), ['FieldValueRequired metadata.name'])
  t.deepEqual(fields(container, { generateName: 'web-' }), [])
})

test('only what lives in a namespace may name one', (t) => {
  t.deepEqual(fields(container, { name: 'web', namespace: 'shop' }), [])
  t.deepEqual(fields(container, { name: 'web', namespace: 'a.b' }), ['FieldValueInvalid metadata.namespace'])
  t.deepEqual(validateMetadata(node, { metadata: { name: 'n1', namespace: 'shop' } }), [
    {
      reason: 'FieldValueForbidden',
      field: 'metadata.namespace',
      message: 'Forbidden: not allowed on this type',
    },
  ])
})

test('keys of labels are [prefix/]name, values are words', (t) => {
  const good: Record<string, string> = {
    app: 'web',
    'app.kubernetes.io/name': 'Web_1.x',
    A: '',
    a_b: 'x'.repeat(63),
    [`${'a'.repeat(253)}/${'n'.repeat(63)}`]: '',
  }
  t.deepEqual(fields(container, { name: 'web', labels: good }), [])
  const badKeys = [
    '',
    '/a',
    'a/',
    'A.io/a',
    'a..b/c',
    'a/b/c',
    '-a',
    'a-',
    'a b',
    'n'.repeat(64),
    `${'a'.repeat(254)}/n`,
  ]
  for (const key of badKeys) {
    const found = fields(container, { name: 'web', labels: { [key]: '' } })
    t.deepEqual([...new Set(found)], ['FieldValueInvalid metadata.labels'], key)
  }
  for (const value of ['-a', 'a b', 'a/b', 'x'.repeat(64), 'ä', 'a.']) {
    t.deepEqual(
      fields(container, { name: 'web', labels: { app: value } }),
      ['FieldValueInvalid metadata.labels[app]'],
      value,
    )
  }
})

test('annotations hold any text, up to a size', (t) => {
  t.deepEqual(fields(container, { name: 'web', annotations: { 'a/b': 'any text: {}\n' } }), [])
  t.deepEqual(fields(container, { name: 'web', annotations: { 'a b': '' } }), [
    'FieldValueInvalid metadata.annotations',
  ])
  t.deepEqual(fields(container, { name: 'web', annotations: { 'UP.io/a': 'x'.repeat(1000) } }), [])
  t.deepEqual(fields(container, { name: 'web', annotations: { a: 'x'.repeat(256 * 1024 - 1) } }), [])
  t.deepEqual(fields(container, { name: 'web', annotations: { a: 'x'.repeat(256 * 1024) } }), [
    'FieldValueInvalid metadata.annotations',
  ])
})

function messages(metadata: Record<string, unknown>, kind: Kind = container): string[] {
  return validateMetadata(kind, { metadata: { name: 'web', ...metadata } }).map(
    ({ field, message }) => `${field}: ${message}`,
  )
}

test('what users know from Kubernetes is said in its words', (t) => {
  const subdomain =
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
  t.deepEqual(messages({ name: 'Web' }), [`metadata.name: Invalid value: "Web": ${subdomain}`])
  t.deepEqual(messages({ name: 'x'.repeat(254) }), [
    `metadata.name: Invalid value: "${'x'.repeat(254)}": must be no more than 253 characters`,
  ])
  t.deepEqual(messages({ name: '' }), ['metadata.name: Required value: name or generateName is required'])
  t.deepEqual(messages({ name: 'a.b' }, namespace), [
    `metadata.name: Invalid value: "a.b": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')`,
  ])
  t.deepEqual(messages({ labels: { app: 'a b' } }), [
    `metadata.labels[app]: Invalid value: "a b": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`,
  ])
  t.deepEqual(messages({ labels: { 'a b': '' } }), [
    `metadata.labels: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
  ])
  t.deepEqual(messages({ annotations: { a: 'x'.repeat(300_000) } }), [
    'metadata.annotations: Too long: may not be more than 262144 bytes',
  ])
})

test('a prefix of generated names may end in a dash, and must otherwise be as a name', (t) => {
  t.deepEqual(fields(container, { generateName: 'web.a-' }), [])
  t.deepEqual(fields(container, { generateName: 'Web-' }), ['FieldValueInvalid metadata.generateName'])
  t.deepEqual(fields(namespace, { generateName: 'a.b-' }), ['FieldValueInvalid metadata.generateName'])
  t.deepEqual(fields(role, { generateName: 'system:' }), [])
})

test('a name that is a path segment holds anything but slash and percent', (t) => {
  for (const name of ['system:node', 'A b', 'a..b']) t.deepEqual(fields(role, { name }), [], name)
  t.deepEqual(messages({ name: 'a/b%c' }, role), [
    `metadata.name: Invalid value: "a/b%c": may not contain '/'`,
    `metadata.name: Invalid value: "a/b%c": may not contain '%'`,
  ])
  t.deepEqual(messages({ name: '..' }, role), [`metadata.name: Invalid value: "..": may not be '..'`])
})

test('finalizers are qualified names, and two of them exclude each other', (t) => {
  t.deepEqual(messages({ finalizers: ['node.cove.run/n1', 'orphan', 'kubernetes'] }), [])
  t.deepEqual(fields(container, { name: 'web', finalizers: ['a b', '/x'] }), [
    'FieldValueInvalid metadata.finalizers[0]',
    'FieldValueInvalid metadata.finalizers[1]',
  ])
  t.deepEqual(messages({ finalizers: ['orphan', 'foregroundDeletion'] }), [
    'metadata.finalizers: Invalid value: ["orphan","foregroundDeletion"]: finalizer orphan and foregroundDeletion cannot be both set',
  ])
})

test('an owner is named in full, and one at most is the controller', (t) => {
  const owner = { apiVersion: 'cove.run/v1', kind: 'Container', name: 'a', uid: 'u1', controller: true }
  t.deepEqual(messages({ ownerReferences: [owner, { ...owner, uid: 'u2', controller: false }] }), [])
  t.deepEqual(messages({ ownerReferences: [{ ...owner, apiVersion: 'a/b/c', name: '', uid: '' }] }), [
    'metadata.ownerReferences[0].apiVersion: Invalid value: "a/b/c": must be <group>/<version> or <version>',
    'metadata.ownerReferences[0].name: Required value: must not be empty',
    'metadata.ownerReferences[0].uid: Required value: must not be empty',
  ])
  const [twice = ''] = messages({ ownerReferences: [owner, { ...owner, name: 'b', uid: 'u2' }] })
  t.true(
    twice.endsWith(
      'Only one reference can have Controller set to true. Found "true" in references for Container/a and Container/b',
    ),
  )
  const [event = ''] = messages({ ownerReferences: [{ ...owner, apiVersion: 'v1', kind: 'Event' }] })
  t.true(event.endsWith('/v1, Kind=Event is disallowed from being an owner'))
})

test('a manager of fields has a printable name', (t) => {
  const entry = {
    manager: 'kubectl',
    operation: 'Apply',
    apiVersion: 'v1',
    fieldsType: 'FieldsV1',
    fieldsV1: {},
  }
  t.deepEqual(messages({ managedFields: [entry] }), [])
  t.deepEqual(fields(container, { name: 'web', managedFields: [{ ...entry, manager: 'a\nb' }] }), [
    'FieldValueInvalid metadata.managedFields[0].manager',
  ])
  t.deepEqual(messages({ managedFields: [{ ...entry, manager: 'x'.repeat(129) }] }), [
    'metadata.managedFields[0].manager: Too long: may not be more than 128 bytes',
  ])
})
