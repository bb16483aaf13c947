/** What each part of the node's small API (streams.ts) is given, and what they ask of it alike. */
import type { Duplex } from 'node:stream'
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import { badRequest } from '#pkg/apimachinery/errors.ts'
import type { ApiRequest } from '#pkg/apimachinery/transport.ts'
import type { ContainerStatus } from '#pkg/apis/container.ts'
import type { Engine, ObservedContainer } from '#pkg/engine/port.ts'
import type { UsageBook } from './usage.ts'

/** Opens a connection whose two directions end apart from each other. */
export type Connect = (host: string, port: number, signal: AbortSignal) => Promise<Duplex>

/** A request about one container that is there. */
export interface Target {
  readonly request: ApiRequest
  readonly engine: Engine
  readonly clock: Clock
  /** Of the object. */
  readonly name: string
  readonly observed: ObservedContainer
  readonly status: ContainerStatus | undefined
  readonly connect: Connect
  readonly usage: UsageBook
}

/** Throws BadRequest, in words for whoever wants to work inside of it. */
export function mustRun({ name, observed }: Pick<Target, 'name' | 'observed'>): void {
  if (observed.state === 'running') return
  const why =
    observed.state === 'exited' ? `it ended with exit code ${observed.exitCode}` : `it is ${observed.state}`
  throw badRequest(`container "${name}" is not running: ${why}`)
}

export function isTrue(query: URLSearchParams, name: string): boolean {
  const value = query.get(name)
  return value === 'true' || value === '1'
}
