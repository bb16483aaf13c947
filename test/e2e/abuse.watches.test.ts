/** Ten thousand open watches on one `cove server`: all of them hear of a change, and the rest is served meanwhile. */
import { deepEqual, ok } from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { createSecureContext, type TLSSocket } from 'node:tls'
import test from 'ava'
import { CoveServer } from '../helpers/coveserver.ts'
import { eventually } from '../helpers/eventually.ts'
import { type Door, dial, requestText, say } from '../helpers/rawtls.ts'
import { makeTempDir } from '../helpers/tempdir.ts'

const mebibyte = 1024 * 1024
const configMaps = '/api/v1/namespaces/default/configmaps'
/** A machine that allows fewer files takes part with fewer watches. */
const wanted = 10_000
const sparedFiles = 500
const perWatch = 160 * 1024
const tellWithinMs = 20_000

test('ten thousand watches hear of a change, cost little, and leave when they are closed', async (t) => {
  t.timeout(180_000)
  const home = await makeTempDir(t, 'watches')
  const server = new CoveServer(t, { home, dataDir: `${home}/data` })
  await server.start()
  const { server: url, ca = '', cert = '', key = '' } = server.target
  const door: Door = { port: Number(new URL(url).port), ca, context: createSecureContext({ ca, cert, key }) }
  const count = Math.min(wanted, (await openFiles()) - sparedFiles)
  const before = await rss(server.pid)
  const started = performance.now()
  const heard = { changes: 0 }
  const sockets: TLSSocket[] = []
  while (sockets.length < count) {
    const some = Math.min(100, count - sockets.length)
    sockets.push(...(await Promise.all(Array.from({ length: some }, () => watch(door, heard)))))
  }
  const opened = performance.now()
  const body = JSON.stringify({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'news' },
    data: { a: 'b' },
  })
  t.is((await say(door, requestText('POST', configMaps, body))).status, 201)
  t.is((await say(door, requestText('GET', `${configMaps}/news`))).status, 200)
  await eventually(() => deepEqual(heard.changes, count), { timeoutMs: tellWithinMs, what: 'the news' })
  const told = performance.now()
  const grown = (await rss(server.pid)) - before
  t.log(
    `${count} watches: opened in ${Math.round(opened - started)} ms, all told within ${Math.round(told - opened)} ms, ` +
      `${Math.round(grown / mebibyte)} MiB more, ${Math.round(grown / count / 1024)} KiB each`,
  )
  t.true(grown < count * perWatch, `${Math.round(grown / mebibyte)} MiB more`)
  for (const socket of sockets) socket.destroy()
  await eventually(async () => ok((await descriptors(server.pid)) < 200), { timeoutMs: 30_000, pauseMs: 200 })
  t.is((await say(door, requestText('GET', `${configMaps}/news`))).status, 200)
})

async function watch(door: Door, heard: { changes: number }): Promise<TLSSocket> {
  const socket = await dial(door)
  const answered = Promise.withResolvers<void>()
  socket.on('data', (chunk: Buffer) => {
    answered.resolve()
    if (chunk.includes('"name":"news"')) heard.changes++
  })
  socket.on('close', () => answered.resolve())
  socket.write(requestText('GET', `${configMaps}?watch=1`))
  await answered.promise
  return socket
}

async function openFiles(): Promise<number> {
  const limits = await readFile('/proc/self/limits', 'utf8')
  return Number(/Max open files\s+(\d+)/.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY)
}

async function rss(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024
}

/** Files that the process has open. */
async function descriptors(pid: number): Promise<number> {
  return (await readdir(`/proc/${pid}/fd`)).length
}
