/** What a Container is made from, in words: its reference, or whose result it follows. Pure. */
import type { ContainerSpec } from './container.ts'

export function imageText({ image, imageFrom }: Pick<ContainerSpec, 'image' | 'imageFrom'>): string {
  if (image !== undefined) return image
  if (imageFrom?.build !== undefined) return `that of Build ${imageFrom.build}`
  return imageFrom?.image === undefined ? '' : `that of Image ${imageFrom.image}`
}

/** A reference as tables show it: without its digest; an id as docker shows it. */
export function shortImage(reference: string): string {
  return shortID(reference).split('@')[0] ?? ''
}

/** Of an id its first 12 digits; any other reference as it is. */
export function shortID(reference: string): string {
  return /^sha256:([0-9a-f]{12})[0-9a-f]{52}$/.exec(reference)?.[1] ?? reference
}
