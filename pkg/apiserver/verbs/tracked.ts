/** A write with its trace in metadata.managedFields. Pure. */
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import type { ApiObject } from '../cache/encoded.ts'
import type { Json } from '../http/body.ts'
import { sentEntries } from './managedfields.body.ts'
import { afterUpdate, changesOf, type Entries, type Writer } from './managedfields.ts'
import type { Prepared, Target } from './objects.ts'

const none: Entries = []

/**
 * What is stored after a PUT or a patch. Of an object that nobody keeps track of, nobody begins to: that is for the
 * first apply. Writes through a subresource keep the managers, whatever they send.
 */
export function tracked(
  target: Target,
  writer: Writer,
  { current, body, prepared }: { current: ApiObject; body: Json; prepared: Prepared },
): Prepared {
  const { kind, subresource } = target
  const { object } = prepared
  const known = current.metadata.managedFields ?? none
  const begin = subresource === undefined ? sentEntries(target, known, sentFields(body)) : known
  const entries =
    begin.length === 0 ? begin : afterUpdate(begin, changesOf(kind, subresource, current, object), writer)
  return entries === known ? prepared : { ...prepared, object: withEntries(object, entries) }
}

export function withEntries(object: ApiObject, entries: Entries): ApiObject {
  const { managedFields: _before, ...metadata } = object.metadata
  return {
    ...object,
    metadata: { ...metadata, ...(entries.length > 0 && { managedFields: [...entries] }) },
  }
}

function sentFields({ metadata }: Json): unknown {
  return isPlainObject(metadata) ? metadata['managedFields'] : undefined
}
