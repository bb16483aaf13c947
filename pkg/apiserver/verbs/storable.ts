/** How long an object may become: each request is bounded, and many of them could still make one that nobody can read. */
import { StatusError } from '#pkg/apimachinery/errors.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import { type ApiObject, encodeObject } from '../cache/encoded.ts'

/** As the store of Kubernetes bounds it. In bytes, what the server keeps about the object included. */
export const maxObjectBytes = 1.5 * 1024 * 1024

/**
 * The text to store. Throws RequestEntityTooLarge for one that is too long, unless it was longer before, or the object
 * is on its way out: such writes make room.
 */
export function storableText(kind: Kind, object: ApiObject, before = ''): string {
  const text = encodeObject(kind, object)
  // No character takes more than three bytes for each of its units.
  if (text.length * 3 <= maxObjectBytes || object.metadata.deletionTimestamp !== undefined) return text
  const bytes = Buffer.byteLength(text)
  if (bytes <= maxObjectBytes || bytes <= Buffer.byteLength(before)) return text
  const message = `the ${kind.kind} would be ${bytes} bytes long, what is kept about its fields included; at most ${maxObjectBytes} can be stored`
  throw new StatusError('RequestEntityTooLarge', message)
}
