/** `cove why`: what is desired of an object, what is observed, and what comes next, in sentences. */
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { objectPath } from '#pkg/apis/paths.ts'
import { exitCodes, UsageError } from '../errors.ts'
import { readNodeFacts } from '../nodefacts.ts'
import { nodeNameOf } from '../nodetext.ts'
import { eventsOf } from '../objectevents.ts'
import { builtinResource, type Resource } from '../resources.ts'
import type { Context, Session } from '../session.ts'
import { parseTargets, type Target } from '../targets.ts'
import { whyText } from '../whytext.ts'

export async function run(context: Context): Promise<number> {
  const { io, args } = context
  const session = await context.session()
  const targets = await findTargets(args.positionals, session)
  const texts: string[] = []
  for (const { resource, names = [] } of targets)
    for (const name of names) texts.push(await explain(resource, name, session))
  await io.stdout.write(texts.join('\n'))
  return exitCodes.ok
}

/** A name by itself is that of a Container. */
async function findTargets(words: readonly string[], session: Session): Promise<readonly Target[]> {
  const [only, ...more] = words
  if (only === undefined) throw new UsageError('name a container, or say TYPE/NAME', 'why')
  if (more.length === 0 && !only.includes('/'))
    return [{ resource: builtinResource('Container'), names: [only] }]
  const targets = await parseTargets(words, session, 'why')
  if (targets.some(({ names }) => names === undefined))
    throw new UsageError('name a container, or say TYPE/NAME', 'why')
  return targets
}

async function explain(resource: Resource, name: string, session: Session): Promise<string> {
  const namespace = resource.namespaced ? { namespace: session.namespace } : {}
  const object = await read(resource, { name, ...namespace }, session)
  const [events, facts] = await Promise.all([
    eventsOf(object, session),
    readNodeFacts(nodeNameOf(object), session),
  ])
  return whyText({ object, events, ...facts, now: session.clock.now() })
}

async function read(
  resource: Resource,
  meta: { readonly namespace?: string; readonly name: string },
  { client, signal }: Session,
): Promise<KubeObject> {
  // The server has admitted it.
  return (await client.json({ method: 'GET', path: objectPath(resource, meta) }, signal)) as KubeObject
}
