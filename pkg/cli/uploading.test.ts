import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { ManualClock } from '#pkg/apimachinery/ambient.ts'
import { isReason, type Reason, StatusError } from '#pkg/apimachinery/errors.ts'
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
  return { uploader: new Uploader(session, output), written, clock }
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

/** A server of which the first answers to PUT are these, and the others as they should be. */
function failing(reasons: readonly Reason[]) {
  const { transport, seen } = server()
  const left = [...reasons]
  const cut: Transport = async (request) => {
    const reason = request.method === 'PUT' ? left.shift() : undefined
    if (reason === undefined) return await transport(request)
    // As much as there is of a file before a connection breaks.
    for await (const _ of request.input ?? []) break
    throw new StatusError(
      reason,
      `${reason} it is`,
      reason === 'TooManyRequests' ? { retryAfterSeconds: 5 } : {},
    )
  }
  return { transport: cut, seen }
}

test('a file whose sending is cut is sent again as a whole, with growing pauses', async (t) => {
  const { transport, seen } = failing(['ServiceUnavailable', 'Timeout', 'TooManyRequests'])
  const { uploader, written, clock } = make(transport, false)
  const sending = uploader.send([await makeFile(t, 'one.tar', 1024 ** 2)], 'shop')
  for (const [told, pauseMs] of [1000, 2000, 5000].entries()) {
    while (written.length <= told || clock.nextTimer() === undefined)
      await new Promise((resolve) => setImmediate(resolve))
    await clock.advance(pauseMs)
  }
  await sending
  t.is(seen.puts, 1)
  t.deepEqual(written, [
    'one.tar: ServiceUnavailable it is; it is sent again in 1s\n',
    'one.tar: Timeout it is; it is sent again in 2s\n',
    'one.tar: TooManyRequests it is; it is sent again in 5s\n',
    'one.tar: uploaded (1Mi)\n',
  ])
})

test('a server that stays away ends it, with what to do', async (t) => {
  const { uploader, written, clock } = make(failing(Array(9).fill('ServiceUnavailable')).transport, false)
  const sending = t.throwsAsync(uploader.send([await makeFile(t, 'one.tar', 2048)], 'shop'), {
    message: 'one.tar is not sent, in 6 tries: ServiceUnavailable it is; the same command again sends it',
  })
  for (const [told, pauseMs] of [1000, 2000, 4000, 8000, 15_000].entries()) {
    while (written.length <= told || clock.nextTimer() === undefined)
      await new Promise((resolve) => setImmediate(resolve))
    await clock.advance(pauseMs)
  }
  t.true(isReason(await sending, 'ServiceUnavailable'))
})

test('a file that is too much for the server is not sent again, and it is said which one and what to do', async (t) => {
  const one = await makeFile(t, 'one.tar', 2048)
  for (const reason of ['NoSpace', 'RequestEntityTooLarge'] as const) {
    const of = (file: LocalFile) => make(failing([reason]).transport, false).uploader.send([file], 'shop')
    await t.throwsAsync(of(one), { message: `one.tar (2Ki) is not sent: ${reason} it is` })
    await t.throwsAsync(of({ ...one, path: 'context .', digest: `tree:${'0'.repeat(64)}` }), {
      message: `context . (2Ki) is not sent: ${reason} it is; leave out what the build does not need with a .dockerignore`,
    })
  }
})

test('where nobody draws, a file that takes a while is told of before it is there', async (t) => {
  const { transport } = server()
  const { uploader, written, clock } = make(transport, false)
  const file = await makeFile(t, 'one.tar', 3000)
  const content = Buffer.alloc(3000, 'one.tar')
  async function* open() {
    for (const from of [0, 1000, 2000]) {
      yield content.subarray(from, from + 1000)
      await clock.advance(700)
    }
  }
  await uploader.send([{ ...file, open }], 'shop')
  t.deepEqual(written, ['one.tar: sending 2.9Ki\n', 'one.tar: uploaded (2.9Ki)\n'])
})
