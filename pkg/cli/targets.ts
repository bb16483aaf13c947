/** What a command is about: `TYPE[,TYPE] [NAME...]`, or `TYPE/NAME...`. */
import { nameOfID } from './containername.ts'
import { resolveResources } from './discovery.ts'
import { UsageError } from './errors.ts'
import type { Resource } from './resources.ts'
import type { Session } from './session.ts'

export interface Target {
  readonly resource: Resource
  /** Absent: all of them. */
  readonly names?: readonly string[]
}

/**
 * Throws UsageError when the words mix both forms or name nothing. A Container may be named by as much of its engine's id
 * as `cove ps` prints.
 */
export async function parseTargets(
  words: readonly string[],
  session: Session,
  command: string,
): Promise<readonly Target[]> {
  return Promise.all((await wordTargets(words, session, command)).map((target) => byName(target, session)))
}

async function byName({ resource, names }: Target, session: Session): Promise<Target> {
  if (names === undefined || resource.kind !== 'Container' || resource.group !== 'cove.run')
    return { resource, ...(names !== undefined && { names }) }
  return { resource, names: unique(await Promise.all(names.map((name) => nameOfID(name, session)))) }
}

async function wordTargets(
  words: readonly string[],
  session: Session,
  command: string,
): Promise<readonly Target[]> {
  const [types, ...names] = words
  if (types === undefined) throw new UsageError('you must say which type of resource', command)
  if (words.some((word) => word.includes('/'))) return slashTargets(words, session, command)
  const resources = (await Promise.all(types.split(',').map((word) => resolve(word, session)))).flat()
  if (names.length > 0 && resources.length > 1)
    throw new UsageError('names need one type, not several', command)
  return resources.map((resource) => ({ resource, ...(names.length > 0 && { names: unique(names) }) }))
}

async function slashTargets(words: readonly string[], session: Session, command: string): Promise<Target[]> {
  const targets: Target[] = []
  for (const word of words) {
    const [type = '', name = '', more] = word.split('/')
    if (type === '' || name === '' || more !== undefined) {
      throw new UsageError(
        `there is no need to mix forms: "${word}" is not TYPE/NAME as the others are`,
        command,
      )
    }
    for (const resource of await resolve(type, session)) targets.push({ resource, names: [name] })
  }
  return targets
}

function resolve(word: string, { client, signal }: Session): Promise<readonly Resource[]> {
  return resolveResources(word, client, signal)
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)]
}
