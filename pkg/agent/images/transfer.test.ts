import test, { type ExecutionContext } from 'ava'
import { ManualClock } from '#pkg/apimachinery/ambient.ts'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import { Client } from '#pkg/client/rest.ts'
import type { Engine } from '#pkg/engine/port.ts'
import { SimEngine } from '#pkg/engine/sim.ts'
import { makeSimImage, type SimImageSpec } from '#pkg/engine/simregistry.ts'
import { editArchive, piecesOf } from '#test/helpers/imagearchive.ts'
import { imageContext } from '#test/helpers/imagecontext.ts'
import type { OpOf } from '../ops.ts'
import { streamsHandler } from '../streams.ts'
import type { OpAnswer } from './imagebook.ts'
import { chainsHere } from './layers.ts'
import { chainsOf, pathsOfLayers } from './layersarchive.ts'
import { tarEntries } from './tararchive.ts'
import { transferImage } from './transfer.ts'

const base: SimImageSpec = { content: 'base', layers: { base: 1000, more: 500 } }
const app: SimImageSpec = { content: 'app', layers: { base: 1000, more: 500, own: 7 }, cmd: ['app'] }
const op: OpOf<'transferImage'> = { type: 'transferImage', from: 'n2', image: 'app:1', references: ['app:1'] }

