/** Which nodes a command about images asks, and how they are asked. */
import { decodeNodeImages, type NodeImage } from '#pkg/apis/looks.images.ts'
import { objectPath } from '#pkg/apis/paths.ts'
import type { Args } from '../args.ts'
import { CliError, errorText, exitCodes } from '../errors.ts'
import { listObjects } from '../follow.ts'
import type { Io } from '../io.ts'
import { builtinResource } from '../resources.ts'
import type { Session } from '../session.ts'

/** `/apis/cove.run/v1/nodes/NODE/...` */
export function nodePath(node: string, subresource: string): string {
  return `${objectPath(builtinResource('Node'), { name: node })}/${subresource}`
}

/** --node, or all of them by name. */
export async function readNodes(args: Args, session: Session): Promise<readonly string[]> {
  const node = args.text('node')
  return node === undefined ? await nodeNames(session) : [node]
}

async function nodeNames(session: Session): Promise<string[]> {
  const { objects } = await listObjects({ resource: builtinResource('Node') }, session)
  return objects.map(({ metadata }) => metadata.name).toSorted()
}

/** The only one, or what the flags say. Throws CliError when that could be several and nobody has said so. */
export async function changedNodes(args: Args, session: Session): Promise<readonly string[]> {
  const nodes = await readNodes(args, session)
  if (nodes.length === 0) throw new CliError('there is no node')
  if (nodes.length === 1 || args.bool('all-nodes')) return nodes
  throw severalNodes(nodes, ', or all with --all-nodes')
}

/** The only node, or --node. */
export async function oneNode(args: Args, session: Session): Promise<string> {
  const [node, other, ...more] = await readNodes(args, session)
  if (node === undefined) throw new CliError('there is no node')
  if (other === undefined) return node
  throw severalNodes([node, other, ...more], '')
}

function severalNodes(nodes: readonly string[], more: string): CliError {
  return new CliError(`there are several nodes (${nodes.join(', ')}): name one with --node${more}`)
}

export async function imagesOf(node: string, { client, signal }: Session): Promise<readonly NodeImage[]> {
  return decodeNodeImages(await client.json({ method: 'GET', path: nodePath(node, 'images') }, signal))
}

export interface NodeAnswer<T> {
  readonly node: string
  readonly value: T
}

/** What those nodes say that can be asked; of each that cannot, its error. */
export async function askEach<T>(
  nodes: readonly string[],
  ask: (node: string) => Promise<T>,
): Promise<{ readonly answers: readonly NodeAnswer<T>[]; readonly failures: readonly unknown[] }> {
  const settled = await Promise.allSettled(nodes.map(ask))
  return {
    answers: settled.flatMap((each, index) =>
      each.status === 'fulfilled' ? [{ node: nodes[index] ?? '', value: each.value }] : [],
    ),
    failures: settled.flatMap((each): unknown[] => (each.status === 'rejected' ? [each.reason] : [])),
  }
}

/** Prints the errors; the exit code that follows from them. */
export async function tellFailures(failures: readonly unknown[], io: Io): Promise<number> {
  for (const failure of failures) {
    if (io.signal.aborted) throw failure
    await io.stderr.write(errorText(failure))
  }
  return failures.length === 0 ? exitCodes.ok : exitCodes.error
}

/** Does the same for each, one after the other; what fails is told, and the rest goes on. */
export async function eachInTurn<T>(
  items: readonly T[],
  io: Io,
  act: (item: T) => Promise<void>,
): Promise<number> {
  const failures: unknown[] = []
  for (const item of items) {
    try {
      await act(item)
    } catch (error) {
      failures.push(error)
      await tellFailures([error], io)
    }
  }
  return failures.length === 0 ? exitCodes.ok : exitCodes.error
}
