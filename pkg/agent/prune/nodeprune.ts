/** `POST /prune` of the node's small API: prunes as the spec of a PrunePolicy in the body says; `dryRun=true` only tells. */
import { badRequest, messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import type { ApiResponse } from '#pkg/apimachinery/transport.ts'
import { applyDefaults, unknownFields } from '#pkg/apis/normalize.ts'
import { type PrunePolicy, type PrunePolicySpec, prunePolicyKind } from '#pkg/apis/prunepolicy.ts'
import { validate } from '#pkg/apis/validate.ts'
import { answer } from '../images/nodeimages.ts'
import type { NodeTarget } from '../nodelooks.ts'
import { isTrue } from '../target.ts'

export async function nodePrune({ request, prune }: NodeTarget): Promise<ApiResponse> {
  if (prune === undefined) throw new StatusError('NotFound', 'this node prunes nothing')
  const { disk: _, ...spec } = decodeSpec(request.body)
  const dryRun = spec.dryRun || isTrue(request.query, 'dryRun')
  return answer('NodePrune', await prune(spec, dryRun, request.signal))
}

/** Throws BadRequest for what is no spec of a PrunePolicy. */
function decodeSpec(body: string | Uint8Array | undefined): PrunePolicySpec {
  const whole = { apiVersion: 'cove.run/v1', kind: 'PrunePolicy', metadata: { name: 'request' } }
  const object = { ...whole, spec: parse(body) }
  const { schema } = prunePolicyKind
  const [unknown] = unknownFields(schema, object)
  if (unknown !== undefined) throw badRequest(`unknown field "${unknown.path}"`)
  const completed = applyDefaults(schema, object)
  const [cause] = validate(schema, completed)
  if (cause !== undefined) throw badRequest(`${cause.field}: ${cause.message}`)
  // The schema has accepted it.
  return (completed as PrunePolicy).spec
}

function parse(body: string | Uint8Array | undefined): unknown {
  try {
    const value: unknown = JSON.parse(body === undefined ? '' : Buffer.from(body).toString())
    if (isPlainObject(value)) return value
  } catch (error) {
    throw badRequest(`the body is no spec of a PrunePolicy: ${messageOf(error)}`)
  }
  throw badRequest('the body is no spec of a PrunePolicy')
}
