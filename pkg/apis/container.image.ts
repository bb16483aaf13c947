/** What a Container is made from, in words: its reference, or whose result it follows. Pure. */
import type { ContainerSpec } from './container.ts'

export function imageText({ image, imageFrom }: Pick<ContainerSpec, 'image' | 'imageFrom'>): string {
  if (image !== undefined) return image
  if (imageFrom?.build !== undefined) return `that of Build ${imageFrom.build}`
  return imageFrom?.image === undefined ? '' : `that of Image ${imageFrom.image}`
}
