/** `cove up|server|agent`: flags, signals, and which parts run in this process. */

import { randomUUID } from 'node:crypto'
import { fstatSync, writeSync } from 'node:fs'
import { homedir, hostname } from 'node:os'
import { text } from 'node:stream/consumers'
import { setFlagsFromString } from 'node:v8'
import { diskCopy } from '#pkg/agent/nodecopyfile.ts'
import { type Ambient, systemClock, systemRandom } from '#pkg/apimachinery/ambient.ts'
import { badRequest } from '#pkg/apimachinery/errors.ts'
import { type Handler, inProcess } from '#pkg/apimachinery/transport.ts'
import { nodeUser, ownNodeUser } from '#pkg/apiserver/access/authenticate.ts'
import { type ClientIdentity, httpsTransport } from '#pkg/client/https.ts'
import { loadKubeconfig, type ServerConfig } from '#pkg/client/kubeconfig.ts'
import { dialTunnel, serveThroughTunnel } from '#pkg/client/tunnel.ts'
import { parseYaml } from '#pkg/manifest/yaml.ts'
import { ensureIdentity, type IdentityOptions, keepIdentity } from '../cove-agent/identity.ts'
import { runAgent } from '../cove-agent/main.ts'
import { type ControlPlane, startControlPlane } from '../coved/main.ts'
import { buildInfo, storageWorker, versionText } from './embedded.ts'
import { type DaemonFlags, type DaemonName, daemonHelp, parseFlags, serverTools } from './flags.ts'
import { readFileIfThere } from './io.ts'
import { lineLogger } from './log.ts'
import { fileLines } from './logfile.ts'

/**
 * By how much of what is in use the heap may grow before garbage is looked for. Left to itself V8 waits until a busy
 * server holds several times what it needs, more the fewer cores there are to look beside the work.
 */
const heapGrowth = '--heap-growing-percent=50'

/** Runs until SIGTERM or SIGINT; resolves to the exit code. */
export async function runDaemon(name: DaemonName, words: readonly string[]): Promise<number> {
  const { env } = process
  const isRoot = process.getuid?.() === 0
  if (name === 'server' && serverTools.has(words[0] ?? '')) {
    const { runServerTool } = await import('./servertools.ts')
    return await runServerTool(words, isRoot)
  }
  const flags = parseFlags(name, words, {
    env,
    home: homedir(),
    cwd: process.cwd(),
    hostname: hostname(),
    isRoot,
  })
  if (flags === undefined) {
    process.stdout.write(daemonHelp(name))
    return 0
  }
  setFlagsFromString(heapGrowth)
  const log = lineLogger(flags.logLevel, errorLines())
  const ambient: Ambient = { clock: systemClock(), random: systemRandom(), log }
  const stop = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      log.info('stopping; containers keep running', { signal })
      stop.abort()
      // A second one means now.
      process.once(signal, () => process.exit(1))
    })
  }
  log.info(`cove ${name}`, { version: versionText(), pid: process.pid, run: randomUUID().slice(0, 8) })
  await parts[name](flags, ambient, stop.signal)
  log.info('stopped')
  return 0
}

/** A reader that went away, or a disk that is full, is no reason to end. */
function errorLines(): (line: string) => void {
  const { fd } = process.stderr
  if (fstatSync(fd).isFile()) return fileLines((bytes) => writeSync(fd, bytes))
  let gone = false
  process.stderr.on('error', () => {
    gone = true
  })
  return (line) => void (gone || process.stderr.write(line))
}

type Run = (flags: DaemonFlags, ambient: Ambient, signal: AbortSignal) => Promise<void>

