/**
 * Who may touch a data directory at this moment: the server that runs on it, asked through its admin kubeconfig, or
 * this process, when none runs. The lock on the store says which.
 */
import { randomUUID } from 'node:crypto'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { type Ambient, silentLogger, systemClock, systemRandom } from '#pkg/apimachinery/ambient.ts'
import { isReason, StatusError } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { type ApiResponse, readAll, type Transport } from '#pkg/apimachinery/transport.ts'
import { keysPath, prunePath, rotatePath, snapshotPath } from '#pkg/apiserver/data/maintenance.ts'
import {
  type KeyUse,
  keysFile,
  type Pruning,
  type Rotation,
  readKeys,
  SecretStore,
} from '#pkg/apiserver/data/secretstore.ts'
import { makeSnapshot } from '#pkg/apiserver/data/snapshot.ts'
import { httpsTransport } from '#pkg/client/https.ts'
import { loadKubeconfig } from '#pkg/client/kubeconfig.ts'
import { parseYaml } from '#pkg/manifest/yaml.ts'
import { openInProcessStorage } from '#pkg/storage/inprocess.ts'
import type { FileStorage } from '#pkg/storage/port.ts'
import { copyDatabase, outlineDatabase } from '#pkg/storage/sqliteinspect.ts'
import { databaseFile } from '../coved/data.ts'
import { buildInfo, versionText } from './embedded.ts'
import { readFileIfThere } from './io.ts'

export interface DataOwner {
  /** To be read to its end. */
  snapshot(options: { readonly withKeys: boolean }): Promise<AsyncIterable<Uint8Array>>
  keys(): Promise<readonly KeyUse[]>
  rotate(): Promise<Rotation>
  prune(): Promise<Pruning>
  close(): Promise<void>
}

/** Throws NotFound when there is no store, ServiceUnavailable when its server runs and does not answer. */
export async function openOwner(dataDir: string): Promise<DataOwner> {
  try {
    outlineDatabase(join(dataDir, databaseFile))
  } catch (error) {
    if (isReason(error, 'InUse')) return await runningServer(dataDir)
    throw error
  }
  return thisProcess(dataDir)
}

function thisProcess(dataDir: string): DataOwner {
  const path = join(dataDir, databaseFile)
  const ambient: Ambient = { clock: systemClock(), random: systemRandom(), log: silentLogger }
  let storage: FileStorage | undefined
  const keyFile = join(dataDir, 'pki', keysFile)
  const secrets = async () => {
    // Only a server makes the first key: here a missing file is somebody's mistake.
    if ((await readKeys(keyFile)) === undefined) throw new StatusError('NotFound', `there is no ${keyFile}`)
    storage ??= openInProcessStorage({ path })
    return SecretStore.open({ storage, path: keyFile, ambient })
  }
  return {
    async snapshot({ withKeys }) {
      const { chunks } = await makeSnapshot({
        dataDir,
        copyTo: async (to) => copyDatabase(path, to),
        withKeys,
        created: new Date().toISOString(),
        program: buildInfo().version.replace(/^v/, ''),
      })
      return chunks
    },
    keys: async () => (await secrets()).list(),
    rotate: async () => (await secrets()).rotate(),
    prune: async () => (await secrets()).prune(),
    async close() {
      await storage?.close()
    },
  }
}

async function runningServer(dataDir: string): Promise<DataOwner> {
  const target = await loadKubeconfig({
    explicit: join(dataDir, 'admin.kubeconfig'),
    home: homedir(),
    directory: dataDir,
    readFile: readFileIfThere,
    parseYaml,
  })
  const transport = httpsTransport({
    ...target,
    userAgent: `cove/${versionText()} ${randomUUID().slice(0, 8)}`,
  })
  // The answers of our own server: what its types say.
  const json = async <T>(method: string, path: string) =>
    JSON.parse(await readAll((await ask(transport, method, path)).body)) as T
  return {
    async snapshot({ withKeys }) {
      const { body } = await ask(transport, 'POST', snapshotPath, { keys: String(withKeys) })
      return bytes(body)
    },
    keys: () => json<readonly KeyUse[]>('GET', keysPath),
    rotate: () => json<Rotation>('POST', rotatePath),
    prune: () => json<Pruning>('POST', prunePath),
    close: async () => transport.close(),
  }
}

async function ask(
  transport: Transport,
  method: string,
  path: string,
  query: Record<string, string> = {},
): Promise<ApiResponse> {
  const { signal } = new AbortController()
  const response = await transport({ method, path, query: new URLSearchParams(query), headers: {}, signal })
  if (response.status === 200) return response
  const text = await readAll(response.body)
  const status: unknown = text.startsWith('{') ? JSON.parse(text) : undefined
  const said = isPlainObject(status) && typeof status['message'] === 'string' ? status['message'] : text
  throw new StatusError('InternalError', `the running server refused: ${said}`)
}

async function* bytes(body: ApiResponse['body']): AsyncGenerator<Uint8Array, undefined> {
  if (typeof body === 'string' || body instanceof Uint8Array) yield Buffer.from(body)
  else for await (const chunk of body) yield Buffer.from(chunk as Uint8Array)
  return undefined
}
