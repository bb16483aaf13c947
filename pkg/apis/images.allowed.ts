/**
 * Which images a namespace lets its Containers, Images and Builds name: the annotation cove.run/allowed-images of the Namespace,
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

export function forbiddenImages(spec: unknown, allowed: string): ForbiddenImage[] {
  return forbiddenAmong(imagesNamedIn(spec), allowed)
}

export function forbiddenAmong(images: readonly ForbiddenImage[], allowed: string): ForbiddenImage[] {
  const patterns = allowed
    .split(',')
    .map((pattern) => pattern.trim())
    .filter((pattern) => pattern !== '')
    .map(inFull)
  return images.filter(({ reference }) => {
    const parsed = parseReference(reference)
    const name = parsed.ok ? `${parsed.reference.registry}/${parsed.reference.repository}` : reference
    return !patterns.some((pattern) => matchesGlob(pattern, name))
  })
}

/**
 * What in the spec of a Container, Image or Build is from elsewhere, and what a Build gives its image for names. What only
 * names an image on the node is not looked at; what a Dockerfile names, whoever reads it must look at.
 */
export function imagesNamedIn(spec: unknown): ForbiddenImage[] {
  if (!isPlainObject(spec)) return []
  const { image, reference, tags, cacheFrom } = spec
  return [
    ...(typeof image === 'string' ? [{ field: 'spec.image', reference: image }] : []),
    ...(typeof reference === 'string' ? [{ field: 'spec.reference', reference }] : []),
    ...each('spec.tags', tags),
    ...each('spec.cacheFrom', cacheFrom),
  ]
}

function each(field: string, list: unknown): ForbiddenImage[] {
  if (!Array.isArray(list)) return []
  return list.map((item, index) => ({ field: `${field}[${index}]`, reference: String(item) }))
}

/** As references are completed: what names no registry is of Docker Hub, and of one part its official image. */
function inFull(pattern: string): string {
  const [first = '', ...rest] = pattern.split('/')
  if (first === '*' && rest.length === 0) return pattern
  if (rest.length === 0) return `docker.io/library/${pattern}`
  const isRegistry = first === 'localhost' || /[.:*]/.test(first)
  return isRegistry ? pattern : `docker.io/${pattern}`
}
