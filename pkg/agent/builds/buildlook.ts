/** What people see of builds through the node's own small API: `GET /builds/NAMESPACE/NAME/log`, of its attempts. */
import { badRequest, StatusError } from '#pkg/apimachinery/errors.ts'
import type { ApiRequest, ApiResponse } from '#pkg/apimachinery/transport.ts'
import type { ObjectName } from '../ops.ts'
import { isTrue } from '../target.ts'
import type { LogReading } from './buildlogs.ts'

export type BuildLogOf = (build: ObjectName, reading: LogReading) => Promise<AsyncIterable<Uint8Array>>

/** `attempt` (absent: the newest), `follow`, `tailLines`, `timestamps`. Text. */
export async function lookAtBuildLog(
  build: ObjectName,
  { query, signal }: ApiRequest,
  logOf: BuildLogOf | undefined,
): Promise<ApiResponse> {
  if (logOf === undefined) throw new StatusError('NotFound', 'this node builds nothing')
  const attempt = wholeNumber(query, 'attempt')
  const tailLines = wholeNumber(query, 'tailLines')
  const body = await logOf(build, {
    follow: isTrue(query, 'follow'),
    timestamps: isTrue(query, 'timestamps'),
    signal,
    ...(attempt !== undefined && { attempt }),
    ...(tailLines !== undefined && { tailLines }),
  })
  return { status: 200, headers: { 'content-type': 'text/plain' }, body }
}

function wholeNumber(query: URLSearchParams, name: string): number | undefined {
  const value = query.get(name)
  if (value === null || value === '') return undefined
  if (!/^[0-9]{1,9}$/.test(value)) throw badRequest(`${name}: "${value}" must be a whole number, 0 or more`)
  return Number(value)
}
