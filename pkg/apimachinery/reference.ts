/**
 * Image references, parsed in this one place: `[registry[:port]/]repository[:tag][@digest]`.
 * Grammar and defaults are those of the distribution project's reference specification: the first component
 * is a registry only when it holds a dot or a colon or is `localhost`; Docker Hub's one-part names live
 * under `library/`; a reference without tag and digest means `latest`.
 */

export interface ImageReference {
  /** `docker.io`, `127.0.0.1:5000`, ... */
  readonly registry: string
  /** `library/nginx`, `team/app`, ... */
  readonly repository: string
  readonly tag?: string
  /** `sha256:` and 64 hex digits. */
  readonly digest?: string
}

export type ParsedReference = { ok: true; reference: ImageReference } | { ok: false; message: string }

const domainPattern =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?$/
const repositoryPattern =
  /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/
const tagPattern = /^\w[\w.-]{0,127}$/
const part = '[a-z0-9]+(?:(?:[.]|_|__|-+)[a-z0-9]+)*'
const partWithoutDot = '[a-z0-9]+(?:(?:_|__|-+)[a-z0-9]+)*'
const label = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?'
const port = ':[0-9]+'
/** What comes first is a registry when it is one of these; a first part with a dot is never part of a repository. */
const registry = [
  'localhost',
  `${label}(?:[.]${label})+`,
  `${label}(?:[.]${label})*${port}`,
  `\\[[0-9a-fA-F:]+\\](?:${port})?`,
].join('|')
const name = `(?:(?:${registry})/${part}(?:/${part})*|${part}|${partWithoutDot}(?:/${part})+)`
/**
 * What parseReference accepts, for those who can only match; it refuses ids of images and repositories of more than 255
 * characters besides.
 */
export const referencePattern = `^${name}(?::[0-9A-Za-z_][0-9A-Za-z_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$`
/** What the engine takes for the id of an image is no name of one. */
export const idPattern = /^[0-9a-f]{64}$/
const digestPattern = /^sha256:[0-9a-f]{64}$/
const defaultRegistry = 'docker.io'

/** Reads a reference as a user writes it; the message of a refusal says which part is wrong and why. */
export function parseReference(text: string): ParsedReference {
  const { name, tag, digest } = splitSuffixes(text)
  const { registry, repository } = splitRegistry(name)
  const full =
    registry === defaultRegistry && !repository.includes('/') ? `library/${repository}` : repository
  const message = whyInvalid({ text, registry, repository, full, tag, digest })
  if (message !== undefined) return { ok: false, message }
  const impliedTag = tag ?? (digest === undefined ? 'latest' : undefined)
  return {
    ok: true,
    reference: {
      registry,
      repository: full,
      ...(impliedTag !== undefined && { tag: impliedTag }),
      ...(digest !== undefined && { digest }),
    },
  }
}

/** The long form with everything that was implied: equal images by name have equal canonical references. */
export function canonicalReference(reference: ImageReference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`
  const digest = reference.digest === undefined ? '' : `@${reference.digest}`
  return `${reference.registry}/${reference.repository}${tag}${digest}`
}

/** The short form as the engine lists it: `nginx:1.27`, not `docker.io/library/nginx:1.27`. */
export function familiarReference(reference: ImageReference): string {
  const canonical = canonicalReference(reference)
  if (reference.registry !== defaultRegistry) return canonical
  const name = canonical.slice(defaultRegistry.length + 1)
  const official = /^library\/[^/]+$/.test(reference.repository)
  const short = official ? name.slice('library/'.length) : name
  // What reads as a registry of its own when it comes first keeps the registry in front of it.
  return splitRegistry(short).repository === short ? short : canonical
}

/** Whether the reference names bytes that can change: no digest, and the tag `latest`. */
export function isFloating(reference: ImageReference): boolean {
  return reference.digest === undefined && reference.tag === 'latest'
}

function splitSuffixes(text: string): { name: string; tag?: string; digest?: string } {
  const at = text.indexOf('@')
  const digest = at < 0 ? undefined : text.slice(at + 1)
  const rest = at < 0 ? text : text.slice(0, at)
  const colon = rest.lastIndexOf(':')
  const isTag = colon > rest.lastIndexOf('/')
  return {
    name: isTag ? rest.slice(0, colon) : rest,
    ...(isTag && { tag: rest.slice(colon + 1) }),
    ...(digest !== undefined && { digest }),
  }
}

function splitRegistry(name: string): { registry: string; repository: string } {
  const slash = name.indexOf('/')
  const first = slash < 0 ? '' : name.slice(0, slash)
  const isRegistry = first === 'localhost' || first.includes('.') || first.includes(':')
  if (!isRegistry) return { registry: defaultRegistry, repository: name }
  const registry = first === 'index.docker.io' ? defaultRegistry : first
  return { registry, repository: name.slice(slash + 1) }
}

interface Parts {
  text: string
  registry: string
  repository: string
  /** With what was implied. */
  full: string
  tag: string | undefined
  digest: string | undefined
}

function whyInvalid({ text, registry, repository, full, tag, digest }: Parts): string | undefined {
  if (text === '') return 'must not be empty'
  if (!domainPattern.test(registry)) return `registry "${registry}" is not HOST or HOST:PORT`
  if (repository === '') return 'the repository is missing'
  if (/[A-Z]/.test(repository)) return `repository "${repository}" must be lower case`
  if (!repositoryPattern.test(repository)) return `repository "${repository}" is not a valid repository name`
  if (idPattern.test(text)) return `"${text}" is the id of an image, not a name`
  if (full.length > 255) return 'the repository is longer than 255 characters'
  if (tag !== undefined && !tagPattern.test(tag)) return `tag "${tag}" is not a valid tag`
  if (digest !== undefined && !digestPattern.test(digest)) {
    return `digest "${digest}" must be sha256: and 64 hexadecimal digits`
  }
  return undefined
}
