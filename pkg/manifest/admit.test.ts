import test from 'ava'
import { apiVersionOf } from '#pkg/apimachinery/meta.ts'
import { makeRuleChecker } from '#pkg/apis/cel.ts'
import { containerKind } from '#pkg/apis/container.kind.ts'
import { anyKind } from '#pkg/apis/kind.ts'
import { kinds } from '#pkg/apis/kinds.ts'
import { volumeKind } from '#pkg/apis/volume.ts'
import { admit, readTypeMeta, unknownFieldMessage, unknownKindMessage } from './admit.ts'

const container = anyKind(containerKind)
const metadata = { name: 'web' }
const rules = makeRuleChecker()

test('an object comes out pruned, defaulted and prepared; what went in is left as it was', (t) => {
  const value = { apiVersion: 'cove.run/v1', kind: 'Container', metadata, spec: { image: 'a', user: null } }
  const before = structuredClone(value)
  const { object, causes, unknown, warnings } = admit(container, value, { rules })
  t.deepEqual([causes, unknown], [[], []])
  t.like(object.spec, { image: 'a', restartPolicy: 'Always', imagePullPolicy: 'Always' })
  t.false('user' in Object(object.spec))
  t.is(warnings.length, 1)
  t.deepEqual(value, before)
})

test('unknown fields are named and left to the caller', (t) => {
  const { causes, unknown } = admit(container, { metadata, spec: { image: 'a:1', imgae: 'b' } }, { rules })
  t.deepEqual(causes, [])
  t.deepEqual(unknown.map(unknownFieldMessage), ['unknown field "spec.imgae" (did you mean "image"?)'])
  t.is(unknownFieldMessage({ path: 'spec.x' }), 'unknown field "spec.x"')
})

test('rules run when the schema has accepted the object, and not before', (t) => {
  const broken = admit(
    container,
    { metadata: {}, spec: { image: 'UP', mounts: [{ mountPath: '/a' }] } },
    { rules },
  )
  t.deepEqual(
    broken.causes.map(({ field }) => field),
    ['metadata.name', 'spec.image'],
  )
  t.deepEqual(broken.warnings, [])
  const unruly = admit(
    container,
    { metadata, spec: { image: 'a:1', mounts: [{ mountPath: '/a' }] } },
    { rules },
  )
  t.deepEqual(
    unruly.causes.map(({ field }) => field),
    ['spec.mounts[0]'],
  )
})

test('a kind whose spec may be left out gets the whole default', (t) => {
  const { object, causes } = admit(anyKind(volumeKind), { metadata }, { rules })
  t.deepEqual(causes, [])
  t.like(object.spec, { driver: 'local', reclaimPolicy: 'Retain' })
  t.deepEqual(
    admit(container, { metadata }, { rules }).causes.map(({ field, message }) => `${field} ${message}`),
    ['spec is required'],
  )
})

test('whatever is given, admission answers', (t) => {
  for (const kind of kinds) {
    for (const value of [
      null,
      1,
      'text',
      [],
      {},
      { metadata: [] },
      { metadata, spec: 'x' },
      { metadata: { name: 1 } },
    ]) {
      t.true(Array.isArray(admit(kind, value, { rules }).causes), kind.kind)
    }
    t.not(admit(kind, null, { rules }).causes.length, 0)
  }
})

test('an object says of which kind it is', (t) => {
  t.deepEqual(readTypeMeta({ apiVersion: 'v1', kind: 'Secret' }), { apiVersion: 'v1', kind: 'Secret' })
  t.deepEqual(readTypeMeta({ kind: 'Secret' }), { message: 'apiVersion: is required' })
  t.deepEqual(readTypeMeta({ apiVersion: 'v1', kind: 7 }), { message: 'kind: is required' })
  t.deepEqual(readTypeMeta([]), { message: 'must be a mapping with apiVersion, kind and metadata' })
})

test('an unknown kind is told with the one that was probably meant', (t) => {
  const known = kinds.map((kind) => ({ apiVersion: apiVersionOf(kind), kind: kind.kind }))
  const messages: readonly (readonly [string, string, string])[] = [
    ['cove.run/v1', 'Contaner', ' (did you mean "Container"?)'],
    ['v1', 'Container', ' (did you mean "cove.run/v1 Container"?)'],
    ['cove.run/v2', 'Whatever', ' (did you mean "cove.run/v1"?)'],
    ['apps/v1', 'Deployment', ''],
  ]
  for (const [apiVersion, kind, hint] of messages) {
    t.is(
      unknownKindMessage({ apiVersion, kind }, known),
      `no kind "${kind}" in version "${apiVersion}"${hint}`,
    )
  }
})
