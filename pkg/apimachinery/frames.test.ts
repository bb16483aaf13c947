import test from 'ava'
import fc from 'fast-check'
import { StatusError } from './errors.ts'
import {
  type Channel,
  channels,
  decodeFrames,
  decodeResize,
  decodeStatus,
  encodeEnd,
  encodeFrame,
  encodeResize,
  encodeStatus,
  exitCodeOf,
  exitStatus,
  type Frame,
  failureStatus,
} from './frames.ts'

const channel = fc.constantFrom<Channel[]>(...Object.values(channels))
const frame = fc.record({ channel, data: fc.uint8Array({ maxLength: 300 }) })

test('frames come out as they went in, however the stream is cut', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(frame), fc.array(fc.integer({ min: 1, max: 40 })), async (frames, cuts) => {
      const bytes = Buffer.concat(frames.map(({ channel, data }) => encodeFrame(channel, data)))
      const decoded = join(await collect(pieces(bytes, cuts)))
      const expected = join(frames.map(({ channel, data }) => ({ channel, data })))
      t.deepEqual(decoded, expected)
    }),
  )
})

test('data is passed on before its frame is complete', async (t) => {
  const sent = Promise.withResolvers<void>()
  async function* source() {
    yield encodeFrame(channels.stdout, Buffer.alloc(1000, 'a')).subarray(0, 105)
    await sent.promise
  }
  const frames = decodeFrames(source())
  const { value } = await frames.next()
  t.is(value?.data.length, 100)
  sent.resolve()
  await t.throwsAsync(frames.next(), { message: /broke off/ })
})

test('what is no stream of frames is a bad request', async (t) => {
  const broken = {
    'an unknown channel': Buffer.from([9, 0, 0, 0, 1, 1]),
    'half a header': Buffer.from([1, 0, 0]),
    'half a frame': encodeFrame(channels.stdin, Buffer.from('hello')).subarray(0, 8),
    'a Status without an end': Buffer.from([3, 255, 255, 255, 255]),
  }
  for (const [name, bytes] of Object.entries(broken)) {
    const error = await t.throwsAsync(collect(pieces(bytes, [])), { instanceOf: StatusError }, name)
    t.is(error.reason, 'BadRequest', name)
  }
  for (const size of ['', '{}', '{"Width":1}', '{"Width":-1,"Height":3}', '{"Width":99999,"Height":3}'])
    t.throws(() => decodeResize(Buffer.from(size)), { instanceOf: StatusError }, size)
  t.throws(() => decodeStatus(Buffer.from('{"status":"Maybe"}')), { instanceOf: StatusError })
})

test('sizes and ends survive the way', async (t) => {
  const [size, end] = await collect(
    pieces(Buffer.concat([encodeResize({ width: 80, height: 24 }), encodeEnd(channels.stdin)]), []),
  )
  t.deepEqual(decodeResize(size?.data ?? Buffer.alloc(0)), { width: 80, height: 24 })
  t.is(end?.channel, channels.end)
  t.deepEqual([...(end?.data ?? [])], [0])
})

test('a final Status tells the exit code, or that there is none', async (t) => {
  const codes = [exitStatus(0), exitStatus(3), failureStatus(new Error('gone'))].map(async (status) => {
    const [frame] = await collect(pieces(encodeStatus(status), []))
    return exitCodeOf(decodeStatus(frame?.data ?? Buffer.alloc(0)))
  })
  t.deepEqual(await Promise.all(codes), [0, 3, undefined])
  const lost = failureStatus(new StatusError('ServiceUnavailable', 'the node went away'))
  t.deepEqual([lost.reason, lost.code, lost.message], ['ServiceUnavailable', 503, 'the node went away'])
})

async function* pieces(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0
  for (const cut of cuts) {
    yield bytes.subarray(at, at + cut)
    at += cut
  }
  yield bytes.subarray(at)
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Frame[]> {
  const frames: Frame[] = []
  for await (const frame of decodeFrames(source)) frames.push(frame)
  return frames
}

/** Neighbours of one data channel are one: where frames of data are cut is of no meaning. */
function join(frames: readonly Frame[]): [Channel, string][] {
  const joined: [Channel, string][] = []
  for (const { channel, data } of frames) {
    const text = Buffer.from(data).toString('latin1')
    const last = joined.at(-1)
    if (channel <= channels.stderr && last?.[0] === channel) last[1] += text
    else if (channel > channels.stderr || data.length > 0) joined.push([channel, text])
  }
  return joined
}
