/**
 * Which image of an engine a word means, as Docker reads it: its whole id, a name (`latest` when no tag is said), a digest,
 * or any beginning of an id that fits one image only. A name comes before an id that begins alike. Pure.
 */
import { badRequest, StatusError } from '#pkg/apimachinery/errors.ts'
import { canonicalReference, parseReference } from '#pkg/apimachinery/reference.ts'

interface Named {
  readonly id: string
  readonly references: readonly string[]
  readonly digests: readonly string[]
}

export interface MeantImage<T extends Named> {
  readonly image: T
  /** The name or digest, as the engine lists it, that it was found by; absent: by its id. */
  readonly reference?: string
}

const whole = /^sha256:[0-9a-f]{64}$/
const someHex = /^[0-9a-f]{1,64}$/
const shownIDs = 10

/** Throws ImageNotFound, and BadRequest with the candidates when it is the beginning of several ids. */
export function imageMeant<T extends Named>(word: string, images: readonly T[]): MeantImage<T> {
  const named = byReference(word, images)
  if (named !== undefined) return named
  const digits = word.startsWith('sha256:') ? word.slice('sha256:'.length) : word
  const found = someHex.test(digits) ? images.filter(({ id }) => id.startsWith(`sha256:${digits}`)) : []
  const [image] = found
  if (image === undefined) throw new StatusError('ImageNotFound', `No such image: ${word}`)
  if (found.length === 1) return { image }
  throw badRequest(`"${word}" is the beginning of ${found.length} ids: ${candidates(found)}`)
}

function byReference<T extends Named>(word: string, images: readonly T[]): MeantImage<T> | undefined {
  if (whole.test(word)) return undefined
  const wanted = canonical(word)
  if (wanted === undefined) return undefined
  for (const image of images)
    for (const reference of [...image.references, ...image.digests])
      if (canonical(reference) === wanted) return { image, reference }
  return undefined
}

/** A digest makes the tag beside it mean nothing. */
function canonical(text: string): string | undefined {
  const parsed = parseReference(text)
  if (!parsed.ok) return undefined
  const { tag, ...others } = parsed.reference
  return canonicalReference(others.digest === undefined && tag !== undefined ? { ...others, tag } : others)
}

function candidates(images: readonly Named[]): string {
  const shown = images.slice(0, shownIDs).map(({ id, references: [first] }) => {
    const short = id.slice('sha256:'.length).slice(0, 12)
    return first === undefined ? short : `${short} (${first})`
  })
  return [...shown, ...(images.length > shownIDs ? ['...'] : [])].join(', ')
}
