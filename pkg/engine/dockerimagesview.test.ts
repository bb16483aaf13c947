import test from 'ava'
import * as view from './dockerimagesview.ts'

const digest = `sha256:${'a'.repeat(64)}`

test('a pull is what its last lines say', (t) => {
  const other = `sha256:${'b'.repeat(64)}`
  const downloaded = [`Digest: ${other}`, `Digest: ${digest}`, 'Status: Downloaded newer image for app']
  t.deepEqual(view.readPulled(downloaded), { upToDate: false, digest })
  t.deepEqual(view.readPulled(['Status: Image is up to date for app:1']), { upToDate: true })
  t.deepEqual(view.readPulled([]), { upToDate: false })
})

test('the digest of a push is told apart, or in words', (t) => {
  t.is(view.readPushedDigest({ progressDetail: {}, aux: { Tag: '1', Digest: digest, Size: 1 } }), digest)
  t.is(view.readPushedDigest({ status: `1: digest: ${digest} size: 1154` }), digest)
  t.is(view.readPushedDigest({ status: 'Pushed', id: '0123456789ab' }), undefined)
})

test('what was loaded is told by name, or by id where it has none', (t) => {
  t.deepEqual(view.readLoaded({ stream: 'Loaded image: app:1\n' }), { references: ['app:1'], ids: [] })
  t.deepEqual(view.readLoaded({ stream: `Loaded image ID: ${digest}\n` }), { references: [], ids: [digest] })
  t.deepEqual(view.readLoaded({ stream: 'The image app:1 already exists, renaming the old one\n' }), {
    references: [],
    ids: [],
  })
  t.deepEqual(view.readLoaded({ status: 'Loading layer' }), { references: [], ids: [] })
})

test('names that mean none are no names', (t) => {
  const entry = {
    Id: digest,
    RepoTags: ['<none>:<none>'],
    RepoDigests: ['<none>@<none>'],
    ParentId: 'p',
    Labels: null,
  }
  t.like(view.readListedImage(entry), { references: [], digests: [], parent: 'p', labels: {} })
  t.deepEqual(view.readHistory([{ Id: '<missing>', Created: 1, Tags: null }])[0]?.tags, [])
})

test('what an engine does not count is not known, which is not none', (t) => {
  const { images, volumes, buildCache } = view.readDiskUsage({
    LayersSize: 7,
    Images: [{ Id: digest, Size: 5, SharedSize: -1, Containers: -1 }],
    Volumes: [{ Name: 'v', UsageData: { Size: -1, RefCount: -1 } }, { Name: 'w' }],
    BuildCache: [{ ID: 'c', InUse: true, LastUsedAt: '0001-01-01T00:00:00Z' }],
  })
  t.like(images[0], { sharedBytes: -1, containers: 0 })
  t.deepEqual(
    volumes.map(({ sizeBytes }) => sizeBytes),
    [-1, -1],
  )
  t.like(buildCache[0], { inUse: true, shared: false, lastUsedAt: undefined })
})

test('answers without the expected members read as empty values', (t) => {
  t.like(view.readImageDetails({}), { id: '', references: [], digests: [], layers: [], variant: '' })
  t.deepEqual(view.readRemoved([{ Untagged: 'app:1' }, { Deleted: digest }, {}]), {
    untagged: ['app:1'],
    deleted: [digest],
  })
  t.deepEqual(view.readDiskUsage(undefined).containers, [])
})

test('an image that says it was made at no time that there is can be listed', (t) => {
  t.is(view.readImage({ Id: 'sha256:1', Created: 1e300 }).createdAt, '1970-01-01T00:00:00.000Z')
})
