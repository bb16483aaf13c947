/** `cove image check`: has the registry asked now what an Image follows, and says what came of it. */
import { findCondition } from '#pkg/apimachinery/meta.ts'
import type { Image } from '#pkg/apis/image.ts'
import { checkAnnotation } from '#pkg/apis/wellknown.ts'
import { CliError, exitCodes, UsageError } from '../errors.ts'
import { Followed, type FollowedObject, type Found } from '../followed.ts'
import { annotateImage, asImage, followingImage } from '../images/imageobject.ts'
import { builtinResource } from '../resources.ts'
import type { Context } from '../session.ts'
import { parseTimeout } from '../waiting.ts'

export async function run(context: Context): Promise<number> {
  const { args, io } = context
  const [name, ...more] = args.positionals
  if (name === undefined || more.length > 0) throw new UsageError('name one image', 'image check')
  const timeoutMs = await parseTimeout(args.text('timeout') ?? '60s', 'image check')
  const session = await context.session()
  const image = await followingImage(name, session)
  const request = new Date(io.clock.now()).toISOString()
  const asked = await annotateImage(image, { [checkAnnotation]: request }, session)
  const followed = new Followed(session, builtinResource('Image'), asked)
  try {
    const answered = await followed.until(
      (seen) => answerTo(request, seen),
      timeoutMs > 0 ? { timeoutMs } : {},
    )
    await io.stdout.write(`image.cove.run/${name} ${textOf(answered)}\n`)
    return exitCodes.ok
  } finally {
    followed.close()
  }
}

function answerTo(request: string, { object, isGone }: FollowedObject): Found<Image> {
  const image = asImage(object)
  if (isGone) throw new CliError(`image ${object.metadata.name} was deleted`)
  return image.status?.checkRequest === request ? { value: image } : {}
}

/** A registry that could not be asked is a failure of the check. */
function textOf({ status, metadata }: Image): string {
  const told = findCondition(status?.conditions, 'UpToDate')
  const text = `${told?.reason ?? 'Unknown'}: ${told?.message ?? 'nothing is said of it'}`
  if (told?.status === 'False' && /^(Registry|ImageNotFound)/.test(told.reason))
    throw new CliError(`image ${metadata.name}: ${text}`)
  return text
}
