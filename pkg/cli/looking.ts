/** Questions about containers that their nodes answer: what commands about them share. */
import type { NodeContainer } from '#pkg/apis/looks.ts'
import { objectPath } from '#pkg/apis/paths.ts'
import { findContainer, type NamedContainer, withoutType } from './containername.ts'
import { errorText, exitCodes, UsageError } from './errors.ts'
import { builtinResource } from './resources.ts'
import type { Context } from './session.ts'

type Query = Readonly<Record<string, string>>

/** The decoded answer of a subresource of a Container. */
export function look(
  { name, session }: NamedContainer,
  subresource: string,
  query: Query = {},
): Promise<unknown> {
  const { client, signal, namespace } = session
  const path = `${objectPath(builtinResource('Container'), { namespace, name })}/${subresource}`
  return client.json({ method: 'GET', path, query }, signal)
}

/** The one container that a command is about, and what follows its name. */
export async function oneContainer(
  { args, session }: Context,
  command: string,
  more = 0,
): Promise<NamedContainer & { readonly rest: readonly string[] }> {
  const [word, ...rest] = withoutType(args.positionals)
  if (word === undefined) throw new UsageError('name a container', command)
  if (rest.length > more) throw new UsageError(`unexpected argument "${rest[more]}"`, command)
  return { ...(await findContainer(word, await session())), rest }
}

/** Does the same to each that is named, one after the other; what fails is told, and the rest goes on. */
export async function eachContainer(
  { args, session, io }: Context,
  command: string,
  act: (container: NamedContainer, word: string) => Promise<void>,
): Promise<number> {
  const words = new Set(withoutType(args.positionals))
  if (words.size === 0) throw new UsageError('name a container', command)
  const open = await session()
  let failed = false
  for (const word of words) {
    try {
      await act(await findContainer(word, open), word)
    } catch (error) {
      if (io.signal.aborted) throw error
      failed = true
      await io.stderr.write(errorText(error))
    }
  }
  return failed ? exitCodes.error : exitCodes.ok
}

/** Whose a container is, in a word or two. */
export function ownerText({ type, namespace = '', name = '' }: NodeContainer['owner']): string {
  switch (type) {
    case 'Container':
      return `container ${namespace}/${name}`
    case 'OtherCluster':
      return `other cluster (${namespace}/${name})`
    case 'ComposeProject':
      return `compose ${name}`
    case 'SwarmService':
      return `swarm ${name}`
    case 'KubernetesPod':
      return `pod ${namespace}/${name}`
    default:
      return '-'
  }
}
