/**
 * A Container whose spec.workingDir takes the place of the WORKDIR that its image starts its program from, as in
 * `WORKDIR /app` and `CMD ["./server"]`, is warned of when it is written: the program is looked for in the other place. The
 * server knows that of images that an Image stands for, and a node has.
 */
import { posix } from 'node:path'
import { objectKey } from '#pkg/apimachinery/meta.ts'
import type { Container } from '#pkg/apis/container.ts'
import { type Image, imageKind } from '#pkg/apis/image.ts'
import { type ApiObject, decodeObject } from '../cache/encoded.ts'
import type { Context, Write } from './context.ts'
import { equalJson } from './equal.ts'

/** What an older version stored has fields missing that got a default later. */
type Spec = Partial<Container['spec']>
type Config = NonNullable<NonNullable<Image['status']>['config']>

/** The warning of the write, if any. */
export function warnOfRelativeProgram(context: Context, { kind, object, before }: Write): string[] {
  if (kind.group !== 'cove.run' || kind.kind !== 'Container') return []
  const { metadata, spec } = asContainer(object)
  const { workingDir } = spec
  if (workingDir === undefined) return []
  if (before !== undefined && equalJson(judgedOf(asContainer(before).spec), judgedOf(spec))) return []
  for (const config of configsOf(context, metadata.namespace ?? '', spec)) {
    const own = config.workingDir ?? '/'
    const program = programOf(config, spec)
    if (program === undefined || posix.resolve(own) === posix.resolve(workingDir)) continue
    return [
      `spec.workingDir: the image starts ${program}, which is looked for in ${workingDir} then, and not in its own WORKDIR ${own}`,
    ]
  }
  return []
}

function judgedOf({ image, imageFrom, workingDir, command, args }: Spec): unknown {
  return [image ?? null, imageFrom ?? null, workingDir ?? null, command ?? null, args ?? null]
}

/** The program that the image itself asks for, where its place depends on the working directory. */
function programOf({ entrypoint = [], command = [] }: Config, spec: Spec): string | undefined {
  if (spec.command !== undefined || (entrypoint.length === 0 && spec.args !== undefined)) return undefined
  const [program] = [...entrypoint, ...command]
  return program?.includes('/') && !program.startsWith('/') ? program : undefined
}

/** A Build keeps an Image of its own name. */
function configsOf(context: Context, namespace: string, { image, imageFrom }: Spec): readonly Config[] {
  const from = imageFrom?.build ?? imageFrom?.image
  const named = from === undefined ? [] : [{ namespace, name: from }]
  const claimed = image === undefined ? [] : [...context.tags.claimantsOf(image)]
  return [...named, ...claimed].flatMap((metadata) => {
    const entry = context.cache.of(imageKind).get(objectKey(metadata))
    return entry === undefined ? [] : (asImage(decodeObject(entry.text)).status?.config ?? [])
  })
}

/** The kind says what each is, and its schema has accepted it. */
function asContainer(object: ApiObject): Container {
  return object as unknown as Container
}

function asImage(object: ApiObject): Image {
  return object as unknown as Image
}
