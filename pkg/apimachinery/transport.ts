/**
 * The API as a function from request to response. The server implements Handler; the HTTP client, and the
 * in-process shortcut used by agents, controllers and tests, implement Transport. Nobody needs a fake client.
 */

/** Who asks, as authentication found it. */
export interface UserInfo {
  readonly name: string
  readonly groups: readonly string[]
  readonly uid?: string
  /** What authentication knows besides, such as the token's id. */
  readonly extra?: Readonly<Record<string, readonly string[]>>
}

export interface ApiRequest {
  readonly method: string
  /** Percent-decoded by the router, segment by segment; never holds the query. */
  readonly path: string
  readonly query: URLSearchParams
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Uint8Array | string
  /**
   * What the asker goes on to send while the answer comes, of a request that both sides write to (exec, attach,
   * port-forward); `body` is absent then. Ends when the asker has nothing more to send.
   */
  readonly input?: AsyncIterable<Uint8Array>
  /** The address that the asker's connection comes from; absent within one process. */
  readonly peer?: string
  /** Aborts when the asker goes away; watches and log streams end then. */
  readonly signal: AbortSignal
}

export interface ApiResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** A whole body, or chunks to be flushed one by one as they come. */
  readonly body: string | Uint8Array | AsyncIterable<string | Uint8Array>
  /** What a request has made, for whoever keeps a record of it and would not read the body again. */
  readonly made?: { readonly name: string; readonly uid?: string }
  /** Of chunks: how long a reader may take none of them before the connection is closed. Absent: as it likes. */
  readonly readerMs?: number
}

export type Transport = (request: ApiRequest) => Promise<ApiResponse>

export type Handler = (request: ApiRequest, user: UserInfo) => Promise<ApiResponse>

/** Calls a handler directly, as `user`: no socket, no TLS, the same code path behind. */
export function inProcess(handler: Handler, user: UserInfo): Transport {
  return (request) => handler(request, user)
}

export async function readAll(body: ApiResponse['body']): Promise<string> {
  if (typeof body === 'string') return body
  if (body instanceof Uint8Array) return Buffer.from(body).toString('utf8')
  const chunks: Buffer[] = []
  for await (const chunk of body) chunks.push(Buffer.from(chunk as Uint8Array))
  return Buffer.concat(chunks).toString('utf8')
}
