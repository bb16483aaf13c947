/**
 * A Container whose image declares volumes where the spec mounts nothing is warned of when it is written: the data would be in
 * a volume without a name, and go with the container. The server knows that of images that an Image or a Build stands for;
 * of all others the node says it with an event.
 */
import { objectKey } from '#pkg/apimachinery/meta.ts'
import { type Build, buildKind } from '#pkg/apis/build.ts'
import type { Container } from '#pkg/apis/container.ts'
import { type Image, imageKind } from '#pkg/apis/image.ts'
import { parseDockerfile } from '#pkg/build/dockerfile/parse.ts'
import { declaredVolumes } from '#pkg/build/dockerfile/volumes.ts'
import { type ApiObject, decodeObject } from '../cache/encoded.ts'
import type { Context, Write } from './context.ts'
import { equalJson } from './equal.ts'

/** What an older version stored has fields missing that got a default later. */
type Spec = Partial<Container['spec']>

/** The warning of the write, if any. */
export function warnOfVolumes(context: Context, { kind, object, before }: Write): string[] {
  if (kind.group !== 'cove.run' || kind.kind !== 'Container') return []
  const { metadata, spec } = asContainer(object)
  if (before !== undefined && equalJson(judgedOf(asContainer(before).spec), judgedOf(spec))) return []
  const mounted = new Set((spec.mounts ?? []).map(({ mountPath }) => directory(mountPath)))
  const open = volumesOf(context, metadata.namespace ?? '', spec).filter(
    (path) => !mounted.has(directory(path)),
  )
  if (open.length === 0) return []
  const what = open.length === 1 ? 'an anonymous volume' : 'anonymous volumes'
  return [
    `spec.mounts: the image declares VOLUME ${open.join(', ')}, and nothing is mounted there: the data will be in ${what} and go with the Container; mount a Volume to keep it`,
  ]
}

function judgedOf({ image, imageFrom, mounts = [] }: Spec): unknown {
  return {
    image: image ?? null,
    imageFrom: imageFrom ?? null,
    mounts: mounts.map(({ mountPath }) => mountPath),
  }
}

function directory(path: string): string {
  return path.replace(/\/+$/, '') || '/'
}

function volumesOf(context: Context, namespace: string, { image, imageFrom }: Spec): readonly string[] {
  if (imageFrom?.build !== undefined) return ofBuild(context, { namespace, name: imageFrom.build })
  if (imageFrom?.image !== undefined) return ofImage(context, { namespace, name: imageFrom.image })
  if (image === undefined) return []
  for (const { kind, ...metadata } of context.tags.claimantsOf(image)) {
    const volumes = kind === 'Build' ? ofBuild(context, metadata) : ofImage(context, metadata)
    if (volumes.length > 0) return volumes
  }
  return []
}

type Named = Pick<ApiObject['metadata'], 'name' | 'namespace'>

function ofImage({ cache }: Context, metadata: Named): readonly string[] {
  const entry = cache.of(imageKind).get(objectKey(metadata))
  return entry === undefined ? [] : (asImage(decodeObject(entry.text)).status?.config?.volumes ?? [])
}

/** What its Dockerfile says now, and what its Image, of the same name, had from its base. */
function ofBuild(context: Context, metadata: Named): readonly string[] {
  const entry = context.cache.of(buildKind).get(objectKey(metadata))
  if (entry === undefined) return []
  const { spec } = asBuild(decodeObject(entry.text))
  const text = spec.dockerfileInline ?? spec.context.inline?.files[spec.dockerfile]
  const { args, target, platform } = spec
  const building = {
    args,
    ...(target !== undefined && { target }),
    ...(platform !== undefined && { platform }),
  }
  const written = text === undefined ? [] : declaredVolumes(parseDockerfile(text).dockerfile, building)
  return [...new Set([...written, ...ofImage(context, metadata)])]
}

/** The kind says what each is, and its schema has accepted it. */
function asContainer(object: ApiObject): Container {
  return object as unknown as Container
}

function asBuild(object: ApiObject): Build {
  return object as unknown as Build
}

function asImage(object: ApiObject): Image {
  return object as unknown as Image
}
