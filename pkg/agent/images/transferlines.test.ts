import test from 'ava'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import { readAll } from '#pkg/apimachinery/transport.ts'
import type { LayerProgress } from '#pkg/apis/looks.images.ts'
import { transferLines } from './transferlines.ts'

const linesOf = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))

test('the way is told while it goes on, and the end at last', async (t) => {
  const step = Promise.withResolvers<void>()
  const { body, headers } = transferLines(async (onProgress) => {
    onProgress({ layer: 'a', state: 'Downloading', currentBytes: 1 })
    await step.promise
    onProgress({ layer: 'a', state: 'Pull complete' })
    return { id: 'x' }
  })
  t.is(headers['content-type'], 'application/json;stream=watch')
  const lines = (body as AsyncIterable<string>)[Symbol.asyncIterator]()
  const next = async () => JSON.parse((await lines.next()).value)
  t.deepEqual(await next(), { layer: 'a', state: 'Downloading', currentBytes: 1 })
  step.resolve()
  t.deepEqual(await next(), { layer: 'a', state: 'Pull complete' })
  t.deepEqual(await next(), { done: { id: 'x' } })
  t.true((await lines.next()).done)
})

test('whoever reads slowly hears the last of each state, and all of the end', async (t) => {
  const { body } = transferLines(async (onProgress) => {
    for (let at = 0; at < 1000; at++) onProgress({ layer: 'a', state: 'Downloading', currentBytes: at })
    onProgress({ layer: 'b', state: 'Waiting' })
    return {}
  })
  const lines: readonly LayerProgress[] = linesOf(await readAll(body))
  t.deepEqual(lines, [
    { layer: 'a', state: 'Downloading', currentBytes: 999 },
    { layer: 'b', state: 'Waiting' },
    { done: {} } as never,
  ])
})

test('what goes wrong is the last line, and in a Status', async (t) => {
  const failing = async (error: Error) => {
    const { body } = transferLines(() => Promise.reject(error))
    return linesOf(await readAll(body))
  }
  const [{ error }] = await failing(new StatusError('NoSpace', 'full'))
  t.deepEqual([error.kind, error.reason, error.message, error.code], ['Status', 'NoSpace', 'full', 507])
  t.is((await failing(new Error('odd')))[0].error.reason, 'InternalError')
})
