/** The node agent: an engine on one side, the API on the other. Wiring only. */
import { mkdir, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { Agent } from '#pkg/agent/agent.ts'
import { statfsDisk } from '#pkg/agent/disk.ts'
import { localEngineFiles, noEngineFiles } from '#pkg/agent/engineconfig/enginefiles.ts'
import type { HostParts } from '#pkg/agent/host.ts'
import { diskLent } from '#pkg/agent/images/lentnamesfile.ts'
import { nodeLogins } from '#pkg/agent/images/nodelogins.ts'
import { nodeAccess } from '#pkg/agent/images/registryaccess.ts'
import { linuxMachine } from '#pkg/agent/machine.ts'
import { diskCopy } from '#pkg/agent/nodecopyfile.ts'
import { diskFiles } from '#pkg/agent/projection.ts'
import { diskUses } from '#pkg/agent/prune/lastusedfile.ts'
import { streamsHandler } from '#pkg/agent/streams.ts'
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import type { Handler, Transport } from '#pkg/apimachinery/transport.ts'
import { openDockerEngine } from '#pkg/engine/docker.ts'
import { parseHost } from '#pkg/engine/dockerhost.ts'
import { HttpRegistryClient, type RegistryClientOptions } from '#pkg/registry/client.ts'
import { dockerCertificates, machineLookups } from '#pkg/registry/lookups.ts'

export interface AgentProcessOptions {
  readonly dataDir: string
  readonly engine: string
  readonly engineConfig: string
  readonly enginePidfile: string
  readonly nodeName: string
  /** How long a pull, push or load may stand still; undefined: the default. */
  readonly stallMs: number | undefined
  readonly ambient: Ambient
  readonly version: string
  readonly transport: Transport
  /** Whether the node keeps a copy of what is desired, to go on from when the server is away at its start. */
  readonly keepsCopy: boolean
  /** Makes the node's own small API reachable for the server; resolves when the signal has aborted. */
  readonly offer: (handler: Handler, signal: AbortSignal) => Promise<void>
}

/** Works until the signal aborts, then ends what is under way. Containers keep running. */
export async function runAgent(options: AgentProcessOptions, signal: AbortSignal): Promise<void> {
  const { dataDir, nodeName, ambient, version, transport, stallMs } = options
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  const patience = stallMs === undefined ? {} : { stallMs }
  const engine = await openDockerEngine({ host: options.engine, clock: ambient.clock, ...patience })
  const files = diskFiles(join(dataDir, 'files'))
  // What an earlier run was fetching when it ended is of no use any more.
  const spool = join(dataDir, 'fetch')
  await rm(spool, { recursive: true, force: true })
  const copies = options.keepsCopy ? { copies: diskCopy(dataDir) } : {}
  const access = nodeAccess({ engine, clock: ambient.clock, lookups: machineLookups(dockerCertificates) })
  const registry = new HttpRegistryClient({ clock: ambient.clock, access, ...hubIn(process.env) })
  const agent = new Agent({
    engine,
    transport,
    ambient,
    nodeName,
    files,
    registry,
    spool,
    version,
    uses: diskUses(dataDir),
    lent: diskLent(dataDir),
    builds: {
      directory: join(dataDir, 'builds'),
      programs: {
        searchPath: process.env['PATH'] ?? '',
        environment: knownToPrograms(process.env),
        endGroup: endProcessGroup,
      },
    },
    host: { ...hostOf(options), registry },
    nodeLogins: nodeLogins({
      file: join(process.env['DOCKER_CONFIG'] ?? join(homedir(), '.docker'), 'config.json'),
      searchPath: process.env['PATH'] ?? '',
      clock: ambient.clock,
    }),
    ...copies,
  })
  ambient.log.info('agent starts', { node: nodeName, engine: options.engine })
  await Promise.all([
    agent.run(signal),
    options.offer(
      streamsHandler({
        engine,
        clock: ambient.clock,
        nodeName,
        ownerOf: (found) => agent.ownerOf(found),
        lastUsedOf: (image) => agent.prunes.lastUsedOf(image),
        ...(agent.builds !== undefined && { buildLog: agent.builds.log.bind(agent.builds) }),
        prune: (spec, dryRun, aborted) => agent.prunes.ask(spec, dryRun, aborted),
        registry,
        credentialsOf: (reference, aborted) => agent.credentialsOf(reference, aborted),
        // An engine that is reached by its socket is on this machine.
        ...('socketPath' in parseHost(options.engine) && { machine: linuxMachine() }),
      }),
      signal,
    ),
  ])
  registry.close()
  await engine.close()
}

/** Proxies and authorities, for programs that fetch. */
function knownToPrograms(env: NodeJS.ProcessEnv): Readonly<Record<string, string>> {
  const names = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'ALL_PROXY', 'SSL_CERT_FILE', 'SSL_CERT_DIR']
  const known = names.flatMap((name) => [name, name.toLowerCase()])
  return Object.fromEntries(known.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])))
}

function endProcessGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

/** Docker Hub at another address, for a network that has its own, and for tests. */
function hubIn(env: NodeJS.ProcessEnv): Pick<RegistryClientOptions, 'hub'> {
  const { COVE_HUB_REGISTRY: registry, COVE_HUB_SEARCH: search } = env
  return registry === undefined || search === undefined ? {} : { hub: { registry, search } }
}

/** Disk, file and process of an engine that is on this machine: one that is reached by its socket. */
function hostOf({ engine, engineConfig, enginePidfile, dataDir }: AgentProcessOptions): HostParts {
  const address = parseHost(engine)
  if (!('socketPath' in address)) {
    const message = `settings of the engine at ${engine} cannot be changed from here: only those of an engine on the agent's own machine, reached by its socket`
    return { engineFiles: noEngineFiles(engineConfig, message) }
  }
  const { socketPath } = address
  if (process.platform !== 'linux') {
    const message =
      'settings of the engine are changed on Linux only: Docker Desktop has them in its own settings'
    return { engineFiles: noEngineFiles(engineConfig, message), socketPath }
  }
  const engineFiles = localEngineFiles({
    configPath: engineConfig,
    pidPath: enginePidfile,
    dataDir,
    hangUp: (pid) => void process.kill(pid, 'SIGHUP'),
  })
  return { readDisk: statfsDisk, readOwnDisk: () => statfsDisk(dataDir), engineFiles, socketPath }
}
