/** The rooms of the agent, wired: images, builds and pruning, the machine they are on, and who does what is planned. */
import type { OpResult } from '#pkg/plan/execute.ts'
import type { AgentOptions } from './agentoptions.ts'
import { BuildRoom } from './builds/buildroom.ts'
import type { EngineSight } from './enginesight.ts'
import { Host } from './host.ts'
import { type CredentialSources, credentialSources } from './images/credentials.ts'
import { ImageRoom } from './images/imageroom.ts'
import type { AgentOp } from './ops.ts'
import type { OwnerOf } from './owned.ts'
import { type PerformContext, perform } from './perform.ts'
import { PruneRoom } from './prune/pruneroom.ts'
import { PullBook } from './pulls.ts'
import { Runner } from './runner.ts'
import type { ServerSide } from './serverside.ts'

export interface AgentRooms {
  readonly host: Host
  readonly credentials: CredentialSources
  readonly pulls: PullBook
  readonly images: ImageRoom
  /** Undefined: nothing is built here. */
  readonly builds: BuildRoom | undefined
  readonly prunes: PruneRoom
  readonly runner: Runner
}

export interface AgentRoomsOptions {
  readonly options: AgentOptions
  readonly server: ServerSide
  readonly sight: EngineSight
  readonly ownerOf: OwnerOf
  /** The next pass has something to see. */
  readonly onChange: () => void
  readonly onResult: (result: OpResult<AgentOp>) => void
}

export function openRooms(given: AgentRoomsOptions): AgentRooms {
  const { options, server, onChange, onResult } = given
  const { ambient } = options
  const host = new Host(options.host, ambient)
  const credentials = credentialSources(server.snapshot, options.nodeLogins)
  const pulls = new PullBook(ambient.clock, onChange)
  const images = openImages(given, credentials)
  const builds = openBuilds(given, { credentials, host })
  const context = contextOf(given, { host, credentials, pulls, images, builds })
  const runner = new Runner({
    ambient,
    perform: (op, signal) => pulls.follow(op, () => perform(op, context, signal), signal),
    onResult,
    onGroupEnd: onChange,
  })
  const prunes = openPrunes(given, { host, runner, context })
  return { host, credentials, pulls, images, builds, prunes, runner }
}

function openImages(
  { options, server, onChange }: AgentRoomsOptions,
  credentials: CredentialSources,
): ImageRoom {
  const { engine, ambient, nodeName, registry, lent } = options
  return new ImageRoom({
    engine,
    ambient,
    nodeName,
    onChange,
    credentials,
    record: server.record,
    ...(registry !== undefined && { registry }),
    ...(lent !== undefined && { lentStore: lent }),
  })
}

function openBuilds(
  { options, server, onChange }: AgentRoomsOptions,
  { credentials, host }: Pick<AgentRooms, 'credentials' | 'host'>,
): BuildRoom | undefined {
  const { builds, ambient, registry } = options
  if (builds === undefined) return undefined
  const { client, reporter, snapshot: desired } = server
  return new BuildRoom({
    ...builds,
    ambient,
    client,
    reporter,
    desired,
    credentials,
    whyNoRoom: (what) => host.whyNoOwnRoom(what),
    onChange,
    ...(registry !== undefined && { registry }),
  })
}

/** What performers of ops are given. */
function contextOf(
  { options, server }: AgentRoomsOptions,
  { host, credentials, pulls, images, builds }: Omit<AgentRooms, 'prunes' | 'runner'>,
): PerformContext {
  const { engine, nodeName, files, ambient, spool, registry } = options
  return {
    engine,
    client: server.client,
    nodeName,
    files,
    host,
    clock: ambient.clock,
    lent: images.lent,
    onProgress: pulls.progress.bind(pulls),
    onAnswer: images.onAnswer.bind(images),
    credentials,
    ...(spool !== undefined && { spool }),
    ...(registry !== undefined && { registry }),
    ...(builds !== undefined && { building: builds }),
  }
}

function openPrunes(
  { options, server, sight, ownerOf, onChange }: AgentRoomsOptions,
  { host, runner, context }: Pick<AgentRooms, 'host' | 'runner'> & { readonly context: PerformContext },
): PruneRoom {
  const { engine } = options
  return new PruneRoom({
    ...options,
    record: server.record,
    reporter: server.reporter,
    perform: (op, signal) => perform(op, context, signal),
    ownerOf,
    clusterID: () => server.link.clusterID,
    desired: server.snapshot,
    busy: () => runner.busy(),
    readDisk: async () => host.disk(sight.info ?? (await engine.info())),
    onChange: () => {
      sight.observer.invalidateAll()
      onChange()
    },
  })
}
