import test from 'ava'
import type { Container } from '#pkg/apis/container.ts'
import type { Image } from '#pkg/apis/image.ts'
import { nodeFinalizer } from '#pkg/apis/wellknown.ts'
import { container } from '#test/helpers/world.ts'
import { matters, movesPlaced, trimmed, trimmedImage } from './scheduler.ts'

const placed = container('web', {
  resources: { limits: { cpu: 2 }, requests: { cpu: 1 } },
  tolerations: [{ operator: 'Exists' }],
  networkMode: 'container:db',
})
const withPhase = (phase: NonNullable<Container['status']>['phase']): Container => ({
  ...placed,
  status: { phase: phase ?? 'Pending' },
})

test('what placement reads is kept of a Container, and what it does not is not', (t) => {
  const { spec, status } = trimmed(withPhase('Failed'))
  t.deepEqual(spec.resources, { requests: { cpu: 1 } })
  t.deepEqual(spec.tolerations, [{ operator: 'Exists' }])
  t.is(spec.networkMode, 'container:db')
  t.deepEqual(status, { phase: 'Failed' })
})

test('which Image it follows is kept of a Container', (t) => {
  const imageFrom = { image: 'app' }
  t.deepEqual(trimmed(container('web', { image: null, imageFrom })).spec.imageFrom, imageFrom)
})

test('what nodes say of an Image that has a lead is not kept and matters to nobody', (t) => {
  const image: Image = {
    apiVersion: 'cove.run/v1',
    kind: 'Image',
    metadata: { namespace: 'default', name: 'app', finalizers: [nodeFinalizer('n1')] },
    spec: {
      reference: 'app:1',
      allTags: false,
      tags: [],
      push: [],
      peers: false,
      prunePolicy: 'Keep',
      deletionPolicy: 'Untag',
      nodeName: 'n1',
    },
  }
  const pulled = { ...image, status: { phase: 'Ready' as const, conditions: [] } }
  t.is(trimmedImage(pulled).status, undefined)
  t.false(movesPlaced(trimmedImage(image), trimmedImage(pulled)))
  t.true(movesPlaced(image, { ...image, spec: { ...image.spec, nodeSelector: {} } }))
  const { nodeName: _nowhere, ...spec } = image.spec
  t.true(movesPlaced(image, { ...image, spec }))
})

test('of a Container that is where it belongs, only its end for good matters to others', (t) => {
  t.false(matters(withPhase('Pending'), withPhase('Running')))
  t.true(matters(withPhase('Running'), withPhase('Succeeded')))
})
