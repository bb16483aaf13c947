/** Which node asks a registry for a command: the one that is named, else the first that is ready. */
import { findCondition } from '#pkg/apimachinery/meta.ts'
import { nodeKind } from '#pkg/apis/node.ts'
import type { Args } from '../args.ts'
import { CliError } from '../errors.ts'
import type { Session } from '../session.ts'
import { nodePath } from './nodes.ts'

export interface RegistryQuestion {
  /** `tags`, `catalog`, `search` or `login`. */
  readonly what: string
  readonly query: Readonly<Record<string, string>>
  /** Credentials for the registry. */
  readonly headers?: Readonly<Record<string, string>>
}

export async function askRegistry(
  { what, query, headers = {} }: RegistryQuestion,
  args: Args,
  session: Session,
): Promise<unknown> {
  const node = args.text('node') ?? (await readyNode(session))
  const path = nodePath(node, `registry/${what}`)
  return await session.client.json({ method: 'GET', path, query, headers }, session.signal)
}

async function readyNode({ client, signal }: Session): Promise<string> {
  const { items } = await client.list(nodeKind, {}, signal)
  const ready = items.filter(({ status }) => findCondition(status?.conditions, 'Ready')?.status === 'True')
  const [first] = ready.map(({ metadata }) => metadata.name).toSorted()
  if (first === undefined) throw new CliError('no node is ready to ask the registry')
  return first
}
