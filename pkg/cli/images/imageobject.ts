/** Image objects as commands about following see them. */
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import type { Image } from '#pkg/apis/image.ts'
import { objectPath } from '#pkg/apis/paths.ts'
import { CliError } from '../errors.ts'
import { builtinResource } from '../resources.ts'
import type { Session } from '../session.ts'

export function asImage(object: KubeObject): Image {
  // Of this resource the server has nothing else.
  return object as Image
}

/** The Image of that name; one that follows nothing is refused. */
export async function followingImage(name: string, session: Session): Promise<Image> {
  const path = objectPath(builtinResource('Image'), { name, namespace: session.namespace })
  const image = asImage((await session.client.json({ method: 'GET', path }, session.signal)) as KubeObject)
  if (image.spec.update === undefined)
    throw new CliError(`image ${name} follows nothing: it has no spec.update`)
  return image
}

/** Resolves with what the server made of it. */
export async function annotateImage(
  { metadata }: Image,
  annotations: Readonly<Record<string, string>>,
  session: Session,
): Promise<Image> {
  const request = {
    method: 'PATCH',
    path: objectPath(builtinResource('Image'), metadata),
    query: { fieldManager: 'cove-image' },
    headers: { 'content-type': 'application/merge-patch+json' },
    body: JSON.stringify({ metadata: { annotations } }),
  }
  return asImage((await session.client.json(request, session.signal)) as KubeObject)
}

/** The digest that is meant: in full, by its beginning, or what waits now. */
export function digestToApprove(image: Image, said: string | undefined): string {
  const { candidate, rejected = [] } = image.status ?? {}
  const { name } = image.metadata
  if (said === undefined) {
    if (candidate !== undefined) return candidate.digest
    throw new CliError(`no new image waits for ${name}: name the digest that may be taken`)
  }
  const wanted = said.startsWith('sha256:') ? said : `sha256:${said}`
  if (/^sha256:[0-9a-f]{64}$/.test(wanted)) return wanted
  const known = new Set([candidate?.digest ?? '', ...rejected.map(({ digest }) => digest)])
  const fitting = [...known].filter((digest) => digest.startsWith(wanted))
  if (fitting[0] !== undefined && fitting.length === 1) return fitting[0]
  throw new CliError(
    fitting.length === 0
      ? `"${said}" is neither a digest nor the beginning of one that image ${name} knows`
      : `"${said}" is the beginning of ${fitting.length} digests that image ${name} knows: say more of it`,
  )
}
