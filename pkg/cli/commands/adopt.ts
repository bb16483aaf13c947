/**
 * `cove adopt`: writes manifests for containers that Cove did not make, and lets it take them over as they run. The
 * manifests go to standard output, to be kept; what is done with them to standard error.
 */
import { sleep } from '#pkg/apimachinery/ambient.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { findCondition, type KubeObject } from '#pkg/apimachinery/meta.ts'
import { containerKind } from '#pkg/apis/container.kind.ts'
import type { Container } from '#pkg/apis/container.ts'
import { anyKind, type Kind } from '#pkg/apis/kind.ts'
import { type Adoptable, decodeAdoptables } from '#pkg/apis/looks.ts'
import { networkKind } from '#pkg/apis/network.ts'
import { nodeKind } from '#pkg/apis/node.ts'
import { collectionPath } from '#pkg/apis/paths.ts'
import { volumeKind } from '#pkg/apis/volume.ts'
import { withLastApplied } from '../applyplan.ts'
import type { Args } from '../args.ts'
import { CliError, exitCodes, UsageError } from '../errors.ts'
import { type Context, fieldManager, type Session } from '../session.ts'
import { parseTimeout } from '../waiting.ts'

const kinds: Readonly<Record<string, Kind>> = {
  Container: anyKind(containerKind),
  Volume: anyKind(volumeKind),
  Network: anyKind(networkKind),
}

export async function run(context: Context): Promise<number> {
  const { io, args } = context
  const timeoutMs = await parseTimeout(args.text('timeout') ?? '1m', 'adopt')
  mustChoose(args)
  const session = await context.session()
  const chosen = choose(await adoptables(args, session), args)
  for (const { name, notes } of chosen) for (const note of notes) await io.stderr.write(`${name}: ${note}\n`)
  const manifests = distinct(chosen.flatMap((one) => one.manifests))
  const { writeYaml } = await import('#pkg/manifest/yaml.ts')
  await io.stdout.write(manifests.map(writeYaml).join('---\n'))
  if (args.bool('dry-run')) return exitCodes.ok
  let failed = false
  for (const manifest of manifests) failed = !(await create(manifest, context, session)) || failed
  for (const one of chosen) failed = !(await takenOver(one, { context, session, timeoutMs })) || failed
  return failed ? exitCodes.error : exitCodes.ok
}

function mustChoose(args: Args): void {
  const ways = [args.positionals.length > 0, args.bool('all'), args.has('compose-project')]
  const given = ways.filter((way) => way).length
  if (given === 1) return
  const say = 'names of containers, --all, or --compose-project'
  throw new UsageError(given === 0 ? `say what: ${say}` : `say one of ${say}`, 'adopt')
}

/** Of the node that was named, or of all of them. */
async function adoptables(args: Args, { client, namespace, signal }: Session): Promise<readonly Adoptable[]> {
  const named = args.text('node')
  const nodes =
    named === undefined
      ? (await client.list(nodeKind, {}, signal)).items.map(({ metadata }) => metadata.name)
      : [named]
  const found = await Promise.all(
    nodes.map((node) => {
      const path = `/apis/cove.run/v1/nodes/${encodeURIComponent(node)}/adoptable`
      return client.json({ method: 'GET', path, query: { namespace } }, signal)
    }),
  )
  return found.flatMap(decodeAdoptables)
}

function choose(found: readonly Adoptable[], args: Args): readonly Adoptable[] {
  const project = args.text('compose-project')
  if (project !== undefined) {
    const members = found.filter(({ owner }) => owner.type === 'ComposeProject' && owner.name === project)
    if (members.length > 0) return members
    throw new CliError(`no container of Compose project "${project}" is there to be adopted`)
  }
  if (args.bool('all')) {
    if (found.length > 0) return found
    throw new CliError('every container is managed already')
  }
  return args.positionals.map((wanted) => one(found, wanted))
}

/** By name, or by the beginning of its id. */
function one(found: readonly Adoptable[], wanted: string): Adoptable {
  const named = found.filter(({ name }) => name === wanted)
  const matching = named.length > 0 ? named : found.filter(({ id }) => id.startsWith(wanted))
  const [only, second] = matching
  if (second !== undefined)
    throw new CliError(`"${wanted}" is the name of several containers: say which with --node, or by its id`)
  if (only === undefined)
    throw new CliError(
      `there is no unmanaged container "${wanted}": \`cove ps -a\` shows what there is, and whose`,
    )
  return only
}

/** Containers may share Volumes and Networks; what others need comes first. */
function distinct(manifests: readonly KubeObject[]): readonly KubeObject[] {
  const byName = new Map(
    manifests.map((manifest) => [`${manifest.kind}/${manifest.metadata.name}`, manifest]),
  )
  const order = ['Volume', 'Network', 'Container']
  return [...byName.values()].sort((a, b) => order.indexOf(a.kind ?? '') - order.indexOf(b.kind ?? ''))
}

async function create(manifest: KubeObject, { io }: Context, { client, signal }: Session): Promise<boolean> {
  const { kind: name = '', metadata } = manifest
  const kind = kinds[name]
  if (kind === undefined)
    throw new CliError(`the node wrote a manifest of kind "${name}", which this version does not know`)
  const label = `${kind.singular}.${kind.group}/${metadata.name}`
  const path = collectionPath(kind, metadata.namespace)
  const headers = { 'content-type': 'application/json' }
  const body = JSON.stringify(withLastApplied(manifest))
  try {
    await client.json({ method: 'POST', path, query: { fieldManager }, headers, body }, signal)
    await io.stderr.write(`${label} created\n`)
    return true
  } catch (error) {
    if (!isReason(error, 'AlreadyExists')) throw error
    const isContainer = name === 'Container'
    const advice = isContainer
      ? `: to take the container over, delete the object and adopt again: cove delete container ${metadata.name} -n ${metadata.namespace}`
      : ''
    await io.stderr.write(`${label} exists already, and stays as it is${advice}\n`)
    return !isContainer
  }
}

const lookEveryMs = 200

interface Taking {
  readonly context: Context
  readonly session: Session
  readonly timeoutMs: number
}

/** Until the node says that it has, or why it does not. */
async function takenOver(
  { id, manifests }: Adoptable,
  { context, session, timeoutMs }: Taking,
): Promise<boolean> {
  const { io } = context
  const { metadata } = manifests.at(-1) ?? { metadata: { name: '' } }
  const label = `container.cove.run/${metadata.name}`
  const until = session.clock.now() + timeoutMs
  for (;;) {
    const { status = {}, spec }: Container = await session.client.get(containerKind, metadata, session.signal)
    if (spec.adopt !== id) return false
    if (status.adopted === id) {
      await io.stderr.write(`${label} adopted container ${id.slice(0, 12)}\n`)
      return true
    }
    const ready = findCondition(status.conditions, 'Ready')
    if (ready?.reason === 'AdoptionDiffers' || session.clock.now() >= until) {
      const why = ready === undefined ? 'the node has not said anything about it yet' : ready.message
      await io.stderr.write(`error: ${label}: ${why}\n`)
      return false
    }
    await sleep(session.clock, lookEveryMs, session.signal)
  }
}
