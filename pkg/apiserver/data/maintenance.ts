/**
 * What an administrator asks of the running server about its own disk: a snapshot, and the keys of Secrets. Paths
 * beside the API's resources, so only who may do everything may ask them, or a role that names their path.
 */
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import { badRequest } from '#pkg/apimachinery/errors.ts'
import type { ApiRequest, ApiResponse } from '#pkg/apimachinery/transport.ts'
import { jsonAnswer, type Surface } from '../http/answer.ts'
import { methodNotAllowed } from '../http/request.ts'
import type { SecretStore } from './secretstore.ts'
import { makeSnapshot } from './snapshot.ts'

export const snapshotPath = '/server/snapshot'
export const keysPath = '/server/keys'
export const rotatePath = '/server/keys/rotate'
export const prunePath = '/server/keys/prune'

export interface MaintenanceOptions {
  readonly secrets: SecretStore
  readonly dataDir: string
  /** The version of this program. */
  readonly program: string
  readonly ambient: Ambient
}

/** POST for all but reading the keys; answers are JSON, of a snapshot its bytes. */
export function maintenance(options: MaintenanceOptions): Surface {
  const { secrets } = options
  const answers: Readonly<Record<string, (request: ApiRequest) => Promise<ApiResponse>>> = {
    [`POST ${snapshotPath}`]: (request) => snapshot(options, request),
    [`GET ${keysPath}`]: async () => jsonAnswer(await secrets.list()),
    [`POST ${rotatePath}`]: async () => jsonAnswer(await secrets.rotate()),
    [`POST ${prunePath}`]: async () => jsonAnswer(await secrets.prune()),
  }
  const known = Object.keys(answers).map((each) => each.split(' '))
  return (request) => {
    const allowed = known.flatMap(([method = '', path]) => (path === request.path ? [method] : []))
    if (allowed.length === 0) return undefined
    if (!allowed.includes(request.method)) throw methodNotAllowed(allowed)
    return answers[`${request.method} ${request.path}`]?.(request)
  }
}

async function snapshot(
  { secrets, dataDir, program, ambient }: MaintenanceOptions,
  request: ApiRequest,
): Promise<ApiResponse> {
  const keys = request.query.get('keys') ?? 'true'
  if (keys !== 'true' && keys !== 'false') throw badRequest(`keys: "${keys}" is neither true nor false`)
  const made = await secrets.exclusively(() =>
    makeSnapshot({
      dataDir,
      copyTo: (path) => secrets.copyTo(path),
      withKeys: keys === 'true',
      created: new Date(ambient.clock.now()).toISOString(),
      program,
    }),
  )
  if (request.signal.aborted) await made.discard()
  request.signal.throwIfAborted()
  return { status: 200, headers: { 'content-type': 'application/octet-stream' }, body: made.chunks }
}
