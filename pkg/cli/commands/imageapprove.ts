/** `cove image approve`: says that a digest may be taken. The Image's lead takes it when its age and window allow. */
import { approvedAnnotation } from '#pkg/apis/wellknown.ts'
import { exitCodes, UsageError } from '../errors.ts'
import { annotateImage, digestToApprove, followingImage } from '../images/imageobject.ts'
import type { Context } from '../session.ts'

export async function run(context: Context): Promise<number> {
  const { args, io } = context
  const [name, said, ...more] = args.positionals
  if (name === undefined || more.length > 0)
    throw new UsageError('name one image, and perhaps a digest', 'image approve')
  const session = await context.session()
  const image = await followingImage(name, session)
  const digest = digestToApprove(image, said)
  // With the time: another approval of the same digest lifts a rejection that came in between.
  const approval = `${digest} ${new Date(io.clock.now()).toISOString()}`
  await annotateImage(image, { [approvedAnnotation]: approval }, session)
  await io.stdout.write(`image.cove.run/${name} approved: ${digest} may be taken\n`)
  return exitCodes.ok
}
