import { constants, createDeflate, createInflate } from 'node:zlib'
import test from 'ava'
import fc from 'fast-check'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import {
  controlFrame,
  dataFrame,
  frameTypes,
  headerBlockOf,
  readHeaders,
  rstStream,
  type SpdyFrame,
  SpdyParser,
  streamIdOf,
  synReply,
} from './spdy.ts'
import { SpdyConnection, type SpdyStream } from './spdyconnection.ts'
import { spdyDictionary, spdyDictionaryId } from './spdydictionary.ts'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

/** All frames of the chunks, neighbouring pieces of one data frame joined. */
function parseAll(chunks: readonly Uint8Array[]): unknown[] {
  const parser = new SpdyParser()
  const joined: { id: number; data: string; fin: boolean }[] = []
  const frames: unknown[] = []
  for (const frame of chunks.flatMap((chunk) => parser.parse(chunk))) frames.push(...take(frame, joined))
  return frames
}

function take(frame: SpdyFrame, open: { id: number; data: string; fin: boolean }[]): unknown[] {
  if (frame.kind === 'control') {
    open.length = 0
    return [{ ...frame, payload: hex(frame.payload) }]
  }
  const last = open.at(-1)
  if (last !== undefined && last.id === frame.streamId && !last.fin) {
    last.data += hex(frame.data)
    last.fin = frame.fin
    return []
  }
  const next = { id: frame.streamId, data: hex(frame.data), fin: frame.fin }
  open.push(next)
  return [next]
}

test('the dictionary is the one of the specification', (t) => {
  const dictionary = spdyDictionary()
  t.is(dictionary.length, 1423)
  let [low, high] = [1, 0]
  for (const byte of dictionary) {
    low = (low + byte) % 65_521
    high = (high + low) % 65_521
  }
  t.is(high * 65_536 + low, spdyDictionaryId)
})

test('frames are laid out as the specification draws them', (t) => {
  t.is(hex(dataFrame(1, Buffer.from('ab'))), '00000001000000026162')
  t.is(hex(dataFrame(3, new Uint8Array(), true)), '0000000301000000')
  t.is(hex(controlFrame(frameTypes.ping, Uint8Array.of(0, 0, 0, 7))), '800300060000000400000007')
  t.is(hex(rstStream(5, 3)), '80030003000000080000000500000003')
  t.is(
    hex(synReply(1, true)),
    '8003000200000018' + '00000001' + '78bbe3c6a7c2' + '000400fbff00000000000000ffff',
  )
  t.is(hex(synReply(3, false)), '8003000200000012' + '00000003' + '000400fbff00000000000000ffff')
})

test('the accepting blocks of one connection are one compressed stream without headers', async (t) => {
  const inflate = createInflate({ dictionary: spdyDictionary() })
  const written = [synReply(1, true), synReply(3, false), synReply(5, false)].map((frame) =>
    frame.subarray(12),
  )
  for (const block of written)
    await new Promise<void>((resolve, reject) =>
      inflate.write(block, (error) => (error ? reject(error) : resolve())),
    )
  const headers: Buffer[] = []
  for (let piece = inflate.read(); piece !== null; piece = inflate.read()) headers.push(piece)
  t.is(hex(Buffer.concat(headers)), '00000000'.repeat(3))
  inflate.destroy()
})

const anyFrame = fc.oneof(
  fc
    .record({
      id: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
      data: fc.uint8Array({ maxLength: 300 }),
      fin: fc.boolean(),
    })
    .map(({ id, data, fin }) => dataFrame(id, data, fin)),
  fc
    .record({ type: fc.integer({ min: 1, max: 9 }), payload: fc.uint8Array({ maxLength: 300 }) })
    .map(({ type, payload }) => controlFrame(type, payload)),
)

test('however the bytes are cut, the frames are the same', (t) => {
  fc.assert(
    fc.property(
      fc.array(anyFrame, { maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 20 }),
      (frames, sizes) => {
        const bytes = Buffer.concat(frames)
        const pieces: Uint8Array[] = []
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const size = sizes[turn % sizes.length] ?? 1
          pieces.push(bytes.subarray(at, at + size))
          at += size
        }
        // A data frame without an end may be followed by another one of its stream: both ways they are one text.
        t.deepEqual(parseAll(pieces), parseAll([bytes]))
      },
    ),
  )
})

