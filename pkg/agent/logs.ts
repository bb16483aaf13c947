/** Output of a Container: of its run now, or of the one before, as text or as frames of the two streams. */
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import { badRequest } from '#pkg/apimachinery/errors.ts'
import { channels, encodeFrame, framesType } from '#pkg/apimachinery/frames.ts'
import type { ApiRequest, ApiResponse } from '#pkg/apimachinery/transport.ts'
import type { ContainerStatus } from '#pkg/apis/container.ts'
import type { LogChunk, LogOptions, ObservedContainer } from '#pkg/engine/port.ts'
import { isTrue, type Target } from './target.ts'

/** RFC 3339; absent: no bound. */
export interface LogRange {
  readonly since?: string
  readonly until?: string
}

/**
 * The engine notes the start of a process a moment after that process has begun to write, and long after the one
 * before has ended: so far before the noted start does a run begin.
 */
const startLagMs = 250

export async function log({ request, engine, clock, name, observed, status }: Target): Promise<ApiResponse> {
  const previous = isTrue(request.query, 'previous')
  const range = previous ? previousRun(name, observed, status) : currentRun(observed, status)
  const framed = request.headers['accept']?.includes(framesType) === true
  const chunks = engine.containerLogs(observed.id, logOptions(request, clock, range))
  return {
    status: 200,
    headers: { 'content-type': framed ? framesType : 'text/plain' },
    body: encode(chunks, framed),
  }
}

/** The engine keeps the output of all runs of a container in one log. */
export function currentRun(observed: ObservedContainer, status: ContainerStatus | undefined): LogRange {
  const isFirst = (status?.restartCount ?? 0) === 0
  if (observed.state === 'exited') return isFirst ? {} : sinceStart(observed.startedAt)
  // While it runs, finishedAt is the end of the run before.
  return observed.finishedAt === undefined ? {} : { since: observed.finishedAt }
}

/**
 * The run that ended last. A container that was replaced has taken its output with it: then, and when no run has ended
 * yet, throws BadRequest in Kubernetes' words.
 */
export function previousRun(
  name: string,
  observed: ObservedContainer,
  status: ContainerStatus | undefined,
): LogRange {
  const { state, startedAt, finishedAt } = observed
  if (finishedAt === undefined)
    throw badRequest(`previous terminated container "${name}" in pod "${name}" not found`)
  if (state === 'exited') return currentRun(observed, status)
  const known = status?.lastTermination?.finishedAt === finishedAt
  const began = known ? status?.lastTermination?.startedAt : undefined
  const isFirst = (status?.restartCount ?? 0) <= 1 || began === startedAt
  return { ...(isFirst ? {} : sinceStart(began)), until: finishedAt }
}

function sinceStart(startedAt: string | undefined): LogRange {
  return startedAt === undefined ? {} : { since: timestamp(Date.parse(startedAt) - startLagMs) }
}

async function* encode(chunks: AsyncIterable<LogChunk>, framed: boolean): AsyncGenerator<Uint8Array> {
  for await (const { stream, data } of chunks) yield framed ? encodeFrame(channels[stream], data) : data
}

function logOptions({ query, signal }: ApiRequest, clock: Clock, range: LogRange): LogOptions {
  const tail = wholeNumber(query, 'tailLines')
  const since = later(askedSince(query, clock), range.since)
  return {
    follow: isTrue(query, 'follow') && range.until === undefined,
    timestamps: isTrue(query, 'timestamps'),
    signal,
    ...(tail !== undefined && { tail }),
    ...(since !== undefined && { since }),
    ...(range.until !== undefined && { until: range.until }),
  }
}

function askedSince(query: URLSearchParams, clock: Clock): string | undefined {
  const sinceTime = query.get('sinceTime') ?? undefined
  if (sinceTime !== undefined && Number.isNaN(Date.parse(sinceTime)))
    throw badRequest(`sinceTime: "${sinceTime}" is not an RFC 3339 time`)
  const seconds = wholeNumber(query, 'sinceSeconds')
  return seconds === undefined ? sinceTime : timestamp(clock.now() - seconds * 1000)
}

function later(one: string | undefined, other: string | undefined): string | undefined {
  if (one === undefined || other === undefined) return one ?? other
  return Date.parse(one) > Date.parse(other) ? one : other
}

function timestamp(milliseconds: number): string {
  return new Date(milliseconds).toISOString()
}

function wholeNumber(query: URLSearchParams, name: string): number | undefined {
  const value = query.get(name)
  if (value === null || value === '') return undefined
  if (!/^[0-9]+$/.test(value)) throw badRequest(`${name}: "${value}" must be a whole number, 0 or more`)
  return Number(value)
}
