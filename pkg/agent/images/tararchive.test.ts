import test from 'ava'
import fc from 'fast-check'
import { pack } from 'tar-stream'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { gather, piecesOf } from '#test/helpers/imagearchive.ts'
import { gatherBytes, tarEntries } from './tararchive.ts'

const long = `${'directory/'.repeat(20)}file`

async function archive(files: Readonly<Record<string, string>>): Promise<Buffer> {
  const writer = pack()
  for (const [name, content] of Object.entries(files)) writer.entry({ name }, content)
  writer.entry({ name: 'a/link', type: 'symlink', linkname: '../b' })
  writer.entry({ name: 'a', type: 'directory' })
  writer.finalize()
  return await gather(writer)
}

async function entriesOf(bytes: Uint8Array, size?: number) {
  const entries: { name: string; link: string; content: string }[] = []
  for await (const { name, link, content } of tarEntries(piecesOf(bytes, size))) {
    const isRead = !name.startsWith('skipped')
    entries.push({ name, link, content: isRead ? (await gatherBytes(content)).toString('latin1') : '' })
  }
  return entries
}

test('entries come out with their content however the bytes are cut, read or not', async (t) => {
  const bytes = await archive({ one: 'x'.repeat(700), skipped: 'y'.repeat(5000), [long]: 'ä', empty: '' })
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 3000 }), async (size) => {
      const entries = await entriesOf(bytes, size)
      t.deepEqual(
        entries.map(({ name, content }) => [name, content.length]),
        [
          ['one', 700],
          ['skipped', 0],
          [long, 2],
          ['empty', 0],
          ['a/link', 0],
          ['a', 0],
          ['', entries.at(-1)?.content.length],
        ],
      )
      t.is(entries[4]?.link, '../b')
    }),
    { numRuns: 30 },
  )
})

test('what an entry was written with makes up the archive again', async (t) => {
  const bytes = await archive({ one: '1', [long]: '2'.repeat(513) })
  const pieces: Uint8Array[] = []
  for await (const { head, content, padding } of tarEntries(piecesOf(bytes, 100)))
    pieces.push(head, await gatherBytes(content), padding)
  t.deepEqual(Buffer.concat(pieces), bytes)
})

test('an archive that breaks off anywhere, or is none, fails', async (t) => {
  const bytes = await archive({ one: '1'.repeat(600), two: '2' })
  const whole = bytes.length - 1024
  for (const cut of [0, 100, 512, 700, 1536, 2000, whole]) {
    const error: unknown = await t.throwsAsync(entriesOf(bytes.subarray(0, cut)), undefined, String(cut))
    t.true(isReason(error, 'EngineError'), String(cut))
    t.regex(String(error), /breaks off/)
  }
  t.regex(String(await t.throwsAsync(entriesOf(Buffer.alloc(2048, 'hello')))), /is no tar archive/)
})

test('whoever leaves an archive lets go of where it comes from', async (t) => {
  const bytes = await archive({ one: '1', two: '2' })
  let isClosed = false
  async function* source() {
    try {
      yield* piecesOf(bytes, 512)
    } finally {
      isClosed = true
    }
  }
  for await (const { name } of tarEntries(source())) {
    t.is(name, 'one')
    break
  }
  t.true(isClosed)
})

test('a size beyond what octal digits can say is read', async (t) => {
  const header = (await archive({ large: 'x' })).subarray(0, 512)
  const size = 9 * 1024 ** 3
  header.fill(0, 124, 136)
  header[124] = 0x80
  header.writeBigUInt64BE(BigInt(size), 128)
  header.fill(0x20, 148, 156)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  async function* source() {
    yield header
    for (let sent = 0; sent < 2; sent++) yield Buffer.alloc(1024)
  }
  for await (const { name, content } of tarEntries(source())) {
    t.is(name, 'large')
    await t.throwsAsync(gatherBytes(content), { message: /breaks off/ })
    break
  }
})

/** A header whose size is written so. */
async function sized(size: string): Promise<Buffer> {
  const header = (await archive({ any: 'x' })).subarray(0, 512)
  header.write(size, 124, 12, 'latin1')
  return summed(header)
}

function summed(header: Buffer): Buffer {
  header.fill(0x20, 148, 156)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return header
}

test('a size that is no number, or none that can be, is no archive', async (t) => {
  for (const size of ['zzzzzzzzzzz\0', '-0000000001\0', '\xff'.repeat(12), `\x80${'\xff'.repeat(11)}`]) {
    const error: unknown = await t.throwsAsync(
      entriesOf(Buffer.concat([await sized(size), Buffer.alloc(2048)])),
    )
    t.true(isReason(error, 'EngineError'), JSON.stringify(size))
  }
})

test('words about an entry that make no sense, or have no end, are refused', async (t) => {
  const about = async (text: string) => {
    const writer = pack()
    writer.entry({ name: 'pax' }, text)
    writer.finalize()
    const bytes = await gather(writer)
    bytes[156] = 'x'.charCodeAt(0)
    summed(bytes.subarray(0, 512))
    return bytes
  }
  for (const text of ['1e-300 path=a\n', '0.5 a=b\n', '3 a', '99 path=a\n', ' a=b\n', '11 size=-5\n']) {
    const next = await archive({ any: 'x' })
    const error: unknown = await t.throwsAsync(
      entriesOf(Buffer.concat([(await about(text)).subarray(0, 1024), next])),
      undefined,
      text,
    )
    t.true(isReason(error, 'EngineError'), text)
  }
  const one = (await about('10 path=a\n')).subarray(0, 1024)
  async function* endless() {
    for (;;) yield one
  }
  await t.throwsAsync(
    async () => {
      for await (const { name } of tarEntries(endless())) t.fail(name)
    },
    { message: /damaged/ },
  )
})
