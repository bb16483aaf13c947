/**
 * Checks that the agent makes in place of the engine, over the network: what they ask for, and what follows from each
 * answer. The rules are Docker's own for a HEALTHCHECK (moby, daemon/health.go). Pure.
 *
 * A container carries its check as a label, as one with a command carries it in the engine's configuration: so it is
 * judged by the spec it was made from, whatever the spec says since, and whoever restarts.
 */
import { parseDuration } from '#pkg/apimachinery/quantity.ts'
import { shortestPause } from '#pkg/apis/container.healthcheck.ts'
import type { ContainerHealthcheck } from '#pkg/apis/container.ts'
import type { HealthProbe, ObservedHealth } from '#pkg/engine/port.ts'

export type ProbeCheck =
  | {
      readonly type: 'http'
      readonly scheme: 'HTTP' | 'HTTPS'
      readonly port: number
      readonly path: string
      readonly headers: Readonly<Record<string, string>>
    }
  | { readonly type: 'tcp'; readonly port: number }

/** Durations in ms. */
export interface Probe {
  readonly check: ProbeCheck
  readonly interval: number
  readonly timeout: number
  readonly retries: number
  readonly startPeriod: number
  /** Between checks within the start period, until the first that passes. */
  readonly startInterval: number
}

const usualStartInterval = 5000
const probesKept = 5
/** In bytes; what is longer is cut and ends in three dots. */
const longestOutput = 4096

/** The check that the agent makes; undefined when the engine does, or nobody. */
export function probeOf(healthcheck: ContainerHealthcheck | undefined): Probe | undefined {
  const check = healthcheck && checkOf(healthcheck)
  if (healthcheck === undefined || check === undefined) return undefined
  const ms = (duration: string) => parseDuration(duration) ?? 0
  const interval = ms(healthcheck.interval)
  const { startInterval } = healthcheck
  return {
    check,
    interval,
    timeout: ms(healthcheck.timeout),
    retries: healthcheck.retries,
    startPeriod: ms(healthcheck.startPeriod),
    startInterval: startInterval === undefined ? Math.min(interval, usualStartInterval) : ms(startInterval),
  }
}

function checkOf({ http, tcp }: ContainerHealthcheck): ProbeCheck | undefined {
  if (http !== undefined) {
    const { scheme, port, path, headers } = http
    return { type: 'http', scheme, port, path, headers }
  }
  return tcp === undefined ? undefined : { type: 'tcp', port: tcp.port }
}

export const notChecked: ObservedHealth = { status: 'starting', failingStreak: 0, log: [] }

/** One success makes healthy; `retries` failures in a row make unhealthy; before the first success the start period forgives. */
export function afterProbe(
  before: ObservedHealth,
  result: HealthProbe,
  { probe, startedAt }: { readonly probe: Probe; readonly startedAt: number },
): ObservedHealth {
  const log = [...before.log, result].slice(-probesKept)
  if (result.exitCode === 0) return { status: 'healthy', failingStreak: 0, log }
  const forgiven = before.status === 'starting' && Date.parse(result.start) - startedAt < probe.startPeriod
  if (forgiven) return { ...before, log }
  const failingStreak = before.failingStreak + 1
  return { status: failingStreak >= probe.retries ? 'unhealthy' : before.status, failingStreak, log }
}

/** How long to wait for the next check, in ms: from the start, or from the end of the one before. */
export function pauseBeforeProbe(
  status: ObservedHealth['status'],
  probe: Probe,
  { startedAt, now }: { readonly startedAt: number; readonly now: number },
): number {
  const starts = status === 'starting' && now - startedAt < probe.startPeriod
  // The label of a container that an earlier version made may ask for less.
  return Math.max(starts ? probe.startInterval : probe.interval, shortestPause)
}

/** As Docker keeps it. */
export function cutOutput(output: string): string {
  const bytes = Buffer.from(output)
  return bytes.length <= longestOutput ? output : `${bytes.subarray(0, longestOutput).toString('utf8')}...`
}

export function writeProbe(probe: Probe): string {
  return JSON.stringify(probe)
}

/** Also on a container without such a check: its image may have a label of the name. */
export function probeLabel(probe: Probe | undefined): string {
  return probe === undefined ? '' : writeProbe(probe)
}

/** Undefined for what this version has not written. */
export function readProbe(label: string | undefined): Probe | undefined {
  if (label === undefined || label === '') return undefined
  const found = parsed(label)
  const check = isRecord(found) ? readCheck(found['check']) : undefined
  if (check === undefined || !isRecord(found)) return undefined
  const numbers = numberNames.map((name) => found[name])
  const [interval, timeout, retries, startPeriod, startInterval] = numbers
  if (!isNatural(interval) || !isNatural(timeout) || !isNatural(retries)) return undefined
  if (!isNatural(startPeriod) || !isNatural(startInterval)) return undefined
  return { check, interval, timeout, retries, startPeriod, startInterval }
}

const numberNames = ['interval', 'timeout', 'retries', 'startPeriod', 'startInterval'] as const

function readCheck(found: unknown): ProbeCheck | undefined {
  if (!isRecord(found)) return undefined
  const { type, port, scheme, path, headers } = found
  if (!isNatural(port) || port < 1 || port > 65_535) return undefined
  if (type === 'tcp') return { type, port }
  if (type !== 'http' || (scheme !== 'HTTP' && scheme !== 'HTTPS') || typeof path !== 'string')
    return undefined
  return isTextMap(headers) ? { type, port, scheme, path, headers } : undefined
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isTextMap(value: unknown): value is Readonly<Record<string, string>> {
  return isRecord(value) && Object.values(value).every((item) => typeof item === 'string')
}

function isNatural(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
