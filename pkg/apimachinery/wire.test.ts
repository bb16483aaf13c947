import { PassThrough, Readable, Writable } from 'node:stream'
import test from 'ava'
import { isReason } from './errors.ts'
import { discard, joinTarget, plainHeaders, readBody, splitTarget, writeChunks } from './wire.ts'

const signal = new AbortController().signal

test('a target is taken apart without touching its escapes, and put together again', (t) => {
  const { path, query } = splitTarget('/a%2Fb/../c?x=1&x=2&y=%20')
  t.is(path, '/a%2Fb/../c')
  t.deepEqual(
    [...query],
    [
      ['x', '1'],
      ['x', '2'],
      ['y', ' '],
    ],
  )
  t.is(joinTarget(path, query), '/a%2Fb/../c?x=1&x=2&y=+')
  t.is(joinTarget('/a', new URLSearchParams()), '/a')
})

test('a target that is no path is refused', (t) => {
  for (const target of ['', '*', 'https://host/']) {
    const error = t.throws(() => splitTarget(target))
    t.true(isReason(error, 'BadRequest'), target)
  }
})

test('headers become one string each, and those of the frame are left out', (t) => {
  t.deepEqual(plainHeaders({ ':path': '/', a: '1', b: ['2', '3'], c: undefined }), { a: '1', b: '2, 3' })
})

test('a body is read whole, and refused above its bound', async (t) => {
  t.is(Buffer.from((await readBody(Readable.from(['ab', 'c']))) ?? []).toString(), 'abc')
  t.is(await readBody(Readable.from([])), undefined)
  const error = await t.throwsAsync(readBody(Readable.from(['ab', 'cd']), 3))
  t.true(isReason(error, 'RequestEntityTooLarge'))
})

test('a body that breaks off is not taken for a shorter one', async (t) => {
  const source = new PassThrough()
  source.write('half')
  const reading = readBody(source)
  source.destroy(new Error('gone'))
  t.true(isReason(await t.throwsAsync(reading), 'BadRequest'))
})

async function* count(upTo: number, asked: number[]): AsyncGenerator<string, void> {
  for (let number = 0; number < upTo; number++) {
    asked.push(number)
    yield `${number}`
  }
}

test('the source waits for a slow target', async (t) => {
  const written: string[] = []
  const ready: (() => void)[] = []
  const target = new Writable({
    highWaterMark: 1,
    write(chunk, _encoding, done) {
      written.push(String(chunk))
      ready.push(done)
    },
  })
  const asked: number[] = []
  const writing = writeChunks(target, count(3, asked), signal)
  for (const expected of [1, 2, 3]) {
    await new Promise((resolve) => setImmediate(resolve))
    t.is(asked.length, expected)
    ready.shift()?.()
  }
  await writing
  t.deepEqual(written, ['0', '1', '2'])
})

test('a target that closes ends the source instead of waiting for it for ever', async (t) => {
  const target = new Writable({ highWaterMark: 1, write() {} })
  const asked: number[] = []
  const writing = writeChunks(target, count(100, asked), signal)
  await new Promise((resolve) => setImmediate(resolve))
  target.destroy()
  await writing
  t.is(asked.length, 2)
})

test('chunks that nobody reads are told so', async (t) => {
  let returned = false
  const body = {
    [Symbol.asyncIterator]: () => ({
      next: () => Promise.resolve({ done: false as const, value: 'x' }),
      return: () => {
        returned = true
        return Promise.resolve({ done: true as const, value: undefined })
      },
    }),
  }
  await discard(body)
  t.true(returned)
})
