import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { seededRandom, systemClock } from '#pkg/apimachinery/ambient.ts'
import { uploadsOf } from '#pkg/apis/uploads.ts'
import { decodeManifest } from '#pkg/manifest/decode.ts'
import { problemText } from '#pkg/manifest/place.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { resolveFiles } from './localfiles.ts'

const image = (source: string) => `kind: Image
apiVersion: cove.run/v1
spec:
  source:
    archive: ${source}
`

async function resolveIn(t: ExecutionContext, file: string, text: string) {
  const cwd = await makeTempDir(t, 'localfiles')
  await mkdir(join(cwd, 'deploy'))
  await writeFile(join(cwd, 'deploy/app.tar'), 'beside')
  await writeFile(join(cwd, 'app.tar'), 'here')
  const { documents } = decodeManifest({ name: file, text })
  const signal = new AbortController().signal
  const stderr = { write: async () => {}, isTTY: false, columns: 80 }
  const world = { cwd, signal, stderr, home: cwd, env: {}, clock: systemClock(), random: seededRandom(1) }
  const { problems, ...resolved } = await resolveFiles(documents, world)
  const told = problems.map((problem) => problemText(problem).replaceAll(cwd, ''))
  return { cwd, told, ...resolved }
}

const digestOf = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`

test('a path is one beside its manifest, and of a manifest from a pipe one here', async (t) => {
  const beside = await resolveIn(t, 'deploy/app.yaml', image('{path: app.tar}'))
  t.deepEqual(beside.told, [])
  const [document] = beside.documents
  t.deepEqual(uploadsOf(Object(document?.value)), [digestOf('beside')])
  const [file] = [...beside.files.values()].flat()
  t.deepEqual(file, {
    path: 'app.tar',
    absolute: join(beside.cwd, 'deploy/app.tar'),
    digest: digestOf('beside'),
    bytes: 6,
  })
  const piped = await resolveIn(t, '-', image('{path: app.tar}'))
  t.deepEqual(uploadsOf(Object(piped.documents[0]?.value)), [digestOf('here')])
})

test('what names no file here stays as it is', async (t) => {
  const { documents, files, told } = await resolveIn(t, '-', image('{url: "https://example.com/a.tar"}'))
  t.deepEqual([files.size, told], [0, []])
  t.deepEqual(Object(documents[0]?.value).spec.source.archive, { url: 'https://example.com/a.tar' })
  const two = await resolveIn(t, '-', image('{path: app.tar, url: "https://example.com/a.tar"}'))
  // For the rules of the schema to refuse.
  t.is(Object(two.documents[0]?.value).spec.source.archive.path, 'app.tar')
})

test('a file that cannot be had is told with its line; a manifest from elsewhere names none', async (t) => {
  t.deepEqual((await resolveIn(t, 'a.yaml', image('{path: nothing.tar}'))).told, [
    'a.yaml: document 1, line 5: spec.source.archive.path: cannot read "/nothing.tar": there is no such file',
  ])
  t.deepEqual((await resolveIn(t, 'a.yaml', image('{path: deploy}'))).told, [
    'a.yaml: document 1, line 5: spec.source.archive.path: "/deploy" is no file',
  ])
  t.deepEqual((await resolveIn(t, 'https://example.com/a.yaml', image('{path: /etc/shadow}'))).told, [
    'https://example.com/a.yaml: document 1, line 5: spec.source.archive.path: names a file here, which a manifest from elsewhere may not',
  ])
})