test('another protocol is refused instead of being taken for frames', (t) => {
  const refused = (bytes: Uint8Array) =>
    t.throws(() => new SpdyParser().parse(bytes), { instanceOf: StatusError }).message
  t.regex(refused(Buffer.from('8002000100000000', 'hex')), /only version 3/)
  t.regex(refused(Buffer.from('8003000100ffffff', 'hex')), /bytes long/)
  t.throws(() => readHeaders(Buffer.from('0000000100000009', 'hex')), { message: /cut short/ })
  t.throws(() => readHeaders(Buffer.from('ffffffff', 'hex')), { message: /headers/ })
  t.throws(() => streamIdOf(new Uint8Array(2)), { message: /too short/ })
})

/** A client's end: compresses header blocks as one stream, as clients do. */
function clientEnd() {
  const deflate = createDeflate({ dictionary: spdyDictionary(), flush: constants.Z_SYNC_FLUSH })
  const compress = async (headers: Readonly<Record<string, string>>) => {
    const text = (value: string) => {
      const bytes = Buffer.alloc(4 + Buffer.byteLength(value))
      bytes.writeUInt32BE(Buffer.byteLength(value))
      bytes.write(value, 4)
      return bytes
    }
    const count = Buffer.alloc(4)
    count.writeUInt32BE(Object.keys(headers).length)
    const block = Buffer.concat([
      count,
      ...Object.entries(headers).flatMap(([name, value]) => [text(name), text(value)]),
    ])
    await new Promise<void>((resolve) => deflate.write(block, () => resolve()))
    const out = deflate.read()
    return Buffer.isBuffer(out) ? out : Buffer.alloc(0)
  }
  const open = async (id: number, headers: Readonly<Record<string, string>>) => {
    const head = Buffer.alloc(10)
    head.writeUInt32BE(id)
    return controlFrame(frameTypes.synStream, Buffer.concat([head, await compress(headers)]))
  }
  return { open }
}

test('a connection accepts streams with their headers, carries data, echoes pings and ends what is reset', async (t) => {
  const { open } = clientEnd()
  const written: Uint8Array[] = []
  const streams: SpdyStream[] = []
  const ping = controlFrame(frameTypes.ping, Uint8Array.of(0, 0, 0, 1))
  const sent = [
    await open(1, { streamtype: 'error', port: '80', requestid: '0' }),
    await open(3, { streamtype: 'data', port: '80', requestid: '0' }),
    ping,
    dataFrame(3, Buffer.from('hello ')),
    dataFrame(3, Buffer.from('world'), true),
    rstStream(1, 5),
  ]
  t.is(headerBlockOf(sent[0]?.subarray(8) ?? new Uint8Array()).length > 0, true)
  async function* input(): AsyncGenerator<Uint8Array> {
    const bytes = Buffer.concat(sent)
    for (let at = 0; at < bytes.length; at += 7) yield bytes.subarray(at, at + 7)
  }
  const pipe = {
    input: input(),
    write: async (data: Uint8Array) => {
      written.push(data)
    },
    close: async () => {},
  }
  await new SpdyConnection(pipe, (stream) => streams.push(stream)).run()
  t.deepEqual(
    streams.map(({ id, headers }) => `${id} ${headers['streamtype']} ${headers['port']}`),
    ['1 error 80', '3 data 80'],
  )
  t.deepEqual(written.map(hex), [synReply(1, true), synReply(3, false), ping].map(hex))
  const [error, data] = streams
  if (error === undefined || data === undefined) throw new Error('two streams were opened')
  t.true(error.signal.aborted)
  const received: Uint8Array[] = []
  for await (const chunk of data.input) received.push(chunk)
  t.is(Buffer.concat(received).toString(), 'hello world')
})

test('header blocks that cannot be decompressed, or are too long, end the connection', async (t) => {
  const run = (bytes: Uint8Array) => {
    async function* input(): AsyncGenerator<Uint8Array> {
      yield bytes
    }
    const pipe = { input: input(), write: async () => {}, close: async () => {} }
    return new SpdyConnection(pipe, () => {}).run()
  }
  const garbage = controlFrame(frameTypes.synStream, Buffer.alloc(40, 0xff))
  await t.throwsAsync(run(garbage), { instanceOf: StatusError, message: /cannot be read/ })
  const bomb = await clientEnd().open(1, { streamtype: 'x'.repeat(3_000_000) })
  await t.throwsAsync(run(bomb), { instanceOf: StatusError, message: /too long|cannot be read|cut short/ })
})
