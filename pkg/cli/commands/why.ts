/** `cove why`: what is desired of an object, what is observed, and what comes next, in sentences. */
import { isReason } from '#pkg/apimachinery/errors.ts'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import type { Lease } from '#pkg/apis/lease.ts'
import type { Node } from '#pkg/apis/node.ts'
import { objectPath } from '#pkg/apis/paths.ts'
import { exitCodes, UsageError } from '../errors.ts'
import { eventsOf } from '../objectevents.ts'
import { builtinResource, type Resource } from '../resources.ts'
import type { Context, Session } from '../session.ts'
import { parseTargets, type Target } from '../targets.ts'
import { nodeNameOf, whyText } from '../whytext.ts'

/** Where nodes hold their leases, as in Kubernetes. */
const leaseNamespace = 'kube-node-lease'

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
  const nodeName = nodeNameOf(object)
  const about = (kind: 'Node' | 'Lease', place = {}) =>
    nodeName === undefined
      ? undefined
      : maybe(read(builtinResource(kind), { name: nodeName, ...place }, session))
  const [events, node, lease] = await Promise.all([
    eventsOf(object, session),
    about('Node'),
    about('Lease', { namespace: leaseNamespace }),
  ])
  return whyText({
    object,
    events,
    // Of these resources the server has nothing else.
    node: node as Node | 'hidden' | undefined,
    lease: lease === 'hidden' ? undefined : (lease as Lease | undefined),
    now: session.clock.now(),
  })
}

async function read(
  resource: Resource,
  meta: { readonly namespace?: string; readonly name: string },
  { client, signal }: Session,
): Promise<KubeObject> {
  // The server has admitted it.
  return (await client.json({ method: 'GET', path: objectPath(resource, meta) }, signal)) as KubeObject
}

async function maybe(reading: Promise<KubeObject>): Promise<KubeObject | 'hidden' | undefined> {
  try {
    return await reading
  } catch (error) {
    if (isReason(error, 'NotFound')) return undefined
    if (isReason(error, 'Forbidden')) return 'hidden'
    throw error
  }
}
