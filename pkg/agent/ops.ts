/** The operations of a node: each is exactly one engine call, one write to the node's disk, or one API call. */
import type { EventReason } from '#pkg/apis/eventreasons.ts'
import type {
  ContainerCreate,
  NetworkAttachment,
  NetworkCreate,
  ResourceLimits,
  VolumeCreate,
} from '#pkg/engine/port.ts'
import { type BuildOrder, type ContextSource, describeContext } from './builds/port.ts'
import type { EngineConfigRecord, EngineProcess } from './engineconfig/port.ts'

/** Files of a ConfigMap or Secret that a container mounts; `directory` is relative and names their content. */
export interface ProjectedFiles {
  readonly directory: string
  readonly secret: boolean
  /** Name to base64 content. */
  readonly files: Readonly<Record<string, string>>
}

/** Where the agent fetches a file from; `sha256` is the file's, in hexadecimal digits. `upload`: its digest. */
export type FileSource =
  | { readonly url: string; readonly sha256?: string }
  | { readonly upload: string; readonly namespace: string }

export type ObjectName = { readonly namespace: string; readonly name: string }

/** Containers, networks and volumes are named as on the engine. */
export type AgentOp =
  /** `secrets` are the keys of those that may hold credentials of its registry; what they hold is asked for at the pull. */
  | {
      readonly type: 'pullImage'
      readonly reference: string
      readonly secrets: readonly string[]
      readonly platform?: string
      readonly allTags?: true
    }
  | { readonly type: 'tagImage'; readonly image: string; readonly reference: string }
  /** Takes the name away; the image goes with its last one. */
  | { readonly type: 'untagImage'; readonly reference: string }
  /** `keepsName`: whether it is called so here besides; else it is only while it is sent. `named`: what is called so now. */
  | {
      readonly type: 'pushImage'
      readonly image: string
      readonly reference: string
      readonly secrets: readonly string[]
      readonly keepsName: boolean
      readonly named?: string
    }
  /** `made` is the fingerprint of the source, which the status keeps: what is made once is not made again. */
  | {
      readonly type: 'loadImage'
      readonly reference: string
      readonly from: FileSource
      readonly made: string
    }
  | {
      readonly type: 'importImage'
      readonly reference: string
      readonly from: FileSource
      readonly changes: readonly string[]
      readonly message?: string
      readonly platform?: string
      readonly made: string
    }
  | {
      readonly type: 'commitImage'
      readonly container: string
      readonly reference: string
      readonly author?: string
      readonly message?: string
      readonly changes: readonly string[]
      readonly pause: boolean
      readonly made: string
    }
  /** Gets from another node what that one calls `image`, as far as its layers are not here, and names it. `made` as above. */
  | {
      readonly type: 'transferImage'
      readonly from: string
      readonly image: string
      readonly references: readonly string[]
      readonly made?: string
    }
  /** Brings the files of a context, as they are at that revision, to the node's disk. */
  | {
      readonly type: 'fetchContext'
      readonly build: ObjectName
      readonly source: ContextSource
      readonly maxBytes: number
      readonly ignore: readonly string[]
      /** Path of the Dockerfile whose text is wanted; absent: the Build has the text itself. */
      readonly dockerfile?: string
      /** Digest of a context with which it is compared. */
      readonly before?: string
    }
  /** One build by the engine; its names are the image's when it ends well. */
  | {
      readonly type: 'buildImage'
      readonly build: ObjectName
      readonly order: BuildOrder
      /** Brought before, as far as they can be: their layers are cache, and nothing but that. */
      readonly cachePulls: readonly OpOf<'pullImage'>[]
    }
  | { readonly type: 'createVolume'; readonly create: VolumeCreate }
  | { readonly type: 'removeVolume'; readonly volume: string }
  | { readonly type: 'createNetwork'; readonly create: NetworkCreate }
  | { readonly type: 'removeNetwork'; readonly network: string }
  | { readonly type: 'writeFiles'; readonly projected: ProjectedFiles }
  /** `heals`: in place of one that is unhealthy. */
  | { readonly type: 'createContainer'; readonly create: ContainerCreate; readonly heals?: true }
  /** `request`: of a restart, which is answered by this. */
  | { readonly type: 'startContainer'; readonly container: string; readonly request?: string }
  | { readonly type: 'stopContainer'; readonly container: string; readonly gracePeriod: number }
  | {
      readonly type: 'restartContainer'
      readonly request?: string
      readonly container: string
      readonly gracePeriod: number
      /** Because it is unhealthy. */
      readonly heals?: true
    }
  /** `rearms`: both, to make the engine check it again. */
  | { readonly type: 'pauseContainer'; readonly container: string; readonly rearms?: true }
  | { readonly type: 'unpauseContainer'; readonly container: string; readonly rearms?: true }
  | { readonly type: 'renameContainer'; readonly container: string; readonly name: string }
  | { readonly type: 'updateContainer'; readonly container: string; readonly limits: ResourceLimits }
  /** `prunes`: only if it has ended by itself, and without what it has in anonymous volumes. */
  | { readonly type: 'removeContainer'; readonly container: string; readonly prunes?: true }
  /** By its reference, which may be one with a digest, or else by its id; never by force. */
  | { readonly type: 'removeImage'; readonly image: string; readonly reference?: string }
  | { readonly type: 'pruneBuildCache'; readonly olderThanMs: number; readonly keepBytes: number }
  | { readonly type: 'connectNetwork'; readonly container: string; readonly attachment: NetworkAttachment }
  | { readonly type: 'disconnectNetwork'; readonly container: string; readonly network: string }
  /** `checkBy`: the engine's own program checks it first. `restores`: the old text comes back. */
  | {
      readonly type: 'writeEngineConfig'
      readonly path: string
      /** null: there is to be no file. */
      readonly text: string | null
      readonly record: EngineConfigRecord
      readonly checkBy?: EngineProcess | null
      readonly restores?: true
    }
  /** `file`: hash of what it is to read. */
  | { readonly type: 'reloadEngine'; readonly pid: number; readonly file: string }
  /** Tells the API that nothing of the object is left on this node. */
  | {
      readonly type: 'releaseObject'
      readonly kind: 'Container' | 'Volume' | 'Network' | 'Image' | 'Build'
      readonly object: ObjectName
    }

