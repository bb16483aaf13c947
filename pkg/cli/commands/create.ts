/** `cove create`: a Container that is made and waits for `cove start`. */
import { made } from '../containerstate.ts'
import { exitCodes } from '../errors.ts'
import { Followed } from '../followed.ts'
import { builtinResource } from '../resources.ts'
import { makeObjects, patiently, printManifests, readManifests } from '../run/making.ts'
import type { Context } from '../session.ts'

export async function run(context: Context): Promise<number> {
  const { container, volumes } = await readManifests(context)
  const manifests = { container: { ...container, spec: { ...container.spec, state: 'Created' } }, volumes }
  if (context.args.text('dry-run') === 'client') {
    await printManifests(context, manifests)
    return exitCodes.ok
  }
  const session = await context.session()
  const object = await makeObjects(session, manifests, 'Created')
  const followed = new Followed(session, builtinResource('Container'), object)
  try {
    await context.io.stdout.write(`${await patiently(context, followed, made)}\n`)
  } finally {
    followed.close()
  }
  return exitCodes.ok
}
