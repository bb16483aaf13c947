/**
 * Which Container a word of the command line means: NAME, TYPE/NAME, or the beginning of the engine's id, as `cove ps`
 * prints it. The one place that knows, for every command about a container.
 */
import { notFound } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { CliError } from './errors.ts'
import { listObjects } from './follow.ts'
import { builtinResource, type Resource } from './resources.ts'
import type { Session } from './session.ts'

/** A Container, and the session in its namespace. */
export interface NamedContainer {
  readonly name: string
  readonly session: Session
}

/** Fewer digits are a slip of the fingers rather than an id. */
const idLike = /^[0-9a-f]{4,64}$/
/** What `cove ps` prints: so many digits mean one container, in whichever namespace it is. */
const shortIDLength = 12

/**
 * A name is taken as it is, without asking the server, unless it may be an id; of those, a Container of that name
 * comes first. Throws NotFound, and CliError with the candidates when several begin so.
 */
export async function findContainer(word: string, session: Session): Promise<NamedContainer> {
  const resource = builtinResource('Container')
  const name = singleName(word, resource)
  if (word.includes('/') || !idLike.test(name)) return { name, session }
  const { namespace } = session
  const { objects: near } = await listObjects({ resource, namespace }, session)
  if (near.some(({ metadata }) => metadata.name === name)) return { name, session }
  const found = byID(near, name)
  const far =
    found.length === 0 && name.length >= shortIDLength
      ? (await listObjects({ resource }, session)).objects
      : []
  const candidates = [...found, ...byID(far, name)]
  const [only] = candidates
  if (only === undefined) throw notFound(resource, name)
  if (candidates.length > 1) throw ambiguous(name, candidates)
  return { name: only.metadata.name, session: within(session, only.metadata.namespace) }
}

/**
 * The name for what may be the whole of what `cove ps` prints, of the session's namespace; any other word is a name as it
 * is. Throws CliError when several begin so.
 */
export async function nameOfID(word: string, session: Session): Promise<string> {
  if (word.length < shortIDLength || !idLike.test(word)) return word
  const resource = builtinResource('Container')
  const { objects } = await listObjects({ resource, namespace: session.namespace }, session)
  if (objects.some(({ metadata }) => metadata.name === word)) return word
  const found = byID(objects, word)
  if (found.length > 1) throw ambiguous(word, found)
  return found[0]?.metadata.name ?? word
}

/** Also `container NAME...`, for those who say the type as a word of its own. */
export function withoutType(words: readonly string[]): readonly string[] {
  const [first = '', ...names] = words
  const { plural, singular, shortNames } = builtinResource('Container')
  return names.length > 0 && [plural, singular, ...shortNames].includes(first) ? names : words
}

/** All that are named, each once. */
export function findContainers(words: readonly string[], session: Session): Promise<NamedContainer[]> {
  return Promise.all([...new Set(words)].map((word) => findContainer(word, session)))
}

/** Whether `TYPE/NAME` is one of a Container. */
export function namesContainer(word: string): boolean {
  const { plural, singular, kind, shortNames } = builtinResource('Container')
  const [type = '', name = '', more] = word.split('/')
  const known = [plural, singular, kind.toLowerCase(), ...shortNames]
  return name !== '' && more === undefined && known.includes(type.toLowerCase().split('.')[0] ?? '')
}

function within(session: Session, namespace = session.namespace): Session {
  return namespace === session.namespace ? session : { ...session, namespace }
}

function byID(containers: readonly KubeObject[], prefix: string): KubeObject[] {
  return containers.filter((container) => idOf(container).startsWith(prefix))
}

function idOf({ status }: KubeObject): string {
  const id = isPlainObject(status) ? status['containerID'] : undefined
  return typeof id === 'string' ? id : ''
}

function ambiguous(prefix: string, candidates: readonly KubeObject[]): CliError {
  const list = candidates
    .map((container) => `${idOf(container).slice(0, shortIDLength)} (${container.metadata.name})`)
    .toSorted()
  return new CliError(`"${prefix}" is the beginning of several ids: ${list.join(', ')}`)
}

/** NAME of the given type, or TYPE/NAME. */
function singleName(word: string, resource: Resource): string {
  if (!word.includes('/')) return word
  if (!namesContainer(word)) throw new CliError(`"${word}" is not the name of a ${resource.singular}`)
  return word.slice(word.indexOf('/') + 1)
}
