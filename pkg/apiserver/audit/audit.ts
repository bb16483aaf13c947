/**
 * The audit log's place in the server: around everything that answers, authorization included, so that refusals are
 * seen. Writing never fails and never waits: the sink takes care of that.
 */
import type { Clock, Random } from '#pkg/apimachinery/ambient.ts'
import type { ApiRequest, ApiResponse, Handler, UserInfo } from '#pkg/apimachinery/transport.ts'
import { isWhole, splitTarget } from '#pkg/apimachinery/wire.ts'
import type { OnUpgrade } from '../door/listen.ts'
import {
  type Answer,
  type AuditEvent,
  answerOf,
  answerOfError,
  auditEvent,
  type Exchange,
  isAudited,
  readAttributes,
  type Stage,
} from './auditrecord.ts'

export interface AuditSink {
  /** Must neither throw nor wait. */
  write(event: AuditEvent): void
}

export interface AuditOptions {
  readonly sink: AuditSink
  readonly clock: Clock
  readonly random: Random
}

export interface Audit {
  /** The handler, with what it answers on record; the answer names its record in `Audit-ID`. */
  readonly handler: (handler: Handler) => Handler
  /** The same for connections that are taken over: one record when it opens, one when it closes. */
  readonly upgrades: (take: OnUpgrade) => OnUpgrade
  /** Records a request whose asker could not be made out. */
  readonly refused: (request: ApiRequest, error: unknown) => void
}

export function makeAudit({ sink, clock, random }: AuditOptions): Audit {
  const begin = (request: ApiRequest, user: UserInfo | undefined): Exchange => {
    const attributes = readAttributes(request)
    return { auditID: random.uuid(), request, user, attributes, received: clock.now() }
  }
  const record = (exchange: Exchange, stage: Stage, answer: Answer) =>
    sink.write(auditEvent(exchange, { stage, answer, now: clock.now() }))
  return {
    handler: (handler) => async (request, user) => {
      const exchange = begin(request, user)
      const response = await handler(request, user)
      if (!isAudited(exchange, response.status)) return response
      const answer = answerOf(request, response)
      const headers = { ...response.headers, 'audit-id': exchange.auditID }
      if (isWhole(response.body)) {
        record(exchange, 'ResponseComplete', answer)
        return { ...response, headers }
      }
      record(exchange, 'ResponseStarted', answer)
      const body = thenDo(response.body, () => record(exchange, 'ResponseComplete', answer))
      return { ...response, headers, body }
    },
    upgrades: (take) => async (upgrade) => {
      const { request, user, socket } = upgrade
      const exchange = begin(request, user)
      const ended = (answer: Answer) => {
        if (isAudited(exchange, answer.status)) record(exchange, 'ResponseComplete', answer)
      }
      let refusal: ApiResponse | undefined
      try {
        refusal = await take(upgrade)
      } catch (error) {
        ended(answerOfError(error))
        throw error
      }
      if (refusal !== undefined) ended(answerOf(request, refusal))
      else if (isAudited(exchange, switching.status)) {
        record(exchange, 'ResponseStarted', switching)
        if (socket.destroyed) ended(switching)
        else socket.once('close', () => ended(switching))
      }
      return refusal
    },
    refused: (request, error) => {
      const answer = answerOfError(error)
      record(begin(withTarget(request), undefined), 'ResponseComplete', answer)
    },
  }
}

/** A request that was refused early may have its query in its path still. */
function withTarget(request: ApiRequest): ApiRequest {
  return request.path.startsWith('/') ? { ...request, ...splitTarget(request.path) } : request
}

const switching = { status: 101 } as const

async function* thenDo(
  body: AsyncIterable<string | Uint8Array>,
  run: () => void,
): AsyncGenerator<string | Uint8Array, undefined> {
  try {
    yield* body
  } finally {
    run()
  }
  return undefined
}
