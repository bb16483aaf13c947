/** Ops about images on the simulated engine: what they leave behind, also when they fail. */
import test from 'ava'
import { ManualClock } from '#pkg/apimachinery/ambient.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { Client } from '#pkg/client/rest.ts'
import { SimEngine } from '#pkg/engine/sim.ts'
import { SimRegistry } from '#pkg/engine/simregistry.ts'
import { imageContext } from '#test/helpers/imagecontext.ts'
import type { AgentOp } from '../ops.ts'
import type { OpAnswer } from './imagebook.ts'
import { loadImage, pullImage, pushImage, untagImage } from './performimages.ts'

const signal = new AbortController().signal
const target = 'reg.test:5000/copy:1'

async function setUp(upload: AsyncIterable<Uint8Array> | string = '') {
  const clock = new ManualClock(0)
  const registry = new SimRegistry()
  for (const name of ['app:1', 'app:2']) registry.set(`reg.test:5000/${name}`, { env: { NAME: name } })
  const engine = new SimEngine({ clock, registry })
  const answers: OpAnswer[] = []
  const client = new Client(() => Promise.resolve({ status: 200, headers: {}, body: upload }), 'test')
  const context = imageContext({
    engine,
    client,
    clock,
    onAnswer: (_: AgentOp, answer: OpAnswer) => answers.push(answer),
  })
  const pull = (reference: string) =>
    pullImage({ type: 'pullImage', reference, secrets: [] }, context, signal)
  await pull('reg.test:5000/app:1')
  await pull('reg.test:5000/app:2')
  const idOf = async (name: string) => (await engine.imageDetails(name))?.id ?? ''
  return { engine, registry, context, answers, pull, idOf }
}

test('a pull tells its digest, and whether something newer came', async (t) => {
  const { answers, pull } = await setUp()
  await pull('reg.test:5000/app:1')
  const [first, , again] = answers
  t.regex(first?.words ?? '', /^Downloaded newer image for reg.test:5000\/app:1; .*digest sha256:/)
  t.regex(again?.words ?? '', /^Image is up to date for reg.test:5000\/app:1; digest sha256:/)
  t.is(first?.digest, again?.digest)
})

test('a name that is only for the push goes afterwards, whether or not it went well', async (t) => {
  const { engine, registry, context, answers, idOf } = await setUp()
  const image = await idOf('reg.test:5000/app:1')
  const op = { type: 'pushImage', image, reference: target, secrets: [], keepsName: false } as const
  await pushImage(op, context, signal)
  t.regex(answers.at(-1)?.digest ?? '', /^sha256:/)
  t.is(await engine.imageDetails(target), undefined)
  registry.fail('reg.test:5000', 'RegistryUnavailable')
  const error = await t.throwsAsync(pushImage(op, context, signal))
  t.true(isReason(error, 'RegistryUnavailable'))
  t.is(await engine.imageDetails(target), undefined)
})

test('a name that another image has is lent, and one that is kept stays', async (t) => {
  const { engine, context, idOf } = await setUp()
  const [image, named] = [await idOf('reg.test:5000/app:1'), await idOf('reg.test:5000/app:2')]
  await engine.tagImage(named, target)
  const op = { type: 'pushImage', image, reference: target, secrets: [], keepsName: false } as const
  await pushImage({ ...op, named }, context, signal)
  t.is(await idOf(target), named)
  await pushImage({ ...op, keepsName: true }, context, signal)
  t.is(await idOf(target), image)
})

test('what is untagged is counted; a name that is gone already is no failure', async (t) => {
  const { engine, context, answers, idOf } = await setUp()
  await engine.tagImage(await idOf('reg.test:5000/app:1'), 'spare:1')
  await untagImage({ type: 'untagImage', reference: 'spare:1' }, context)
  t.is(answers.at(-1)?.words, 'untagged 1, deleted 0')
  await untagImage({ type: 'untagImage', reference: 'reg.test:5000/app:1' }, context)
  t.regex(answers.at(-1)?.words ?? '', /^untagged [12], deleted [1-9]/)
  const count = answers.length
  await untagImage({ type: 'untagImage', reference: 'spare:1' }, context)
  t.is(answers.length, count)
})

test('an archive that does not hold the reference says what it holds', async (t) => {
  const { engine } = await setUp()
  const saved = await engine.saveImages(['reg.test:5000/app:2'], signal)
  const { context, answers, idOf } = await setUp(saved)
  const from = { upload: `sha256:${'a'.repeat(64)}`, namespace: 'default' }
  const load = { type: 'loadImage', reference: 'other:1', from, made: 'f' } as const
  const error = await t.throwsAsync(loadImage(load, context, signal))
  t.true(isReason(error, 'InvalidSpec'))
  t.regex(error?.message ?? '', /does not hold other:1: it holds reg.test:5000\/app:2/)
  const again = await setUp(await engine.saveImages(['reg.test:5000/app:2'], signal))
  await loadImage({ ...load, reference: 'reg.test:5000/app:2' }, again.context, signal)
  t.is(again.answers.at(-1)?.id, await again.idOf('reg.test:5000/app:2'))
  t.is(answers.length, 2)
  t.truthy(await idOf('reg.test:5000/app:2'))
})
