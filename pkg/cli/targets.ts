/** What a command is about: `TYPE[,TYPE] [NAME...]`, or `TYPE/NAME...`. */
import { resolveResources } from './discovery.ts'
import { CliError, UsageError } from './errors.ts'
import type { Resource } from './resources.ts'
import type { Session } from './session.ts'

export interface Target {
  readonly resource: Resource
  /** Absent: all of them. */
  readonly names?: readonly string[]
}

/** Throws UsageError when the words mix both forms or name nothing. */
export async function parseTargets(
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

/** The one object that a command takes, such as `logs`: NAME of the given type, or TYPE/NAME. */
export function singleName(word: string, resource: Resource): string {
  const [type = '', name, more] = word.split('/')
  if (name === undefined) return type
  const known = [resource.plural, resource.singular, resource.kind.toLowerCase(), ...resource.shortNames]
  if (more !== undefined || name === '' || !known.includes(type.toLowerCase().split('.')[0] ?? '')) {
    throw new CliError(`"${word}" is not the name of a ${resource.singular}`)
  }
  return name
}

function resolve(word: string, { client, signal }: Session): Promise<readonly Resource[]> {
  return resolveResources(word, client, signal)
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)]
}
