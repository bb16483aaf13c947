/** Standard input as a build takes it: a Dockerfile or an archive, and nothing that has no end. */
import { readFile, rm } from 'node:fs/promises'
import { PassThrough } from 'node:stream'
import test, { type ExecutionContext } from 'ava'
import { packInline } from '#pkg/build/context/inline.ts'
import { gather } from '#test/helpers/imagearchive.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { readStdin } from './stdin.ts'

async function read(
  t: ExecutionContext,
  input: () => AsyncIterable<Uint8Array>,
  { signal } = new AbortController(),
) {
  const env = { TMPDIR: await makeTempDir(t, 'stdin') }
  return await readStdin({ env, signal, terminal: { input } })
}

test('text is a Dockerfile, in pieces of any size', async (t) => {
  const text = Buffer.from('FROM scratch\n# größer\n')
  async function* bytes() {
    for (const byte of text) yield Buffer.from([byte])
  }
  t.deepEqual(await read(t, bytes), { dockerfile: text.toString() })
})

test('an archive is put aside, as it came', async (t) => {
  const { archive } = await read(t, () => packInline({ Dockerfile: 'FROM scratch\n' }))
  if (archive === undefined) throw new Error('it is no archive')
  t.deepEqual(await readFile(archive.path), await gather(packInline({ Dockerfile: 'FROM scratch\n' })))
  await rm(archive.directory, { recursive: true })
})

test('what has no end is given up, and nothing that has begun is left', async (t) => {
  for (const [piece, message] of [
    ['RUN true\n', /Dockerfile on standard input is longer than 256Ki/],
    ['\0\x01\x02', /neither a Dockerfile nor a tar archive/],
  ] as const) {
    let isLeft = false
    async function* endless() {
      try {
        for (;;) yield Buffer.from(piece.repeat(1000))
      } finally {
        isLeft = true
      }
    }
    await t.throwsAsync(read(t, endless), { message })
    t.true(isLeft)
  }
})

test('whoever breaks it off while nothing comes is not kept waiting', async (t) => {
  for (const begun of [Buffer.alloc(0), Buffer.from('FROM scratch\n'), Buffer.from([0x1f, 0x8b])]) {
    const interrupt = new AbortController()
    const input = new PassThrough()
    input.write(begun)
    const reading = read(t, () => input, interrupt)
    setImmediate(() => interrupt.abort(new Error('Ctrl-C')))
    await t.throwsAsync(reading, { message: /Ctrl-C|aborted/ })
  }
})

test('nothing at all is told as that', async (t) => {
  await t.throwsAsync(
    read(t, async function* () {}),
    { message: 'nothing comes from standard input' },
  )
})
