/**
 * What planners look at: the desired objects of this node, one observation of its engine, and facts that
 * neither holds. All of it is given; planners ask nobody.
 */
import type { Reason } from '#pkg/apimachinery/errors.ts'
import type { Build } from '#pkg/apis/build.ts'
import type { Container, ContainerStatus } from '#pkg/apis/container.ts'
import type { ConfigMap, Secret } from '#pkg/apis/core.ts'
import type { Image, ImageStatus } from '#pkg/apis/image.ts'
import type { Network } from '#pkg/apis/network.ts'
import type { Node } from '#pkg/apis/node.ts'
import type { PrunePolicy } from '#pkg/apis/prunepolicy.ts'
import type { Registry } from '#pkg/apis/registry.ts'
import type { Volume } from '#pkg/apis/volume.ts'
import type { ImageDetails, ImageHistoryEntry } from '#pkg/engine/images.ts'
import type {
  ObservedContainer,
  ObservedImage,
  ObservedNetwork,
  ObservedVolume,
  PullProgress,
} from '#pkg/engine/port.ts'
import type { ImageConfig } from '#pkg/engine/settings.ts'
import type { Plan } from '#pkg/plan/plan.ts'
import type { EngineRegistries } from '#pkg/registry/access.ts'
import type { BuildFacts } from './builds/port.ts'
import type { Attempt } from './container.ladder.ts'
import type { Disk } from './disk.ts'
import type { EngineSettingsSight } from './engineconfig/port.ts'
import type { RegistryAnswer } from './images/update.answer.ts'
import type { AgentOp } from './ops.ts'

/** By `namespace/name`. */
export interface Desired {
  readonly containers: ReadonlyMap<string, Container>
  readonly volumes: ReadonlyMap<string, Volume>
  readonly networks: ReadonlyMap<string, Network>
  readonly secrets: ReadonlyMap<string, Secret>
  readonly configMaps: ReadonlyMap<string, ConfigMap>
  /** Placed on this node, or named by a Container of it. */
  readonly images: ReadonlyMap<string, Image>
  /** That this node makes. */
  readonly builds: ReadonlyMap<string, Build>
  /** All of the cluster, by name. */
  readonly registries: ReadonlyMap<string, Registry>
  readonly prunePolicies: ReadonlyMap<string, PrunePolicy>
  /** This node's own object; absent: not known yet. */
  readonly node?: Node
  /** Whether the server has told in this run everything that says what must stay on the node. */
  readonly isWhole: boolean
}

export interface Observation {
  readonly containers: readonly ObservedContainer[]
  /** Names of all containers, also of those that are nobody's business here. */
  readonly containerNames: ReadonlyMap<string, string>
  readonly images: readonly ObservedImage[]
  /** What images bring, by id: of those that are wanted, or that a container here was made from. */
  readonly imageConfigs: ReadonlyMap<string, ImageConfig>
  /** By id, of those that Image objects hold. */
  readonly imageDetails: ReadonlyMap<string, KnownImage>
  readonly networks: readonly ObservedNetwork[]
  readonly volumes: readonly ObservedVolume[]
  /** The last lines of containers that have ended, by id: 20, of those that failed a replacement 200. */
  readonly logTails: ReadonlyMap<string, readonly string[]>
  /** When each container was last asked about, by id; ms since the epoch. */
  readonly lookedAt: ReadonlyMap<string, number>
}

/** A group whose last op failed: it rests until `until`, or until its object changes. */
export interface Hold {
  readonly until: number
  readonly failures: number
  readonly reason: Reason
  readonly message: string
  /** What the op wanted, as its event says. */
  readonly action: string
  /** What failed. */
  readonly op?: AgentOp
  /** The generation that failed; another one is tried at once. */
  readonly generation: number
}

export interface Pull {
  /** When it last ended well. */
  readonly finishedAt?: number
  readonly layers: readonly PullProgress[]
  readonly running: boolean
}

/** What was done about one container's checks. */
export interface Rearmed {
  /** When it last went on after being frozen, by whomever; ms since the epoch. */
  readonly at: number
  /** How often in a row it was frozen for that, without a check that came of it. */
  readonly count: number
}

