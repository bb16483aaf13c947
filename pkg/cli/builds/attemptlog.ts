/** The log of one attempt of a Build, line by line, until the attempt ends. */
import { sleep } from '#pkg/apimachinery/ambient.ts'
import { isReason, StatusError } from '#pkg/apimachinery/errors.ts'
import { objectPath } from '#pkg/apis/paths.ts'
import { readLines } from '#pkg/client/lines.ts'
import { builtinResource } from '../resources.ts'
import type { Session } from '../session.ts'

export interface LogOptions {
  /** Absent: the last one. */
  readonly attempt?: number
  readonly follow: boolean
  readonly timestamps?: boolean
  /** Only the last lines of what is there. */
  readonly tailLines?: number
}

export async function* attemptLog(
  name: string,
  { attempt, follow, timestamps = false, tailLines }: LogOptions,
  { client, namespace, signal }: Session,
): AsyncGenerator<string> {
  const path = `${objectPath(builtinResource('Build'), { namespace, name })}/log`
  const query = {
    ...(follow && { follow: 'true' }),
    ...(attempt !== undefined && { attempt: String(attempt) }),
    ...(timestamps && { timestamps: 'true' }),
    ...(tailLines !== undefined && { tailLines: String(tailLines) }),
  }
  const headers = { accept: 'text/plain, application/json;q=0.5' }
  const { body } = await client.stream({ method: 'GET', path, query, headers }, signal)
  yield* readLines(body)
}

const pauseMs = 500

export interface LastingOptions {
  readonly session: Session
  /** Told why it does not go on for now; with nothing, that it does. */
  readonly onBreak: (why: string) => Promise<void>
}

/**
 * The same, through restarts of the server: what was told is not told again. Throws what the server says of a log that
 * it cannot give.
 */
export async function* lastingLog(
  name: string,
  attempt: number,
  { session, onBreak }: LastingOptions,
): AsyncGenerator<string, void> {
  let told = 0
  for (;;) {
    try {
      let read = 0
      for await (const line of attemptLog(name, { attempt, follow: true }, session)) {
        read += 1
        if (read === 1) await onBreak('')
        if (read <= told) continue
        told = read
        yield line
      }
      return
    } catch (error) {
      if (told === 0 || !isReason(error, 'ServiceUnavailable')) throw error
      await onBreak(error.message)
    }
    await sleep(session.clock, pauseMs, session.signal)
  }
}

/** Whether a log that cannot be had is no reason to give up: what happens is told by the object, too. */
export function isWithoutLog(error: unknown, signal: AbortSignal): error is StatusError {
  return error instanceof StatusError && !signal.aborted
}