export type OpType = AgentOp['type']
export type OpOf<Type extends OpType> = Extract<AgentOp, { type: Type }>

type Describers = { readonly [Type in OpType]: (op: OpOf<Type>) => string }

const describers: Describers = {
  pullImage: (op) => `pull image ${op.reference}${op.allTags === true ? ' with all tags' : ''}`,
  tagImage: (op) => `tag image ${op.image.slice(0, 19)} as ${op.reference}`,
  untagImage: (op) => `untag image ${op.reference}`,
  pushImage: (op) => `push image ${op.image.slice(0, 19)} to ${op.reference}`,
  loadImage: (op) => `load image ${op.reference} from ${describeFile(op.from)}`,
  importImage: (op) => `import image ${op.reference} from ${describeFile(op.from)}`,
  commitImage: (op) => `commit container ${short(op.container)} as image ${op.reference}`,
  transferImage: (op) => `get image ${shortImage(op.image)} from node ${op.from}`,
  fetchContext: (op) => `fetch context ${describeContext(op.source)}`,
  buildImage: ({ order }) => `build image ${order.tags[0] ?? ''} (attempt ${order.attempt})`,
  createVolume: (op) => `create volume ${op.create.name}`,
  removeVolume: (op) => `remove volume ${op.volume}`,
  createNetwork: (op) => `create network ${op.create.name}`,
  removeNetwork: (op) => `remove network ${op.network}`,
  writeFiles: (op) => `write files ${Object.keys(op.projected.files).sort().join(', ')}`,
  createContainer: (op) => `create container ${op.create.name}`,
  startContainer: (op) => `start container ${short(op.container)}`,
  stopContainer: (op) => `stop container ${short(op.container)}`,
  restartContainer: (op) => `restart container ${short(op.container)}`,
  pauseContainer: (op) => `pause container ${short(op.container)}`,
  unpauseContainer: (op) => `unpause container ${short(op.container)}`,
  renameContainer: (op) => `rename container ${short(op.container)} to ${op.name}`,
  updateContainer: (op) => `update limits of container ${short(op.container)}`,
  removeContainer: (op) => `remove container ${short(op.container)}`,
  removeImage: ({ image, reference }) =>
    `remove image ${reference ?? image.replace(/^sha256:/, '').slice(0, 12)}`,
  pruneBuildCache: () => 'remove build cache',
  connectNetwork: (op) => `connect container ${short(op.container)} to network ${op.attachment.network}`,
  disconnectNetwork: (op) => `disconnect container ${short(op.container)} from network ${op.network}`,
  writeEngineConfig: (op) => (op.restores ? `put ${op.path} back` : `write ${op.path}`),
  reloadEngine: (op) => `have the engine (process ${op.pid}) read its settings again`,
  releaseObject: (op) => `release ${op.kind} ${op.object.namespace}/${op.object.name}`,
}

