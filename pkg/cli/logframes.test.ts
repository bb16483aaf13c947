import test from 'ava'
import fc from 'fast-check'
import { framesType } from '#pkg/apimachinery/frames.ts'
import { type LogChunk, readLog } from './logframes.ts'

function frame(stream: 1 | 2, data: string): Buffer {
  const body = Buffer.from(data)
  const header = Buffer.alloc(5)
  header[0] = stream
  header.writeUInt32BE(body.length, 1)
  return Buffer.concat([header, body])
}

async function* pieces(bytes: Buffer, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function collect(chunks: AsyncIterable<LogChunk>): Promise<Record<string, string>> {
  const text: Record<string, string> = { stdout: '', stderr: '' }
  for await (const { stream, data } of chunks) text[stream] += Buffer.from(data as Uint8Array).toString()
  return text
}

const headers = { 'content-type': framesType }

test('frames go to their streams however the bytes are cut', async (t) => {
  const bytes = Buffer.concat([frame(1, 'out 1\n'), frame(2, 'err\n'), frame(1, ''), frame(1, 'out 2\n')])
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 40 }), async (size) => {
      const found = await collect(readLog({ status: 200, headers, body: pieces(bytes, size) }))
      t.deepEqual(found, { stdout: 'out 1\nout 2\n', stderr: 'err\n' })
    }),
  )
})

test('any other body is standard output', async (t) => {
  const plain = { 'content-type': 'text/plain' }
  t.deepEqual(await collect(readLog({ status: 200, headers: plain, body: 'a\n' })), {
    stdout: 'a\n',
    stderr: '',
  })
})

test('a frame that is cut off is an error', async (t) => {
  const body = pieces(frame(1, 'abc').subarray(0, 6), 3)
  await t.throwsAsync(collect(readLog({ status: 200, headers, body })), { message: /broke off/ })
})
