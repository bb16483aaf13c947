import test from 'ava'
import { type Headers, pack } from 'tar-stream'
import { gather, piecesOf } from '#test/helpers/imagearchive.ts'
import { withoutNames } from './receivedarchive.ts'
import { gatherBytes, tarEntries } from './tararchive.ts'

const config = `${'c'.repeat(64)}.json`
const manifest = { Config: config, RepoTags: ['nginx:1.27'], Layers: ['one/layer.tar'] }

type Part = readonly [header: Headers, content?: string]

async function archive(...parts: readonly Part[]): Promise<Buffer> {
  const writer = pack()
  for (const [header, content] of parts) writer.entry(header, content ?? '')
  writer.finalize()
  return await gather(writer)
}

async function received(bytes: Uint8Array): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  const written = await gather(withoutNames(piecesOf(bytes, 700)))
  for await (const { name, link, content } of tarEntries(piecesOf(written)))
    if (name !== '') found[name] = link === '' ? (await gatherBytes(content)).toString() : `-> ${link}`
  return found
}

const whole: readonly Part[] = [
  [{ name: config }, '{"os":"linux"}'],
  [{ name: 'one/', type: 'directory' }],
  [{ name: 'one/layer.tar' }, 'x'.repeat(1500)],
  [{ name: 'two/layer.tar', type: 'symlink', linkname: '../one/layer.tar' }],
]
const bare = { Config: config, RepoTags: null, Layers: ['one/layer.tar'] }

test('the image of an archive arrives as it was, and has no name', async (t) => {
  const bytes = await archive(...whole, [{ name: './manifest.json' }, JSON.stringify([manifest])])
  t.deepEqual(await received(bytes), {
    [config]: '{"os":"linux"}',
    'one/layer.tar': 'x'.repeat(1500),
    'two/layer.tar': '-> ../one/layer.tar',
    'manifest.json': JSON.stringify([bare]),
  })
})

test('no further file gives names to an image', async (t) => {
  const sneaky: Part[] = [
    [{ name: 'repositories' }, '{"nginx":{"1.27":"one"}}'],
    [{ name: 'x/../manifest.json' }, '[]'],
    [{ name: '/manifest.json' }, '[]'],
    [{ name: 'here', type: 'symlink', linkname: '.' }],
    [{ name: 'here/manifest.json' }, '[]'],
    [{ name: 'hard', type: 'link', linkname: 'manifest.json' }],
    [{ name: '../../etc/passwd' }, 'root'],
  ]
  const last: Part = [{ name: 'manifest.json' }, JSON.stringify([{ ...manifest, repotags: ['nginx:1'] }])]
  const found = await received(await archive(...whole, ...sneaky, last))
  t.deepEqual(Object.keys(found).sort(), [config, 'manifest.json', 'one/layer.tar', 'two/layer.tar'].sort())
  t.is(found['manifest.json'], JSON.stringify([bare]))
})

test('an index says of each manifest what it is, and not what it is called', async (t) => {
  const annotations = { 'io.containerd.image.name': 'docker.io/library/nginx:1.27' }
  const listed = { mediaType: 'm', digest: `sha256:${'a'.repeat(64)}`, size: 7 }
  const index = { schemaVersion: 2, annotations, manifests: [{ ...listed, annotations }] }
  const bytes = await archive(
    [{ name: 'index.json' }, JSON.stringify(index)],
    [{ name: 'manifest.json' }, JSON.stringify([manifest])],
  )
  const found = await received(bytes)
  t.notRegex(found['index.json'] ?? '', /nginx/)
  t.like(JSON.parse(found['index.json'] ?? ''), { manifests: [listed] })
})

const bad: Readonly<Record<string, readonly Part[]>> = {
  'has no manifest': whole,
  'not that of one image': [[{ name: 'manifest.json' }, JSON.stringify([manifest, manifest])]],
  'which file is which': [
    [{ name: 'manifest.json' }, JSON.stringify([{ ...manifest, Layers: ['../../x'] }])],
  ],
  'leads out of the archive': [[{ name: 'a/layer.tar', type: 'symlink', linkname: '/etc/shadow' }]],
  'manifest.json is no file': [[{ name: 'manifest.json', type: 'symlink', linkname: 'one/json' }]],
  'its index is none': [[{ name: 'index.json' }, '[]']],
}

for (const [why, parts] of Object.entries(bad))
  test(`an archive is refused: ${why}`, async (t) => {
    const error: unknown = await t.throwsAsync(received(await archive(...parts)))
    t.like(error, { reason: 'InvalidSpec' })
    t.true(String(error).includes(why), String(error))
  })
