import test from 'ava'
import fc from 'fast-check'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { demultiplex, jsonLines, rawOutput } from './dockerstream.ts'
import type { LogChunk } from './port.ts'

test('frames come out with their stream and content however the bytes are cut', async (t) => {
  const frames = fc.array(fc.record({ isError: fc.boolean(), data: fc.uint8Array({ maxLength: 40 }) }))
  await fc.assert(
    fc.asyncProperty(frames, fc.array(fc.integer({ min: 1, max: 12 })), async (list, cuts) => {
      const bytes = Buffer.concat(list.map(({ isError, data }) => makeFrame(isError ? 2 : 1, data)))
      const chunks = await collect(demultiplex(cut(bytes, cuts)))
      for (const [stream, isError] of [
        ['stdout', false],
        ['stderr', true],
      ] as const) {
        const wanted = list.filter((frame) => frame.isError === isError).map(({ data }) => data)
        const got = chunks.filter((chunk) => chunk.stream === stream).map(({ data }) => data)
        t.deepEqual(Buffer.concat(got), Buffer.concat(wanted))
      }
    }),
  )
})

test('an error frame of the engine breaks the output off with its words', async (t) => {
  const frames = cut(makeFrame(3, Buffer.from('log file is corrupt')), [])
  const error: unknown = await t.throwsAsync(collect(demultiplex(frames)), { message: /log file is corrupt/ })
  t.true(isReason(error, 'EngineError'))
})

test('output of a terminal is all stdout', async (t) => {
  const chunks = await collect(rawOutput(cut(Buffer.from('a\r\nb'), [2])))
  t.is(Buffer.concat(chunks.map(({ data }) => data)).toString(), 'a\r\nb')
  t.true(chunks.every(({ stream }) => stream === 'stdout'))
})

test('lines of JSON come out whole however the bytes are cut, also inside a character', async (t) => {
  const values = fc.array(fc.record({ a: fc.string({ unit: 'grapheme' }) }))
  await fc.assert(
    fc.asyncProperty(values, fc.array(fc.integer({ min: 1, max: 7 })), async (list, cuts) => {
      const bytes = Buffer.from(list.map((value) => `${JSON.stringify(value)}\r\n`).join(''))
      t.deepEqual(await collect(jsonLines(cut(bytes, cuts))), list)
    }),
  )
})

test('a line that is no JSON is an engine error', async (t) => {
  const error: unknown = await t.throwsAsync(collect(jsonLines(cut(Buffer.from('<html>\n'), []))))
  t.true(isReason(error, 'EngineError'))
})

function makeFrame(stream: number, data: Uint8Array): Buffer {
  const header = Buffer.alloc(8)
  header[0] = stream
  header.writeUInt32BE(data.length, 4)
  return Buffer.concat([header, data])
}

/** The bytes in pieces of the given sizes, the rest in one. */
async function* cut(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0
  for (const size of sizes) {
    if (at < bytes.length) yield bytes.subarray(at, at + size)
    at += size
  }
  if (at < bytes.length) yield bytes.subarray(at)
}

async function collect<T = LogChunk>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const item of source) items.push(item)
  return items
}
