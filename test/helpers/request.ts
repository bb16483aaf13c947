/** Requests made by hand, for parts that are asked in process. */
import type { ApiRequest, UserInfo } from '#pkg/apimachinery/transport.ts'

/** A GET of `target` (path and query), unless `more` says otherwise; it is never given up. */
export function makeRequest(target: string, more: Partial<ApiRequest> = {}): ApiRequest {
  const { pathname, search } = new URL(target, 'https://server')
  const query = new URLSearchParams(search)
  return { method: 'GET', path: pathname, query, headers: {}, signal: new AbortController().signal, ...more }
}

export const adminUser: UserInfo = {
  name: 'cove-admin',
  groups: ['system:masters', 'system:authenticated'],
}
