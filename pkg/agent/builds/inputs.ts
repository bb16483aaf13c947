/**
 * What a build is made of, part by part, and the one hash of all of it: by content only, so that the same inputs have the
 * same hash on any machine at any time. Pure.
 */
import { createHash, createHmac } from 'node:crypto'
import { canonicalJson } from '#pkg/apimachinery/hash.ts'
import type { BuildSpec } from '#pkg/apis/build.ts'
import type { Builder } from '#pkg/engine/builds.ts'

/** By the names of `status.inputs`. */
export type Inputs = Readonly<Record<string, string>>

export interface InputParts {
  readonly spec: Pick<BuildSpec, 'args' | 'labels' | 'target' | 'platform' | 'network'>
  /** Digest of its files; absent: there are none. */
  readonly context?: string
  /** Text of the Dockerfile. */
  readonly dockerfile: string
  readonly builder: Builder
  /** Id on the node, by reference. */
  readonly bases: ReadonlyMap<string, string>
  /** `hashOfSecret` of each, by id. */
  readonly secrets: ReadonlyMap<string, string>
  /** The time of the schedule that it answers. */
  readonly scheduledAt?: string
  /** The value of the annotation that it answers. */
  readonly request?: string
}

export function inputsOf({ spec, ...parts }: InputParts): Inputs {
  const { context, dockerfile, builder, bases, secrets, scheduledAt, request } = parts
  const { args, labels, target, platform, network } = spec
  const optional = { context, target, platform, network, scheduled: scheduledAt, requested: request }
  return {
    dockerfile: hashOfText(dockerfile),
    builder,
    ...present(optional),
    ...(Object.keys(args).length > 0 && { args: canonicalJson(args) }),
    ...(Object.keys(labels).length > 0 && { labels: canonicalJson(labels) }),
    ...prefixed(basePrefix, bases),
    ...prefixed(secretPrefix, secrets),
  }
}

const basePrefix = 'base '
const secretPrefix = 'secret '

export function isSecret(part: string): boolean {
  return part.startsWith(secretPrefix)
}

/** What a build is made of, of images: ids by reference. */
export function basesIn(inputs: Inputs): ReadonlyMap<string, string> {
  const bases = Object.entries(inputs).filter(([part]) => isBase(part))
  return new Map(bases.map(([part, id]) => [part.slice(basePrefix.length), id]))
}

export function isBase(part: string): boolean {
  return part.startsWith(basePrefix)
}

/** `sha256:` and 64 hex digits. */
export function hashOfInputs(inputs: Inputs): string {
  return hashOfText(canonicalJson(inputs))
}

export function hashOfText(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`
}

export interface BuildSecret {
  readonly namespace: string
  readonly id: string
  readonly value: Uint8Array
}

/**
 * Made with a key of this node's own: a weak secret cannot be guessed from it by whoever reads the status, nor tried out
 * with a Build of another namespace on the same node.
 */
export function hashOfSecret(key: Uint8Array, { namespace, id, value }: BuildSecret): string {
  const whose = JSON.stringify([namespace, id])
  return createHmac('sha256', key).update(`${whose}\n`).update(value).digest('hex').slice(0, 32)
}

function present(values: Readonly<Record<string, string | undefined>>): Inputs {
  return Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
}

function prefixed(prefix: string, values: ReadonlyMap<string, string>): Inputs {
  return Object.fromEntries([...values].map(([name, value]) => [`${prefix}${name}`, value]))
}
