/** Standard input as a build takes it: a Dockerfile or an archive, and nothing that has no end. */
import { readFile, rm } from 'node:fs/promises'
import test, { type ExecutionContext } from 'ava'
import { packInline } from '#pkg/build/context/inline.ts'
import { gather } from '#test/helpers/imagearchive.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { readStdin } from './stdin.ts'

async function read(t: ExecutionContext, input: () => AsyncGenerator<Uint8Array>) {
  const env = { TMPDIR: await makeTempDir(t, 'stdin') }
  return await readStdin({ env, signal: new AbortController().signal, terminal: { input } })
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

test('nothing at all is told as that', async (t) => {
  await t.throwsAsync(
    read(t, async function* () {}),
    { message: 'nothing comes from standard input' },
  )
})
