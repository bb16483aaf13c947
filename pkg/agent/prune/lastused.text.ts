/** The book of lastused.ts as text: one object of JSON, ids to times. */
import { badRequest } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'

const version = 1

export function encodeBook(book: ReadonlyMap<string, number>): string {
  const images = [...book].map(([id, at]) => [id, new Date(at).toISOString()])
  return `${JSON.stringify({ version, images: Object.fromEntries(images) }, null, 1)}\n`
}

/** Throws when it is not what encodeBook wrote. */
export function decodeBook(text: string): [string, number][] {
  const book: unknown = JSON.parse(text)
  if (!isPlainObject(book) || book['version'] !== version || !isPlainObject(book['images']))
    throw badRequest('it is not as this version of Cove writes it')
  return Object.entries(book['images']).map(([id, time]) => {
    const at = typeof time === 'string' ? Date.parse(time) : Number.NaN
    if (Number.isNaN(at)) throw badRequest(`${String(time)} is no time`)
    return [id, at]
  })
}
