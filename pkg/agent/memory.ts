/**
 * How a node goes on without its server: at the start from the copy of an earlier run, if the server does not answer, and
 * from then on by keeping a copy of everything that it is told and has not been able to tell.
 */
import { type Ambient, pause } from '#pkg/apimachinery/ambient.ts'
import type { ContainerStatus } from '#pkg/apis/container.ts'
import type { EventRecorder } from '#pkg/client/recorder.ts'
import type { ServerLink } from '#pkg/client/serverlink.ts'
import type { Plan } from '#pkg/plan/plan.ts'
import { CopyKeeper } from './copykeeper.ts'
import type { DesiredState } from './desired.ts'
import { laterStatus } from './nodecopy.ts'
import type { CopyStore } from './nodecopyfile.ts'
import type { AgentOp } from './ops.ts'
import type { Desired } from './world.ts'

export interface NodeMemoryOptions {
  readonly ambient: Ambient
  readonly nodeName: string
  /** Absent: nothing is kept, and the server is waited for at every start. */
  readonly copies: CopyStore | undefined
  readonly link: ServerLink
  readonly desired: DesiredState
  readonly recorder: EventRecorder
  /** By uid, as the agent last saw them; filled from the copy. */
  readonly statuses: Map<string, ContainerStatus>
}

/** How long a server that has not answered yet is waited for at the start, when there is a copy to go on from; ms. */
const greetWithin = 3000

export class NodeMemory {
  readonly #options: NodeMemoryOptions
  readonly #keeper: CopyKeeper | undefined
  /** Whether it goes on from the copy of an earlier run, of which the server has not said yet what is still true. */
  #recalled = false
  #away = new AbortController()

  constructor(options: NodeMemoryOptions) {
    const { copies: store, ambient, nodeName } = options
    this.#options = options
    this.#keeper = store && new CopyKeeper({ store, ambient, nodeName })
  }

  /** Takes up what an earlier run has kept; before anything is asked. */
  async recall(): Promise<void> {
    const { link, desired: state, statuses, recorder, ambient } = this.#options
    const copy = await this.#keeper?.load()
    if (copy === undefined) return
    link.expect(copy.clusterID)
    state.seed(copy.desired)
    for (const [uid, status] of Object.entries(copy.statuses)) statuses.set(uid, status)
    recorder.restore(copy.events)
    this.#recalled = true
    const { clusterID, desired } = copy
    ambient.log.info('there is a copy of what is desired', {
      containers: desired.containers.length,
      clusterID,
    })
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.#keeper?.run(signal)
  }

  /**
   * Resolves when it is known what is desired. Before every list is complete nothing may be taken as gone; with a copy in
   * hand only the server's first word is waited for, or that it cannot be reached.
   */
  async untilKnown(signal: AbortSignal): Promise<void> {
    const { ambient, desired, link } = this.#options
    if (!this.#recalled) return await desired.synced(signal)
    if (link.isAway()) return
    const enough = AbortSignal.any([signal, this.#away.signal])
    await Promise.race([desired.synced(signal), pause(ambient.clock, greetWithin, enough)])
  }

  /** Nobody has to wait for the server's first word any more. */
  noteAway(): void {
    this.#away.abort()
  }

  /** Keeps everything as it is now. */
  keep(): void {
    const { link, nodeName, desired, statuses, recorder } = this.#options
    const { clusterID } = link
    if (clusterID === undefined) return
    this.#keeper?.offer({
      nodeName,
      clusterID,
      desired: desired.copy(),
      statuses: Object.fromEntries(statuses),
      events: recorder.backlog(),
    })
  }

  /** Once the server has said which Containers there are: of each status the later one counts. */
  meet({ containers }: Desired): void {
    const { desired, ambient, statuses } = this.#options
    if (!this.#recalled || !desired.isTold()) return
    this.#recalled = false
    for (const { metadata, status } of containers.values()) {
      const { uid = '' } = metadata
      const own = statuses.get(uid)
      if (own !== undefined) statuses.set(uid, laterStatus(own, status, ambient.clock.now()))
    }
  }
}

/** What of a plan the node can do without its server: what only tells the server something waits until it answers. */
export function withoutServer({ ops }: Plan<AgentOp>): Plan<AgentOp> {
  return { ops: ops.filter(({ op }) => op.type !== 'releaseObject') }
}
