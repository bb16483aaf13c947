/**
 * What a node must know to go on without its server: the desired state as the server last told it, and what the node has
 * not been able to tell the server yet. A value and its text; where the text lies is nodecopyfile.ts's business. Pure.
 */
import { badRequest, StatusError } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import type { Build } from '#pkg/apis/build.ts'
import type { Container, ContainerStatus } from '#pkg/apis/container.ts'
import type { ConfigMap, Secret } from '#pkg/apis/core.ts'
import type { Event } from '#pkg/apis/event.ts'
import type { Image } from '#pkg/apis/image.ts'
import type { Network } from '#pkg/apis/network.ts'
import type { Node } from '#pkg/apis/node.ts'
import type { PrunePolicy } from '#pkg/apis/prunepolicy.ts'
import type { Registry } from '#pkg/apis/registry.ts'
import type { Volume } from '#pkg/apis/volume.ts'

/** What Containers name, by `namespace/name`; null: the server said that there is none. */
export type Answers<T> = Readonly<Record<string, T | null>>

export interface DesiredCopy {
  readonly containers: readonly Container[]
  readonly volumes: readonly Volume[]
  readonly networks: readonly Network[]
  readonly images: readonly Image[]
  readonly builds: readonly Build[]
  readonly registries: readonly Registry[]
  readonly prunePolicies: readonly PrunePolicy[]
  /** The node's own; none or one. */
  readonly nodes: readonly Node[]
  readonly named: {
    readonly Secret: Answers<Secret>
    readonly ConfigMap: Answers<ConfigMap>
    readonly Volume: Answers<Volume>
    readonly Network: Answers<Network>
    readonly Image: Answers<Image>
  }
}

export interface NodeCopy {
  readonly nodeName: string
  /** UID of the Namespace `default`. */
  readonly clusterID: string
  readonly desired: DesiredCopy
  /** By uid, of Containers: as the node last saw them, whether or not the server knows. */
  readonly statuses: Readonly<Record<string, ContainerStatus>>
  /** That the server has not taken yet. */
  readonly events: readonly Event[]
}

/** A copy of another format is of no use: the server is waited for then. */
const format = 3

export function encodeCopy(copy: NodeCopy): string {
  return JSON.stringify({ format, ...copy })
}

/** Throws BadRequest that says what it is not. The objects are taken as they are: only this program has the key. */
export function decodeCopy(text: string, nodeName: string): NodeCopy {
  const value = parse(text)
  if (!isPlainObject(value) || value['format'] !== format)
    throw badRequest(`it is not of format ${format}, but of another version of Cove`)
  if (!isCopy(value)) throw badRequest('it is not as the agent writes it')
  if (value.nodeName !== nodeName) throw badRequest(`it is of node "${value.nodeName}", not of "${nodeName}"`)
  const { clusterID, desired, statuses, events } = value
  return { nodeName, clusterID, desired, statuses, events }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    // The error itself quotes the text, which may be a Secret's.
    throw new StatusError('BadRequest', 'it is not JSON', {}, { cause: error })
  }
}

function isCopy(value: Record<string, unknown>): value is NodeCopy & Record<string, unknown> {
  const { nodeName, clusterID, desired, statuses, events } = value
  if (typeof nodeName !== 'string' || typeof clusterID !== 'string' || clusterID === '') return false
  if (!isPlainObject(desired) || !isPlainObject(statuses) || !Array.isArray(events)) return false
  const { named } = desired
  const lists = ['containers', 'volumes', 'networks', 'images', 'registries', 'prunePolicies', 'nodes'].every(
    (list) => Array.isArray(desired[list]),
  )
  const kinds = ['Secret', 'ConfigMap', 'Volume', 'Network', 'Image']
  return lists && isPlainObject(named) && kinds.every((kind) => isPlainObject(named[kind]))
}

/** Whether something of `before` is gone or on its way: what must not come back if the node starts again right now. */
export function hasLost(before: DesiredCopy | undefined, now: DesiredCopy): boolean {
  if (before === undefined) return false
  const left = new Map(placed(now).map((object) => [object.metadata.uid, isDeleted(object)]))
  return placed(before).some((object) => {
    const deleted = left.get(object.metadata.uid)
    return deleted === undefined || (deleted && !isDeleted(object))
  })
}

function placed({ containers, volumes, networks, images }: DesiredCopy): KubeObject[] {
  return [...containers, ...volumes, ...networks, ...images]
}

function isDeleted({ metadata }: KubeObject): boolean {
  return metadata.deletionTimestamp !== undefined
}

/**
 * Which of two statuses of one Container is the later one: that which tells of the later time before `now`. Only a crash
 * between two writes of the copy makes the server's later; when nothing tells them apart it is the node's own.
 */
export function laterStatus(
  own: ContainerStatus,
  told: ContainerStatus | undefined,
  now: number,
): ContainerStatus {
  return told !== undefined && latestTime(told, now) > latestTime(own, now) ? told : own
}

function latestTime(status: ContainerStatus, now: number): number {
  const found = [...JSON.stringify(status).matchAll(/"(\d{4}-\d\d-\d\dT[\d:.]+Z)"/g)]
  // When something comes next is in it too.
  const past = found.map(([, time = '']) => Date.parse(time)).filter((time) => time <= now)
  return Math.max(0, ...past)
}
