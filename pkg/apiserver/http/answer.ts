/** The few shapes of answers that the surface beside the verbs gives, and how its parts are asked one after another. */
import type { Logger } from '#pkg/apimachinery/ambient.ts'
import { isAbort, messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import type { ApiRequest, ApiResponse, UserInfo } from '#pkg/apimachinery/transport.ts'

/** A part of the API beside the resources' verbs. Undefined: the request is not for this part. Throws StatusErrors. */
export type Surface = (
  request: ApiRequest,
  user: UserInfo,
) => Promise<ApiResponse | undefined> | ApiResponse | undefined

/** Asks each part in turn; the first that answers wins. */
export function firstOf(...parts: readonly Surface[]): Surface {
  return async (request, user) => {
    for (const part of parts) {
      const answer = await part(request, user)
      if (answer !== undefined) return answer
    }
    return undefined
  }
}

export function jsonAnswer(
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
  status = 200,
): ApiResponse {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(value) }
}

/** The Status of a failure. `Retry-After` goes with it only when the error says so: clients repeat by themselves then. */
export function failureAnswer(error: StatusError): ApiResponse {
  const { retryAfterSeconds } = error.details
  const headers = {
    ...(retryAfterSeconds !== undefined && { 'retry-after': String(retryAfterSeconds) }),
    ...(error.allow !== undefined && { allow: error.allow.join(', ') }),
  }
  return jsonAnswer(error.toStatus(), headers, error.code)
}

/** An error nobody translated is a bug: it is logged in full and told to the client without its inside. */
export function answerFor(error: unknown, request: ApiRequest, log: Logger): ApiResponse {
  if (error instanceof StatusError) return failureAnswer(error)
  if (request.signal.aborted && isAbort(error))
    return failureAnswer(new StatusError('Timeout', 'the request was given up', {}, { cause: error }))
  log.error('request failed unexpectedly', {
    method: request.method,
    path: request.path,
    error: messageOf(error),
    stack: error instanceof Error ? error.stack : undefined,
  })
  const message = 'an internal error occurred; the log of the server tells more'
  return failureAnswer(new StatusError('InternalError', message, {}, { cause: error }))
}

/** A cached document: 304 when the client has it already. */
export function cachedAnswer(
  request: ApiRequest,
  document: {
    readonly body: string | Uint8Array
    readonly etag: string
    readonly headers: Readonly<Record<string, string>>
  },
): ApiResponse {
  const headers = { ...document.headers, etag: document.etag }
  return matches(request.headers['if-none-match'], document.etag)
    ? { status: 304, headers, body: '' }
    : { status: 200, headers, body: document.body }
}

/** A proxy may have weakened the tag; the body is the same to the byte or not at all. */
function matches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false
  const tags = header.split(',').map((tag) => tag.trim().replace(/^W\//, ''))
  return tags.includes(etag) || tags.includes('*')
}

/** Throws MethodNotAllowed for anything but reading. */
export function onlyReads(request: ApiRequest): void {
  if (request.method === 'GET' || request.method === 'HEAD') return
  const message = 'the server does not allow this method on the requested resource'
  throw new StatusError('MethodNotAllowed', message, {}, { allow: ['GET', 'HEAD'] })
}
