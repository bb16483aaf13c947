/** `cove describe`: objects in full, with their events. */
import { isReason, type StatusError } from '#pkg/apimachinery/errors.ts'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { objectPath } from '#pkg/apis/paths.ts'
import { describeObject } from '../describetext.ts'
import { errorText, exitCodes } from '../errors.ts'
import { listObjects } from '../follow.ts'
import { readNodeFacts } from '../nodefacts.ts'
import { nodeNameOf, nodeSentences } from '../nodetext.ts'
import { eventsOf } from '../objectevents.ts'
import type { Context, Session } from '../session.ts'
import { parseTargets, type Target } from '../targets.ts'

export async function run(context: Context): Promise<number> {
  const { io, args } = context
  const session = await context.session()
  const targets = await parseTargets(args.positionals, session, 'describe')
  const found = (await Promise.all(targets.map((target) => findTarget(target, context, session)))).flat()
  const objects = found.flatMap((one) => ('object' in one ? [one.object] : []))
  const texts = await Promise.all(objects.map((object) => describe(object, session, io.clock.now())))
  await io.stdout.write(texts.join('\n\n'))
  const failures = found.flatMap((one) => ('error' in one ? [one.error] : []))
  for (const failure of failures) await io.stderr.write(errorText(failure))
  if (found.length === 0) await io.stderr.write('No resources found\n')
  return failures.length === 0 ? exitCodes.ok : exitCodes.error
}

async function describe(object: KubeObject, session: Session, now: number): Promise<string> {
  const name = object.kind === 'Node' ? undefined : nodeNameOf(object)
  const [events, facts] = await Promise.all([eventsOf(object, session), readNodeFacts(name, session)])
  return describeObject(object, events, now, nodeSentences(name, facts, now))
}

type Found = { readonly object: KubeObject } | { readonly error: StatusError }

async function findTarget(
  { resource, names }: Target,
  { args }: Context,
  session: Session,
): Promise<Found[]> {
  const labelSelector = args.text('selector')
  if (names === undefined) {
    const everywhere = args.bool('all-namespaces') || !resource.namespaced
    const { objects } = await listObjects(
      {
        resource,
        ...(!everywhere && { namespace: session.namespace }),
        ...(labelSelector !== undefined && { labelSelector }),
      },
      session,
    )
    return objects.map((object) => ({ object }))
  }
  return Promise.all(
    names.map(async (name): Promise<Found> => {
      try {
        const path = objectPath(resource, { name, namespace: session.namespace })
        // The server has admitted it.
        return { object: (await session.client.json({ method: 'GET', path }, session.signal)) as KubeObject }
      } catch (error) {
        if (isReason(error, 'NotFound')) return { error }
        throw error
      }
    }),
  )
}