export interface World {
  readonly nodeName: string
  /** The version of its API that the engine is spoken to in: `1.41`. */
  readonly engineApi: string
  readonly clusterID: string
  readonly now: number
  /** Where projected files are, on the node's disk. */
  readonly projectionRoot: string
  readonly desired: Desired
  /** What is desired is what an earlier run was told: what is not in it may exist all the same. */
  readonly remembered?: true
  readonly observed: Observation
  /** Keys of Images whose images pruning took from this node in this run. */
  readonly collected?: ReadonlySet<string>
  /** Of the engine; absent: not on this machine. */
  readonly disk?: Disk
  /** Where the agent keeps its own files. */
  readonly agentDisk?: Disk
  /** File and process of the engine; absent: nobody asks for other settings. */
  readonly engineSettings?: EngineSettingsSight
  /** How the engine reaches registries, as it says itself; absent: not known. */
  readonly engineRegistries?: EngineRegistries
  /** By group. */
  readonly holds: ReadonlyMap<string, Hold>
  /** Groups with ops under way, or of which something they need is not read yet. */
  readonly busy: ReadonlySet<string>
  /** By canonical reference. */
  readonly pulls: ReadonlyMap<string, Pull>
  /** The status each Container last had, by uid: newer than what the API's copy may show. */
  readonly statuses: ReadonlyMap<string, ContainerStatus>
  /** What was done to heal each Container since that status, by uid. */
  readonly healed: ReadonlyMap<string, readonly Attempt[]>
  /** When somebody last asked the engine to end a container, by its id; ms since the epoch. */
  readonly asked: ReadonlyMap<string, number>
  /** By id of the container. */
  readonly rearmed: ReadonlyMap<string, Rearmed>
  /** The status each Image that this node leads last had, by uid: newer than what the API's copy may show. */
  readonly imageStatuses: ReadonlyMap<string, ImageStatus>
  /** What registries said last of Images that follow them, by uid. */
  readonly registryAnswers: ReadonlyMap<string, RegistryAnswer>
  /** For which generation a registry was asked what an Image means, in this run; by uid. */
  readonly imageAsks: ReadonlyMap<string, number>
  /** By id; none while they are not known. */
  readonly imageSizes: ReadonlyMap<string, ImageSizes>
  /** Registries that are left alone for now, as references name them. */
  readonly registryHolds: ReadonlyMap<string, RegistryHold>
  /** What is known of builds besides their objects; absent: nothing is built here. */
  readonly building?: BuildFacts
  /** When pulls from a registry ended, the oldest first; ms since the epoch. Absent: none did. */
  readonly pulledAt?: ReadonlyMap<string, readonly number[]>
}

/** Bytes of an image's layers: of those that other images have too, and of its own. */
export interface ImageSizes {
  readonly shared: number
  readonly unique: number
}

/** Why nobody asks a registry anything until then; ms since the epoch. */
export interface RegistryHold extends Waiting {
  readonly until: number
}

/** What is read once of each image that an Image object holds: an id is the same image for ever. */
export interface KnownImage {
  readonly details: ImageDetails
  readonly history: readonly ImageHistoryEntry[]
}

/** Why nothing more can be done for now: a condition's reason and message. */
export interface Waiting {
  readonly reason: string
  readonly message: string
}

/** The reason of an object that the planner trips over. */
export const plannerError = 'PlannerError'

/** What a planner says of a replacement. */
export interface RolloutView {
  readonly phase: NonNullable<ContainerStatus['rollout']>['phase']
  readonly message?: string
  /** Of what is wanted. */
  readonly fingerprint: string
  /** Of what is on trial. */
  readonly containerID?: string
  /** ms since the epoch. */
  readonly healthySince?: number
  /** What is on trial has just been found bad, and is given up. */
  readonly judged?: { readonly reason: string; readonly message: string }
}

/** What one kind's planner says about one object. */
export interface Decision {
  readonly plan: Plan<AgentOp>
  readonly waiting?: Waiting
  /** The engine's id of a container that the object takes over from now on. */
  readonly takesOver?: string
  /** It waits for its image, which is to be pulled. */
  readonly wantsPull?: true
  /** When time alone will change the decision. */
  readonly wakeAt?: number
  /** As `wakeAt`, when it is not that the container is started again. */
  readonly lookAgainAt?: number
  /** It does not wait for the end of its group's rest after a failure, unless what failed is part of it. */
  readonly urgent?: true
  /** Where the replacement of the container is. */
  readonly rollout?: RolloutView
}

export interface LastAction {
  readonly time: number
  readonly action: string
  readonly cause: string
}

export interface ReportInput {
  readonly container: Container
  readonly decision: Decision
  readonly world: World
  /** The last op of this run of the agent that worked on it. */
  readonly lastAction: LastAction | undefined
}

/** The ops for the settings of the node's engine. */
export function engineConfigGroup(nodeName: string): string {
  return `EngineConfig/${nodeName}`
}

export function groupOf(kind: string, meta: { namespace?: string; name: string }): string {
  return `${kind}/${meta.namespace ?? 'default'}/${meta.name}`
}
