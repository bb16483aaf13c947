/**
 * Health, for supervisors, load balancers and people: `/livez`, `/readyz` and the older `/healthz`, each check by itself
 * below them, all of them listed with `?verbose`. Answers as Kubernetes' do. Anyone may ask whether; why is told to those
 * who may read the log.
 */
import { type Clock, type Logger, sleep } from '#pkg/apimachinery/ambient.ts'
import { messageOf } from '#pkg/apimachinery/errors.ts'
import type { ApiRequest, ApiResponse } from '#pkg/apimachinery/transport.ts'
import { onlyReads, type Surface } from '../http/answer.ts'

/** Throws, or rejects, with what is wrong. */
export type Check = () => Promise<void> | void

export interface HealthOptions {
  /** By name, in the order in which they are told. */
  readonly checks: Readonly<Record<string, Check>>
  readonly clock: Clock
  readonly log: Logger
}

/** A check that has not ended by then has failed. */
const patienceMs = 2_000

interface Result {
  readonly name: string
  readonly ok: boolean
}

export function health({ checks, clock, log }: HealthOptions): Surface {
  const ping: Check = () => {}
  const endpoints: Readonly<Record<string, Readonly<Record<string, Check>>>> = {
    livez: { ping },
    readyz: { ping, ...checks },
    healthz: { ping, ...checks },
  }
  const runOne = async (name: string, check: Check): Promise<Result> => {
    try {
      await within(clock, check)
      return { name, ok: true }
    } catch (error) {
      log.warn('health check failed', { check: name, error: messageOf(error) })
      return { name, ok: false }
    }
  }
  return async (request) => {
    const [, root = '', name, ...rest] = request.path.replace(/\/$/, '').split('/')
    const known = Object.hasOwn(endpoints, root) && rest.length === 0 ? endpoints[root] : undefined
    if (known === undefined) return undefined
    onlyReads(request)
    if (name === undefined) {
      const excluded = new Set(request.query.getAll('exclude'))
      const wanted = Object.entries(known).filter(([each]) => !excluded.has(each))
      return report(root, await Promise.all(wanted.map(([each, check]) => runOne(each, check))), request)
    }
    const check = Object.hasOwn(known, name) ? known[name] : undefined
    if (check === undefined) return undefined
    return report(`${root}/${name}`, [await runOne(name, check)], request)
  }
}

async function within(clock: Clock, check: Check): Promise<void> {
  const patience = new AbortController()
  const late = sleep(clock, patienceMs, patience.signal).then(
    () => {
      throw new Error(`no answer within ${patienceMs / 1000} s`)
    },
    (error: unknown) => {
      if (!patience.signal.aborted) throw error
    },
  )
  try {
    await Promise.race([check(), late])
  } finally {
    patience.abort()
  }
}

function report(what: string, results: readonly Result[], { query }: ApiRequest): ApiResponse {
  const ok = results.every((result) => result.ok)
  if (ok && !query.has('verbose')) return text(200, 'ok')
  const lines = results.map((each) =>
    each.ok ? `[+]${each.name} ok` : `[-]${each.name} failed: reason withheld`,
  )
  return text(ok ? 200 : 500, `${lines.join('\n')}\n${what} check ${ok ? 'passed' : 'failed'}\n`)
}

function text(status: number, body: string): ApiResponse {
  const headers = { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-cache, private' }
  return { status, headers, body }
}
