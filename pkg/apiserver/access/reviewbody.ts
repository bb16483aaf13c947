/** The body of a review: of its kind, and with fields of it only when whoever asks wants nothing lost. */
import type { ApiRequest } from '#pkg/apimachinery/transport.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import { unknownFields } from '#pkg/apis/normalize.ts'
import { unknownFieldMessage } from '#pkg/manifest/admit.ts'
import { type Json, readObject } from '../http/body.ts'
import { strictError } from '../verbs/objects.ts'

type ReviewKind = Pick<Kind, 'group' | 'version' | 'kind' | 'schema'>

/** Throws BadRequest for another kind, and with `fieldValidation=Strict` for fields that there are not. */
export function readReview(kind: ReviewKind, request: ApiRequest): Json {
  const body = readObject(kind, request)
  if (request.query.get('fieldValidation') !== 'Strict') return body
  const unknown = unknownFields(kind.schema, body).map(unknownFieldMessage)
  if (unknown.length > 0) throw strictError(kind, unknown)
  return body
}
