/** How the node of an object is, in sentences. Pure. */
import { findCondition, type KubeObject } from '#pkg/apimachinery/meta.ts'
import type { Lease } from '#pkg/apis/lease.ts'
import type { Node } from '#pkg/apis/node.ts'
import { whenText } from './why.times.ts'

export interface NodeFacts {
  /** Undefined when it does not exist. */
  readonly node: Node | 'hidden' | undefined
  /** By which it says that it is there; undefined when it holds none. */
  readonly lease: Lease | undefined
}

/** An agent reports every five minutes at least, however little changes: two such times, and a while. */
const longestSilence = 660

/** `name`: that the object is on; undefined for none, of which there is nothing to say. */
export function nodeSentences(name: string | undefined, { node, lease }: NodeFacts, now: number): string[] {
  if (name === undefined) return []
  if (node === undefined) return [`Node ${name} does not exist.`]
  if (node === 'hidden') return [`How node ${name} is, is not for you to read.`]
  const ready = findCondition(node.status?.conditions, 'Ready')
  const state =
    ready === undefined
      ? `Node ${name} has reported nothing yet.`
      : `Node ${name} is ${ready.status === 'True' ? 'ready' : 'not ready'}: ${ready.reason}: ${ready.message}.`
  return [state, ...signOfLife(node, lease, now)]
}

function signOfLife({ status }: Node, lease: Lease | undefined, now: number): string[] {
  const { renewTime, leaseDurationSeconds = 40 } = lease?.spec ?? {}
  const last = renewTime ?? status?.lastHeartbeat
  if (last === undefined) return []
  const longest = renewTime === undefined ? longestSilence : leaseDurationSeconds
  const silent = now - Date.parse(last) > longest * 1000
  return silent
    ? [`It is out of reach: its last sign of life was at ${whenText(last, now)}; what runs on it goes on.`]
    : [`Its last sign of life was at ${whenText(last, now)}.`]
}

/** The node that the object is on, or is. */
export function nodeNameOf({ kind, metadata, spec }: KubeObject): string | undefined {
  if (kind === 'Node') return metadata.name
  const name = (spec as { nodeName?: unknown } | undefined)?.nodeName
  return typeof name === 'string' ? name : undefined
}
