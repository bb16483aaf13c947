/** Where an Image comes from, and whether what is known of it still is about that. Pure. */
import { fingerprint } from '#pkg/apimachinery/hash.ts'
import { objectKey } from '#pkg/apimachinery/meta.ts'
import type { Image, ImageSpec, ImageStatus } from '#pkg/apis/image.ts'
import { canonicalImage } from '../image.ts'
import type { FileSource } from '../ops.ts'
import type { Desired, World } from '../world.ts'
import { withLogin } from './credentials.ts'

/** Changes with everything that decides which image it is; further names, pushes and policies do not. */
export function sourceFingerprint({ reference, allTags, platform, source }: ImageSpec): string {
  return fingerprint({ reference: canonicalImage(reference), allTags, platform, source: source ?? {} })
}

export function comesFromRegistry({ source }: Pick<ImageSpec, 'source'>): boolean {
  return source === undefined || source.registry !== undefined
}

/** The lead finds out what the image is; all others hold what it has found. */
export function leads({ spec }: Image, { nodeName }: Pick<World, 'nodeName'>): boolean {
  return spec.nodeName === nodeName
}

/** Newer than what the API's copy may show, where this node leads: of all others nothing is kept. */
export function statusOf(
  { metadata, status }: Image,
  { imageStatuses }: Pick<World, 'imageStatuses'>,
): ImageStatus {
  return imageStatuses.get(metadata.uid ?? '') ?? status ?? {}
}

/** What everyone who wants the image uses; undefined while nobody has found out, or for a spec of before. */
export function foundReference(image: Image, world: Pick<World, 'imageStatuses'>): string | undefined {
  const { source, reference } = statusOf(image, world)
  return source === sourceFingerprint(image.spec) ? reference : undefined
}

export function fileOf(image: Image, from: { url?: string; upload?: string; sha256?: string }): FileSource {
  const { namespace = 'default' } = image.metadata
  if (from.url === undefined) return { upload: from.upload ?? '', namespace }
  return { url: from.url, ...(from.sha256 !== undefined && { sha256: from.sha256 }) }
}

/** Keys of Secrets that it is pulled with: those that it names, and the login of its namespace. */
export function pullSecretsOfImage(
  { metadata, spec }: Image,
  reference: string,
  desired: Pick<Desired, 'secrets'>,
): string[] {
  const names = (spec.pullSecrets ?? []).map(({ name }) => name)
  return secretsFor(reference, { metadata, names }, desired)
}

/** Of names in the object's namespace, with the namespace's login at that registry. */
export function secretsFor(
  reference: string,
  { metadata, names }: { readonly metadata: Image['metadata']; readonly names: readonly string[] },
  { secrets }: Pick<Desired, 'secrets'>,
): string[] {
  const { namespace = 'default' } = metadata
  const named = names.map((name) => objectKey({ namespace, name }))
  return withLogin(reference, { namespace, secrets: named }, (key) => secrets.get(key))
}
