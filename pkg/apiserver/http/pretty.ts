/** `?pretty=true`: the same answer, laid out for people. */
import type { ApiRequest, ApiResponse } from '#pkg/apimachinery/transport.ts'

/** Leaves alone what is no JSON, and what comes bit by bit. */
export function pretty({ query }: Pick<ApiRequest, 'query'>, answer: ApiResponse): ApiResponse {
  const wanted = query.get('pretty')
  if (wanted !== 'true' && wanted !== '1') return answer
  const { body, headers } = answer
  const isJson = headers['content-type']?.startsWith('application/json') === true
  if (!isJson || typeof body !== 'string' || body === '') return answer
  return { ...answer, body: `${JSON.stringify(JSON.parse(body), null, 2)}\n` }
}
