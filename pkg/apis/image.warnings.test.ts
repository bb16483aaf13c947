import test from 'ava'
import type { Image } from './image.ts'
import { imageWarnings } from './image.warnings.ts'

const absent: Image['spec'] = {
  reference: '',
  allTags: false,
  peers: false,
  tags: [],
  push: [],
  prunePolicy: 'Keep',
  deletionPolicy: 'Untag',
}

test('an Image that names a moving tag and does not follow it is warned of', (t) => {
  const warnings = (spec: Partial<Image['spec']>) =>
    imageWarnings({
      apiVersion: 'cove.run/v1',
      kind: 'Image',
      metadata: { name: 'web' },
      spec: { ...absent, ...spec },
    })
  t.deepEqual(warnings({ reference: 'nginx' }), [
    'spec.reference: "nginx" names the moving tag latest; name a version or a digest to get the same bytes everywhere, or follow it with spec.update',
  ])
  t.is(warnings({ reference: 'registry.example.com/nginx:latest' }).length, 1)
  t.deepEqual(warnings({ reference: 'nginx:1.27' }), [])
  t.deepEqual(warnings({ reference: `nginx@sha256:${'0'.repeat(64)}` }), [])
  t.deepEqual(
    warnings({
      reference: 'nginx',
      update: { policy: 'Digest', schedule: '* * * * *', approval: 'Automatic' },
    }),
    [],
  )
  t.deepEqual(warnings({ reference: 'nginx', allTags: true }), [])
  t.deepEqual(warnings({ reference: 'app', source: { node: 'n1' } }), [])
})