function describeFile(from: FileSource): string {
  return 'url' in from ? from.url : `upload ${from.upload.slice(0, 19)}`
}

function shortImage(image: string): string {
  return image.startsWith('sha256:') ? image.slice(0, 19) : image
}

/** Ids as people know them: the first 12 digits. */
function short(container: string): string {
  return /^[0-9a-f]{64}$/.test(container) ? container.slice(0, 12) : container
}

/** What the op does, in one phrase: the same words in plans, events and logs. */
export function describeOp(op: AgentOp): string {
  const describe: (op: never) => string = describers[op.type]
  // The table is keyed by the op's own type, which the compiler cannot follow through the union.
  return describe(op as never)
}

interface OpReasons {
  readonly done: EventReason
  readonly failed: EventReason
}

/** The stable reason of the event that reports the op, as it is done and as it failed. */
const opReasons: { readonly [Type in OpType]: OpReasons } = {
  pullImage: { done: 'Pulled', failed: 'ErrImagePull' },
  tagImage: { done: 'Tagged', failed: 'FailedTag' },
  untagImage: { done: 'Untagged', failed: 'FailedUntag' },
  pushImage: { done: 'Pushed', failed: 'FailedPush' },
  loadImage: { done: 'Loaded', failed: 'FailedLoad' },
  importImage: { done: 'Imported', failed: 'FailedImport' },
  commitImage: { done: 'Committed', failed: 'FailedCommit' },
  transferImage: { done: 'Transferred', failed: 'FailedTransfer' },
  fetchContext: { done: 'ContextFetched', failed: 'FailedFetchContext' },
  buildImage: { done: 'Built', failed: 'FailedBuild' },
  createVolume: { done: 'VolumeCreated', failed: 'FailedCreateVolume' },
  removeVolume: { done: 'VolumeRemoved', failed: 'FailedRemoveVolume' },
  createNetwork: { done: 'NetworkCreated', failed: 'FailedCreateNetwork' },
  removeNetwork: { done: 'NetworkRemoved', failed: 'FailedRemoveNetwork' },
  writeFiles: { done: 'FilesWritten', failed: 'FailedWriteFiles' },
  createContainer: { done: 'Created', failed: 'FailedCreate' },
  startContainer: { done: 'Started', failed: 'FailedStart' },
  stopContainer: { done: 'Stopped', failed: 'FailedStop' },
  restartContainer: { done: 'Restarted', failed: 'FailedRestart' },
  pauseContainer: { done: 'Paused', failed: 'FailedPause' },
  unpauseContainer: { done: 'Unpaused', failed: 'FailedUnpause' },
  renameContainer: { done: 'Renamed', failed: 'FailedRename' },
  updateContainer: { done: 'Updated', failed: 'FailedUpdate' },
  removeContainer: { done: 'Removed', failed: 'FailedRemove' },
  removeImage: { done: 'Pruned', failed: 'FailedPrune' },
  pruneBuildCache: { done: 'Pruned', failed: 'FailedPrune' },
  connectNetwork: { done: 'NetworkConnected', failed: 'FailedConnectNetwork' },
  disconnectNetwork: { done: 'NetworkDisconnected', failed: 'FailedDisconnectNetwork' },
  writeEngineConfig: { done: 'EngineConfigWritten', failed: 'FailedEngineConfig' },
  reloadEngine: { done: 'EngineReloaded', failed: 'FailedEngineConfig' },
  releaseObject: { done: 'Released', failed: 'FailedRelease' },
}

const rearming: { readonly [Type in OpType]?: OpReasons } = {
  pauseContainer: { done: 'HealthcheckStalled', failed: 'FailedRearmHealthcheck' },
  unpauseContainer: { done: 'HealthcheckRearmed', failed: 'FailedRearmHealthcheck' },
}

export function opReasonsOf(op: AgentOp): OpReasons {
  return ('rearms' in op && op.rearms === true ? rearming[op.type] : undefined) ?? opReasons[op.type]
}
