/** Packings, recognised by their first bytes; what is broken is told to whoever reads it, and breaks nothing else. */
import { zstdCompressSync } from 'node:zlib'
import test from 'ava'
import { isReason, StatusError } from '#pkg/apimachinery/errors.ts'
import { compress, gather, piecesOf } from '#test/helpers/imagearchive.ts'
import { unpack } from './unpack.ts'

const plain = Buffer.from('some text that is packed again and again; '.repeat(5000))
const packed = {
  gzip: compress('gzip', plain),
  bzip2: compress('bzip2', plain),
  xz: compress('xz', plain),
  zstd: zstdCompressSync(plain),
}

for (const [name, bytes] of Object.entries(packed)) {
  test(`${name} is unpacked, in pieces of any size`, async (t) => {
    for (const size of [1, 100, 1_000_000]) t.deepEqual(await gather(unpack(piecesOf(bytes, size))), plain)
  })

  test(`${name} that breaks off or is damaged is BadRequest`, async (t) => {
    const damaged = Buffer.concat([bytes.subarray(0, 30), Buffer.alloc(60, 7)])
    for (const broken of [bytes.subarray(0, bytes.length - 12), damaged]) {
      const error = await t.throwsAsync(gather(unpack(piecesOf(broken, 50))))
      t.true(isReason(error, 'BadRequest'), error?.message)
      t.regex(error?.message ?? '', new RegExp(`packed with ${name}, and broken`))
    }
  })

  test(`${name} whose sender fails fails as that did`, async (t) => {
    async function* cut() {
      yield bytes.subarray(0, 40)
      throw new StatusError('SourceUnavailable', 'cut off')
    }
    await t.throwsAsync(gather(unpack(cut())), { message: 'cut off' })
  })

  test(`${name} that nobody reads to its end lets go of its sender`, async (t) => {
    let isOver = false
    async function* watched() {
      try {
        for (;;) yield bytes.subarray(0, 40)
      } finally {
        isOver = true
      }
    }
    const reading = unpack(watched())
    const first = await Promise.race([reading.next().catch(() => undefined)])
    void first
    await reading.return(undefined)
    await new Promise((resolve) => setImmediate(resolve))
    t.true(isOver)
  })
}

test('what is packed with nothing goes through as it is, also when it is short', async (t) => {
  for (const bytes of [plain, Buffer.from('a'), Buffer.alloc(0)])
    t.deepEqual(await gather(unpack(piecesOf(bytes, 7))), bytes)
})

test('bzip2 that is packed as tightly as can be comes block by block', async (t) => {
  const bytes = compress('bzip2', Buffer.alloc(200 * 1024 ** 2))
  t.true(bytes.length < 1000)
  let total = 0
  let largest = 0
  for await (const piece of unpack(piecesOf(bytes))) {
    total += piece.length
    largest = Math.max(largest, piece.length)
  }
  t.is(total, 200 * 1024 ** 2)
  t.true(largest < 64 * 1024 ** 2)
})
