/** What an agent is given. */
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import type { Transport } from '#pkg/apimachinery/transport.ts'
import type { Engine } from '#pkg/engine/port.ts'
import type { RegistryClient } from '#pkg/registry/port.ts'
import type { BuildRoomOptions } from './builds/buildroom.ts'
import type { HostParts } from './host.ts'
import type { NodeLogins } from './images/credentials.ts'
import type { LentStore } from './images/lentnames.ts'
import type { CopyStore } from './nodecopyfile.ts'
import type { NodeFiles } from './projection.ts'
import type { UseStore } from './prune/lastused.ts'

export interface AgentOptions {
  readonly engine: Engine
  /** To the server, as this node. */
  readonly transport: Transport
  readonly ambient: Ambient
  readonly nodeName: string
  /** For files that containers mount. */
  readonly files: NodeFiles
  readonly version: string
  /** Asked what tags mean for Images that follow them; absent: nothing is followed. */
  readonly registry?: RegistryClient
  /** What the node itself is logged in with; absent: nowhere. */
  readonly nodeLogins?: NodeLogins
  /** Where it is kept when images were last used; absent: a restart makes all as if used now. */
  readonly uses?: UseStore
  /** Where it is kept which names images have only for a push; absent: an agent that is killed leaves them. */
  readonly lent?: LentStore
  /** Where what is desired is kept for a start without the server; absent: it is not. */
  readonly copies?: CopyStore
  /** A directory of the agent's own for files that are verified before they are used; absent: there is none. */
  readonly spool?: string
  /** A directory of the agent's own for what it builds, and programs that it fetches with; absent: it builds nothing. */
  readonly builds?: Pick<BuildRoomOptions, 'directory' | 'programs'>
  /** The machine, when the engine is on it. */
  readonly host?: HostParts
  /** How often to look at everything, events or not; ms. */
  readonly resyncEvery?: number
}
