/** One look at everything: what is desired, what the engine holds, and what the rooms and books of the agent know. */
import type { AgentBooks } from './agentbooks.ts'
import type { AgentOptions } from './agentoptions.ts'
import type { AgentRooms } from './agentrooms.ts'
import { withChecks } from './checked.ts'
import { nameWithoutRole } from './container.cast.ts'
import { imagesInQuestion } from './container.security.ts'
import type { EngineSight } from './enginesight.ts'
import { namesAtWork } from './holds.ts'
import { withImagesHere } from './images/imageshere.ts'
import { tailsWanted } from './logtails.ts'
import type { ServerSide } from './serverside.ts'
import type { Desired, Observation, World } from './world.ts'

export interface AgentLook {
  readonly options: Pick<AgentOptions, 'nodeName' | 'files' | 'ambient'>
  readonly server: ServerSide
  readonly sight: EngineSight
  readonly rooms: AgentRooms
  readonly books: AgentBooks
}

/** Throws EngineUnavailable, and when no server has said yet whose node this is. */
export async function lookAround(parts: AgentLook, signal: AbortSignal): Promise<World> {
  const { options, server, sight, rooms, books } = parts
  const { nodeName, files, ambient } = options
  const { clusterID } = server.link
  if (clusterID === undefined) throw new Error('no server has said yet whose this node is')
  if (rooms.host.isSettling()) sight.forgetInfo()
  const engine = await sight.mustKnow()
  await rooms.images.lent.recall()
  // Both are older than the look at the engine: what it shows of a group that was at work meanwhile is
  // half a truth, and what was asked for meanwhile it may not show yet.
  const busy = rooms.runner.busy()
  const desired = server.snapshot()
  server.memory.meet(desired)
  const loading = server.desired.loading()
  const seen = await observe(parts, { desired, clusterID, busy }, signal)
  const host = await rooms.host.look(engine, desired.node)
  return {
    ...host,
    ...rooms.images.facts(desired),
    ...rooms.prunes.facts(),
    ...(rooms.builds && { building: rooms.builds.facts(desired, engine) }),
    nodeName,
    engineApi: engine.apiVersion,
    engineRegistries: engine.registries,
    clusterID,
    now: ambient.clock.now(),
    projectionRoot: files.root,
    desired: { ...desired, containers: withImagesHere(desired.containers, seen.images, books.statuses) },
    ...(!server.desired.isTold() && { remembered: true as const }),
    observed: withChecks(seen, { ...books, desired, clusterID }),
    holds: rooms.runner.holds(),
    busy: new Set([...busy, ...loading]),
    pulls: rooms.pulls.snapshot(),
    statuses: books.statuses,
    healed: books.healings.snapshot(),
    rearmed: books.rearmed.snapshot(),
    asked: books.asked.snapshot(),
  }
}

interface Wanted {
  readonly desired: Desired
  readonly clusterID: string
  readonly busy: ReadonlySet<string>
}

async function observe(
  { options, sight, rooms }: AgentLook,
  { desired, clusterID, busy }: Wanted,
  signal: AbortSignal,
): Promise<Observation> {
  const { clock, log } = options.ambient
  const names = namesAtWork(busy, desired)
  return await sight.observer.observe({
    atWork: (name) => names.has(nameWithoutRole(name)),
    imagesOf: (images, containers) => imagesInQuestion(desired, images, containers),
    detailsOf: (images) => rooms.images.detailsOf(desired, images),
    now: clock.now(),
    tailsOf: (containers) => tailsWanted(containers, { desired, clusterID }),
    signal,
    onUnread: (container, error) => log.warn('the engine does not tell of a container', { container, error }),
  })
}
