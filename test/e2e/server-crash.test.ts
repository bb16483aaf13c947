/**
 * The executable `bin/cove server` is killed one hundred times under a load of writes over HTTPS, each time on the
 * same data. What a writer was told is written must be there after every kill, as it was written, and once.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { seededRandom } from '#pkg/apimachinery/ambient.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { type ConfigMap, configMapKind } from '#pkg/apis/core.ts'
import { httpsTransport } from '#pkg/client/https.ts'
import { loadKubeconfig } from '#pkg/client/kubeconfig.ts'
import { Client } from '#pkg/client/rest.ts'
import { parseYaml } from '#pkg/manifest/yaml.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { freePort } from '#test/helpers/registry.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'

const rounds = 100
const writers = 16
const executable = fileURLToPath(new URL('../../bin/cove', import.meta.url))
const never = new AbortController().signal

interface Server {
  readonly child: ChildProcess
  readonly client: Client
  close(): void
}

async function startServer(home: string, address: string): Promise<Server> {
  const dataDir = join(home, 'data')
  const words = ['server', '--data-dir', dataDir, '--listen', address, '--log-level', 'warn']
  const child = spawn(executable, words, { env: { HOME: home }, stdio: ['ignore', 'inherit', 'inherit'] })
  const path = join(dataDir, 'admin.kubeconfig')
  await eventually(() => access(path), { timeoutMs: 20_000, what: 'the kubeconfig' })
  const target = await loadKubeconfig({
    explicit: path,
    home,
    directory: home,
    readFile: (file) => readFile(file, 'utf8'),
    parseYaml,
  })
  const transport = httpsTransport(target)
  const client = new Client(transport, 'test')
  await eventually(() => client.list(configMapKind, { namespace: 'default' }, never).then(() => undefined), {
    timeoutMs: 20_000,
    what: 'the server',
  })
  return { child, client, close: () => transport.close() }
}

/** Writes 1, 2, 3, ... into its own object; notes what was acknowledged and what was under way at the end. */
async function write(client: Client, name: string, known: Map<string, Known>): Promise<void> {
  for (;;) {
    const { acknowledged } = known.get(name) ?? { acknowledged: 0, revision: 0 }
    const next = acknowledged + 1
    try {
      const written = await put(client, name, next)
      known.set(name, { acknowledged: next, revision: Number(written.metadata.resourceVersion) })
    } catch (error) {
      // The connection broke with the server: this write may have happened or not.
      if (isReason(error, 'ServiceUnavailable')) return
      throw error
    }
  }
}

interface Known {
  readonly acknowledged: number
  readonly revision: number
}

function put(client: Client, name: string, count: number): Promise<ConfigMap> {
  const metadata = { name, namespace: 'default' }
  const value: ConfigMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { count: String(count) } }
  return count === 1 ? client.create(configMapKind, value, never) : client.update(configMapKind, value, never)
}

test('no acknowledged write is lost and none is there twice, however often the server is killed', async (t) => {
  t.timeout(240_000)
  const home = await makeTempDir(t, 'crash')
  const address = `127.0.0.1:${await freePort()}`
  const random = seededRandom(7)
  const known = new Map<string, Known>()
  const names = Array.from({ length: writers }, (_, index) => `writer-${index}`)
  let total = 0
  for (let round = 0; round < rounds; round++) {
    const server = await startServer(home, address)
    const { items } = await server.client.list(configMapKind, { namespace: 'default' }, never)
    t.is(new Set(items.map(({ metadata }) => metadata.name)).size, items.length)
    for (const item of items) {
      const { acknowledged, revision } = known.get(item.metadata.name) ?? { acknowledged: 0, revision: 0 }
      const found = Number(item.data?.['count'])
      const wasUnderWay = found === acknowledged + 1 && Number(item.metadata.resourceVersion) > revision
      const isAcknowledged = found === acknowledged && Number(item.metadata.resourceVersion) === revision
      t.true(
        wasUnderWay || isAcknowledged,
        `round ${round}: ${item.metadata.name} has ${found}, acknowledged ${acknowledged}`,
      )
      known.set(item.metadata.name, { acknowledged: found, revision: Number(item.metadata.resourceVersion) })
    }
    t.true(items.length >= known.size)
    const before = [...known.values()].reduce((sum, { acknowledged }) => sum + acknowledged, 0)
    const working = Promise.all(names.map((name) => write(server.client, name, known)))
    const deadline = before + 20 + Math.floor(random.next() * 200)
    await eventually(
      () => {
        const now = [...known.values()].reduce((sum, { acknowledged }) => sum + acknowledged, 0)
        if (now < deadline) throw new Error(`${now} of ${deadline} writes`)
      },
      { timeoutMs: 20_000, what: 'some writes' },
    )
    const gone = once(server.child, 'exit')
    server.child.kill('SIGKILL')
    await Promise.all([gone, working])
    server.close()
    total = [...known.values()].reduce((sum, { acknowledged }) => sum + acknowledged, 0)
  }
  t.log(`${rounds} kills, ${total} acknowledged writes`)
})
