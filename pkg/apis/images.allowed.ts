/**
 * Which images a namespace lets its Containers and Images name: the annotation cove.run/allowed-images of the Namespace,
 * names of repositories with commas between them, `*` standing for anything. `library/*` is all official images of Docker
 * Hub, `registry.example.com/*` one whole registry. Pure.
 */
import { matchesGlob } from '#pkg/apimachinery/glob.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { parseReference } from '#pkg/apimachinery/reference.ts'

export const allowedImagesAnnotation = 'cove.run/allowed-images'

export interface ForbiddenImage {
  /** `spec.push[0].reference`. */
  readonly field: string
  readonly reference: string
}

/** What in the spec of a Container or Image is from elsewhere. What only names an image on the node is not looked at. */
export function forbiddenImages(spec: unknown, allowed: string): ForbiddenImage[] {
  const patterns = allowed
    .split(',')
    .map((pattern) => pattern.trim())
    .filter((pattern) => pattern !== '')
    .map(inFull)
  return referencesIn(spec).filter(({ reference }) => {
    const parsed = parseReference(reference)
    const name = parsed.ok ? `${parsed.reference.registry}/${parsed.reference.repository}` : reference
    return !patterns.some((pattern) => matchesGlob(pattern, name))
  })
}

function referencesIn(spec: unknown): ForbiddenImage[] {
  if (!isPlainObject(spec)) return []
  const { image, reference, tags } = spec
  return [
    ...(typeof image === 'string' ? [{ field: 'spec.image', reference: image }] : []),
    ...(typeof reference === 'string' ? [{ field: 'spec.reference', reference }] : []),
    ...(Array.isArray(tags)
      ? tags.map((tag, index) => ({ field: `spec.tags[${index}]`, reference: String(tag) }))
      : []),
  ]
}

/** As references are completed: what names no registry is of Docker Hub, and of one part its official image. */
function inFull(pattern: string): string {
  const [first = '', ...rest] = pattern.split('/')
  if (first === '*' && rest.length === 0) return pattern
  if (rest.length === 0) return `docker.io/library/${pattern}`
  const isRegistry = first === 'localhost' || /[.:*]/.test(first)
  return isRegistry ? pattern : `docker.io/${pattern}`
}
