import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { ManualClock } from '#pkg/apimachinery/ambient.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import type { Transport } from '#pkg/apimachinery/transport.ts'
import { Client } from '#pkg/client/rest.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import type { Output } from './io.ts'
import type { LocalFile } from './localfiles.ts'
import type { Session } from './session.ts'
import { Uploader } from './uploading.ts'

async function makeFile(t: ExecutionContext, path: string, bytes: number): Promise<LocalFile> {
  const absolute = join(await makeTempDir(t, 'upload'), path)
  const content = Buffer.alloc(bytes, path)
  await writeFile(absolute, content)
  return { path, absolute, bytes, digest: `sha256:${createHash('sha256').update(content).digest('hex')}` }
}

/** A server that takes files, and how many it was sent at once. */
function server() {
  const there = new Set<string>()
  const seen = { puts: 0, atOnce: 0, most: 0 }
  const transport: Transport = async ({ method, path, input }) => {
    if (method === 'HEAD') return { status: there.has(path) ? 200 : 404, headers: {}, body: '' }
    seen.puts++
    seen.atOnce++
    seen.most = Math.max(seen.most, seen.atOnce)
    const hash = createHash('sha256')
    for await (const chunk of input ?? []) hash.update(chunk)
    seen.atOnce--
    t200(path, hash.digest('hex'))
    there.add(path)
    return { status: 201, headers: {}, body: '{}' }
  }
  return { transport, seen }
}

function t200(path: string, hex: string): void {
  if (!path.endsWith(hex)) throw new Error(`${path} is not what came: ${hex}`)
}

function make(transport: Transport, isTTY: boolean) {
  const written: string[] = []
  const clock = new ManualClock(0)
  const output: Output = {
    isTTY,
    columns: 40,
    async write(text) {
      written.push(String(text))
      await clock.advance(100)
    },
  }
  const session: Session = {
    client: new Client(transport, 'test'),
    open: () => Promise.reject(new Error('no streams here')),
    warned: new Set(),
    signal: new AbortController().signal,
    clock,
    namespace: 'default',
    server: 'https://test',
  }
  return { uploader: new Uploader(session, output), written }
}

test('files are sent one at a time, each once, with a line for each', async (t) => {
  const { transport, seen } = server()
  const { uploader, written } = make(transport, false)
  const [one, other] = [await makeFile(t, 'one.tar', 2048), await makeFile(t, 'other.tar', 4096)]
  await Promise.all([
    uploader.send([one], 'shop'),
    uploader.send([other, one], 'shop'),
    uploader.send([one], 'bank'),
  ])
  t.deepEqual(written, [
    'one.tar: uploaded (2Ki)\n',
    'other.tar: uploaded (4Ki)\n',
    'one.tar: uploaded (2Ki)\n',
  ])
  t.deepEqual([seen.puts, seen.most], [3, 1])
  const later = make(transport, false)
  await later.uploader.send([one, other], 'shop')
  t.deepEqual(later.written, [])
})

test('on a terminal a line tells how far it is, and goes when it is done', async (t) => {
  const { uploader, written } = make(server().transport, true)
  await uploader.send([await makeFile(t, 'one.tar', 1024 ** 2)], 'shop')
  const drawn = written.filter((text) => text.startsWith('\r\u001b[K'))
  t.is(drawn[0]?.slice(4), 'one.tar: [======                  ] 25%')
  t.true(drawn.every((text) => text.length - 4 < 40))
  t.deepEqual(written.slice(-2), ['\r\u001b[K', 'one.tar: uploaded (1Mi)\n'])
})

test('a file that has gone meanwhile is said to be so, and the next one is sent all the same', async (t) => {
  const { transport } = server()
  const { uploader, written } = make(transport, false)
  const one = await makeFile(t, 'one.tar', 2048)
  const gone = {
    ...one,
    path: 'gone.tar',
    absolute: `${one.absolute}.gone`,
    digest: `sha256:${'0'.repeat(64)}`,
  }
  const [failed] = await Promise.all([
    t.throwsAsync(uploader.send([gone], 'shop')),
    uploader.send([one], 'shop'),
  ])
  t.true(isReason(failed, 'BadRequest'))
  t.regex(failed?.message ?? '', /cannot read "gone\.tar"/)
  t.deepEqual(written, ['one.tar: uploaded (2Ki)\n'])
})
