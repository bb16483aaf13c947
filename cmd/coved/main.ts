/** The control plane: storage, API server and controllers. Wiring only. */
import { mkdir } from 'node:fs/promises'
import { homedir, hostname, networkInterfaces } from 'node:os'
import { dirname, join } from 'node:path'
import type { Ambient, Logger } from '#pkg/apimachinery/ambient.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { diskError, readIfThere, replaceFile } from '#pkg/apimachinery/files.ts'
import { inProcess } from '#pkg/apimachinery/transport.ts'
import { adminGroup } from '#pkg/apiserver/access/authenticate.ts'
import { type Serving, serve } from '#pkg/apiserver/serve.ts'
import { Client } from '#pkg/client/rest.ts'
import { runControllers } from '#pkg/controller/controllers.ts'
import type { AccountTokenSource } from '#pkg/controller/tokens.ts'
import type { StartWorker } from '#pkg/storage/sqlite.ts'
import { openData } from './data.ts'

export interface ControlPlaneOptions {
  readonly dataDir: string
  readonly listen: { readonly host: string; readonly port: number }
  readonly ambient: Ambient
  readonly startWorker: StartWorker
  /** Further names and addresses by which clients reach the server. */
  readonly hosts?: readonly string[]
  readonly nodeCertificateMs?: number | undefined
  /** A path; "-": standard output; "off". Absent: `audit.log` in the data directory. */
  readonly auditLog?: string | undefined
  /** Of one file that is uploaded; absent: 10 GiB. */
  readonly maxUploadBytes?: number | undefined
  readonly build: { readonly version: string; readonly commit: string }
}

export interface ControlPlane {
  readonly serving: Serving
  /** Stops the controllers, then serving, then writing. Resolves when nothing runs any more. */
  close(): Promise<void>
}

const controllerUser = { name: 'system:cove-controllers', groups: [adminGroup, 'system:authenticated'] }

/** Resolves when the API answers; `DIR/admin.kubeconfig` is written before. */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { dataDir, ambient, build } = options
  const program = build.version.replace(/^v/, '')
  const data = await openData({ ...options, program })
  const own = join(dataDir, 'admin.kubeconfig')
  const users = join(homedir(), '.cove/kubeconfig')
  let isServing = false
  const serving = await serve({
    ...options.listen,
    storage: data.storage,
    surfaces: data.surfaces,
    checks: data.checks,
    audit: data.audit,
    uploads: data.uploads,
    ambient,
    pkiDir: join(dataDir, 'pki'),
    hosts: [hostname(), ...(options.hosts ?? []), ...ownAddresses(options.listen.host)],
    nodeCertificateMs: options.nodeCertificateMs,
    build: { ...build, version: program, platform: platform() },
    publish: (kubeconfig) => writeKubeconfigs(kubeconfig, isServing ? [own, users] : [own], ambient.log),
  }).catch(async (error) => {
    await data.close()
    throw error
  })
  // Where kubectl's and cove's users look first: not before the port is ours, or a failed start would cut them off.
  isServing = true
  await writeKubeconfigs(serving.kubeconfig, [users], ambient.log)
  ambient.log.info('API server ready', { url: serving.url, dataDir })
  const stop = new AbortController()
  const client = new Client(inProcess(serving.handler, controllerUser), 'cove-controllers')
  const { accountTokens, pki } = serving
  const tokenSource: AccountTokenSource = {
    issueForSecret: (account, secretName) => accountTokens.issueForSecret(account, secretName),
    ca: pki.ca.cert,
  }
  const controllers = runControllers({ client, ambient, accountTokens: tokenSource }, stop.signal)
  return {
    serving,
    async close() {
      stop.abort()
      await controllers
      await serving.close()
      await data.close()
    },
  }
}

async function writeKubeconfigs(text: string, paths: readonly string[], log: Logger): Promise<void> {
  for (const path of paths) {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    if ((await readIfThere(path)) !== text) await writeKubeconfig(path, text, log)
  }
}

/** A full disk is no reason not to serve: an earlier one may do, and clients with one of their own need none. */
async function writeKubeconfig(path: string, text: string, log: Logger): Promise<void> {
  try {
    await replaceFile(path, text)
  } catch (error) {
    const failure = diskError(error, `cannot write ${path}`)
    if (!isReason(failure, 'NoSpace')) throw failure
    log.error('the kubeconfig of the administrator cannot be written', { path, error: failure.message })
  }
}

/** Who listens everywhere is reached by each of the machine's addresses. */
function ownAddresses(host: string): string[] {
  if (host !== '0.0.0.0' && host !== '::') return []
  const found = Object.values(networkInterfaces()).flatMap((entries) => entries ?? [])
  return found.filter(({ scopeid }) => (scopeid ?? 0) === 0).map(({ address }) => address)
}

/** As Go writes it. */
function platform(): string {
  return `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`
}