/** Node n1 asks node n2; what n2 sends goes through `alter`. */
function pair(alter: (body: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array> = (body) => body) {
  const clock = new ManualClock()
  const [here, there] = [new SimEngine({ clock, name: 'n1' }), new SimEngine({ clock, name: 'n2' })]
  there.loadImage('app:1', makeSimImage(app, 'app:1'))
  const handler = streamsHandler({ engine: there, clock, nodeName: 'n2', ownerOf: () => undefined })
  const asked: URLSearchParams[] = []
  const sent: string[][] = []
  const client = new Client(async (request) => {
    asked.push(request.query)
    const path = request.path.replace('/apis/cove.run/v1/nodes/n2', '')
    const answer = await handler({ ...request, path }, { name: 'server', groups: [] })
    if (answer.status >= 400 || typeof answer.body === 'string') return answer
    const bytes = await Array.fromAsync(answer.body as AsyncIterable<Uint8Array>)
    const names: string[] = []
    for await (const { name } of tarEntries(piecesOf(Buffer.concat(bytes)))) names.push(name)
    sent.push(names)
    return { ...answer, body: alter(piecesOf(Buffer.concat(bytes), 600)) }
  }, 'test')
  const answers: OpAnswer[] = []
  const run = (engine: Engine = here, asks: OpOf<'transferImage'> = op) =>
    transferImage(
      asks,
      imageContext({
        engine,
        client,
        clock,
        onAnswer: (_op: unknown, answer: OpAnswer) => answers.push(answer),
      }),
      new AbortController().signal,
    )
  return { here, there, run, asked, sent, answers }
}

async function names(t: ExecutionContext, engine: Engine) {
  const images = await engine.listAllImages()
  t.true(images.length <= 2)
  return images.flatMap(({ references }) => references).sort()
}

test('an image comes from another node with all its layers, and gets its name when it is whole', async (t) => {
  const { here, run, sent, answers } = pair()
  await run()
  t.deepEqual(
    sent[0]?.filter((name) => name.endsWith('layer.tar')),
    ['base/layer.tar', 'more/layer.tar', 'own/layer.tar'],
  )
  t.is((await here.imageDetails('app:1'))?.id, makeSimImage(app, '').id)
  t.deepEqual(
    answers.map(({ id }) => id),
    [makeSimImage(app, '').id],
  )
  t.deepEqual(
    here.calls.map(({ method }) => method),
    ['loadImages', 'tagImage'],
  )
})

test('layers that are here stay there', async (t) => {
  const { here, run, sent } = pair()
  here.loadImage('base:1', makeSimImage(base, ''))
  await run()
  t.deepEqual(
    sent[0]?.filter((name) => name.endsWith('layer.tar')),
    ['own/layer.tar'],
  )
  t.deepEqual(await names(t, here), ['app:1', 'base:1'])
})

test('a layer that is here upon another one is sent', async (t) => {
  const { here, run, sent } = pair()
  here.loadImage('other:1', makeSimImage({ content: 'other', layers: { x: 1, base: 1000 } }, ''))
  await run()
  t.is(sent[0]?.filter((name) => name.endsWith('layer.tar')).length, 3)
})

test('an engine that does not find what it said it has gets all of it', async (t) => {
  const { here, run, asked } = pair()
  here.loadImage('base:1', makeSimImage(base, ''))
  const load = here.loadImages.bind(here)
  let loads = 0
  const forgetful = Object.assign(here, {
    loadImages: async (...args: Parameters<typeof load>) => {
      loads += 1
      if (loads === 1) throw new StatusError('InvalidSpec', 'the archive lacks a part of its image')
      return await load(...args)
    },
  })
  await run(forgetful)
  t.deepEqual(
    asked.map((query) => query.getAll('have').length),
    [2, 0],
  )
  t.true((await names(t, here)).includes('app:1'))
})

test('what breaks off on its way leaves nothing, and is no fault of the object', async (t) => {
  const { here, run } = pair(async function* (body) {
    for await (const piece of body) {
      yield piece
      return
    }
  })
  await t.throwsAsync(run(), { message: /what node n2 sent of app:1 cannot be loaded/ })
  t.deepEqual(await here.listAllImages(), [])
})

test('another image than the one that was asked for gets no name', async (t) => {
  const { here, run } = pair()
  const { id } = makeSimImage(app, '')
  await run(here, { ...op, image: id })
  t.deepEqual(await names(t, here), ['app:1'])
  const other = pair()
  other.there.loadImage('other:1', makeSimImage({ content: 'other' }, ''))
  const wrong = Object.assign(other.here, {
    loadImages: async () => ({ ids: [`sha256:${'0'.repeat(64)}`], references: [] }),
  })
  await t.throwsAsync(other.run(wrong, { ...op, image: id }), { message: /sent another image than/ })
  t.deepEqual(await names(t, other.here), [])
})

test('a node that sends an image with a name gives none to anything here', async (t) => {
  const { here, run } = pair(async function* (body) {
    const bytes = Buffer.concat(await Array.fromAsync(body))
    yield await editArchive(bytes, (name, data) =>
      name === 'manifest.json'
        ? Buffer.from(data.toString().replace('"RepoTags":[]', '"RepoTags":["nginx:1"]'))
        : data,
    )
  })
  here.loadImage('nginx:1', makeSimImage({ content: 'nginx' }, ''))
  await run()
  t.is((await here.imageDetails('nginx:1'))?.id, makeSimImage({ content: 'nginx' }, '').id)
  t.deepEqual(await names(t, here), ['app:1', 'nginx:1'])
})

test('an image that the other node has not is ImageNotFound', async (t) => {
  const { run } = pair()
  const error: unknown = await t.throwsAsync(run(undefined, { ...op, image: 'nosuch:1' }))
  t.like(error, { reason: 'ImageNotFound' })
})

test('a layer is known by those below it', async (t) => {
  const [a, b] = ['sha256:a', 'sha256:b']
  t.is(chainsOf([a])[0], a)
  t.not(chainsOf([a, b])[1], chainsOf([b, b])[1])
  t.deepEqual(chainsOf([]), [])
  // sha256 of the two digests with a space between them, as the image specification has it.
  const layers = ['sha256:1', 'sha256:2', 'sha256:3'] as const
  t.deepEqual(chainsOf(layers).slice(0, 2), chainsOf(layers.slice(0, 2)))
  const { here } = pair()
  here.loadImage('base:1', makeSimImage(base, ''))
  t.is((await chainsHere(here)).length, 2)
})

test('a layer that a further one is a link to stays in the archive', async (t) => {
  const { pack } = await import('tar-stream')
  const writer = pack()
  writer.entry({ name: 'one/layer.tar' }, 'empty')
  writer.entry({ name: 'two/layer.tar' }, 'two')
  writer.entry({ name: 'three/layer.tar', type: 'symlink', linkname: '../one/layer.tar' })
  const paths = ['one/layer.tar', 'two/layer.tar', 'three/layer.tar']
  writer.entry({ name: 'manifest.json' }, JSON.stringify([{ Layers: paths }]))
  writer.finalize()
  const bytes = Buffer.concat(await Array.fromAsync(writer))
  t.deepEqual([...(await pathsOfLayers(piecesOf(bytes), { count: 2, of: 3 }))], ['two/layer.tar'])
  t.deepEqual([...(await pathsOfLayers(piecesOf(bytes), { count: 2, of: 4 }))], [])
})
