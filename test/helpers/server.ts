/** A whole API server in this process: SQLite in a directory of the test, TLS on a free port of loopback. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Ambient, silentLogger, systemClock, systemRandom } from '#pkg/apimachinery/ambient.ts'
import { inProcess } from '#pkg/apimachinery/transport.ts'
import { type Serving, serve } from '#pkg/apiserver/serve.ts'
import { Client } from '#pkg/client/rest.ts'
import { startSourceWorker } from '#pkg/storage/sourceworker.ts'
import { openSqliteStorage } from '#pkg/storage/sqlite.ts'
import { adminUser } from './request.ts'
import { makeTempDir, type Teardown } from './tempdir.ts'

export interface TestServing extends Serving {
  /** The test's own directory. */
  readonly dir: string
  /** Of the administrator, mode 0600. */
  readonly kubeconfigPath: string
  /** The administrator's client, without a socket in between. */
  readonly client: Client
}

/** Serves until the test ends. */
export async function startServer(t: Teardown): Promise<TestServing> {
  const dir = await makeTempDir(t, 'server')
  const ambient: Ambient = { clock: systemClock(), random: systemRandom(), log: silentLogger }
  const storage = await openSqliteStorage({
    path: join(dir, 'cove.db'),
    startWorker: startSourceWorker,
  })
  const serving = await serve({
    storage,
    ambient,
    pkiDir: join(dir, 'pki'),
    host: '127.0.0.1',
    port: 0,
    hosts: [],
    build: { version: '0.1.0', platform: 'linux/amd64' },
  })
  t.teardown(async () => {
    await serving.close()
    await storage.close()
  })
  const kubeconfigPath = join(dir, 'kubeconfig')
  await writeFile(kubeconfigPath, serving.kubeconfig, { mode: 0o600 })
  const client = new Client(inProcess(serving.handler, adminUser), 'test')
  return { ...serving, dir, kubeconfigPath, client }
}