const parts: Readonly<Record<DaemonName, Run>> = {
  async up(flags, ambient, signal) {
    const controlPlane = await startServer(flags, ambient)
    await runAgent(
      {
        ...flags,
        ambient,
        version: versionText(),
        transport: inProcess(controlPlane.serving.handler, ownNodeUser(flags.nodeName)),
        // The server comes and goes with this process, and its store is on the same disk.
        keepsCopy: false,
        offer: (handler, until) => offerInProcess(controlPlane, flags.nodeName, handler, until),
      },
      signal,
    )
    await controlPlane.close()
  },

  async server(flags, ambient, signal) {
    const controlPlane = await startServer(flags, ambient)
    await aborted(signal)
    await controlPlane.close()
  },

  async agent(flags, ambient, signal) {
    const options: IdentityOptions = {
      ...flags,
      join: flags.join && { ...flags.join, token: () => readToken(flags.join?.tokenFile) },
      userAgent: `cove-agent/${versionText()}`,
      ambient,
      readFile: readFileIfThere,
      canGoOnAlone: async () => (await readFileIfThere(diskCopy(flags.dataDir).path)) !== undefined,
    }
    // A kubeconfig that is named says who the agent is; without one its own identity comes first.
    const own = flags.kubeconfig === undefined ? await identityUntil(options, signal) : undefined
    if (signal.aborted) return
    const kept = own === undefined ? await fromKubeconfig(flags) : keepIdentity(own, options)
    const { identity, renew } = kept
    const { server, ca = '' } = kept.target
    const transport = httpsTransport({
      ...kept.target,
      ...(own && { identity }),
      userAgent: options.userAgent,
    })
    const { clock, random, log } = ambient
    const dial = dialTunnel({ server, nodeName: flags.nodeName, ca, identity, clock })
    const offer = (handler: Handler, until: AbortSignal) =>
      serveThroughTunnel({ dial, handler, clock, random, log, signal: until })
    await Promise.all([
      runAgent({ ...flags, ambient, version: versionText(), transport, offer, keepsCopy: true }, signal),
      renew(signal),
    ])
    transport.close()
  },
}

/** Being stopped while it waits for a server is no failure. */
async function identityUntil(options: IdentityOptions, signal: AbortSignal) {
  // The clock's timers do not keep the process alive, and nothing else runs yet.
  const alive = setInterval(() => {}, 3_600_000)
  try {
    return await ensureIdentity(options, signal)
  } catch (error) {
    if (signal.aborted) return undefined
    throw error
  } finally {
    clearInterval(alive)
  }
}

interface Connection {
  readonly target: Omit<ServerConfig, 'namespace'>
  readonly identity: () => ClientIdentity
  readonly renew: (signal: AbortSignal) => Promise<void>
}

async function fromKubeconfig(flags: DaemonFlags): Promise<Connection> {
  const target = await loadKubeconfig({
    ...(flags.kubeconfig !== undefined && { explicit: flags.kubeconfig }),
    ...(process.env['KUBECONFIG'] !== undefined && { environment: process.env['KUBECONFIG'] }),
    home: homedir(),
    directory: process.cwd(),
    readFile: readFileIfThere,
    parseYaml,
  })
  const { cert = '', key = '' } = target
  // Whoever made the kubeconfig renews what is in it.
  return { target, identity: () => ({ cert, key }), renew: async () => {} }
}

/** The token, from a file, standard input or the environment: never from the command line, which everybody can read. */
async function readToken(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return process.env['COVE_JOIN_TOKEN']?.trim() || undefined
  const content = file === '-' ? await text(process.stdin) : await readFileIfThere(file)
  if (content === undefined) throw badRequest(`--token-file: there is no file ${file}`)
  return content.trim()
}

function startServer(flags: DaemonFlags, ambient: Ambient): Promise<ControlPlane> {
  const { dataDir, listen, hosts, nodeCertificateMs, auditLog, maxUploadBytes } = flags
  const build = buildInfo()
  return startControlPlane({
    dataDir,
    listen,
    hosts,
    nodeCertificateMs,
    auditLog,
    maxUploadBytes,
    ambient,
    startWorker: storageWorker,
    build,
  })
}

async function offerInProcess(
  { serving }: ControlPlane,
  nodeName: string,
  handler: Handler,
  signal: AbortSignal,
): Promise<void> {
  const unregister = serving.connections.register(nodeName, inProcess(handler, nodeUser(nodeName)))
  await aborted(signal)
  unregister()
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
