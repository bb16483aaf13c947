/**
 * A kubeconfig as the connection it describes. Files, environment and the YAML parser come in as inputs; the
 * first of several files that says a thing wins, as kubectl has it. Login plug-ins are refused, not ignored.
 */
import { dirname, resolve } from 'node:path'
import { badRequest, messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'

/** One server and who asks it. Certificates and keys are PEM texts. */
export interface ServerConfig {
  readonly server: string
  /** Of requests that name none. */
  readonly namespace: string
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  readonly token?: string
  /** Name to expect in the server's certificate when it is not the host of the URL. */
  readonly serverName?: string
  readonly insecure?: boolean
}

export interface KubeconfigInput {
  /** --kubeconfig: the only file looked at when given; it must exist. */
  readonly explicit?: string
  /** $KUBECONFIG: files separated by ":"; those that do not exist are skipped. */
  readonly environment?: string
  readonly home: string
  readonly directory: string
  /** --context; absent: the current one. */
  readonly context?: string
  /** Undefined when there is no such file. */
  readonly readFile: (path: string) => Promise<string | undefined>
  readonly parseYaml: (text: string) => unknown | Promise<unknown>
}

interface Entry {
  readonly name: string
  /** Relative paths inside are relative to this. */
  readonly directory: string
  readonly value: Record<string, unknown>
}

interface Merged {
  readonly currentContext?: string
  readonly contexts: readonly Entry[]
  readonly clusters: readonly Entry[]
  readonly users: readonly Entry[]
}

/** Throws BadRequest that names the file and what is missing in it. */
export async function loadKubeconfig(input: KubeconfigInput): Promise<ServerConfig> {
  const merged = await readAllFiles(input)
  const contextName = input.context ?? merged.currentContext
  if (contextName === undefined || contextName === '') {
    throw badRequest('the kubeconfig names no current-context; choose one with --context')
  }
  const context = find(merged.contexts, contextName, 'context')
  const cluster = find(merged.clusters, text(context, 'cluster') ?? '', 'cluster')
  const userName = text(context, 'user')
  const user = userName === undefined || userName === '' ? undefined : find(merged.users, userName, 'user')
  const server = text(cluster, 'server')
  if (server === undefined) throw badRequest(`cluster "${cluster.name}" of the kubeconfig has no server`)
  const [ca, credentials] = await Promise.all([
    pem(cluster, 'certificate-authority', input),
    user === undefined ? {} : credentialsOf(user, input),
  ])
  const serverName = text(cluster, 'tls-server-name')
  return {
    server,
    namespace: text(context, 'namespace') ?? 'default',
    ...(ca !== undefined && { ca }),
    ...credentials,
    ...(serverName !== undefined && { serverName }),
    ...(cluster.value['insecure-skip-tls-verify'] === true && { insecure: true }),
  }
}

async function readAllFiles(input: KubeconfigInput): Promise<Merged> {
  const paths = candidatePaths(input)
  const files = (await Promise.all(paths.map((path) => readFile(path, input)))).filter(
    (file) => file !== undefined,
  )
  if (files.length === 0) throw badRequest(noFileMessage(input))
  const currentContext = files.map(({ value }) => value['current-context']).find(isText)
  const all = (key: string, member: string) => files.flatMap((file) => entriesOf(file, key, member))
  return {
    ...(currentContext !== undefined && { currentContext }),
    contexts: all('contexts', 'context'),
    clusters: all('clusters', 'cluster'),
    users: all('users', 'user'),
  }
}

function candidatePaths({ explicit, environment, home, directory }: KubeconfigInput): string[] {
  if (explicit !== undefined) return [resolve(directory, explicit)]
  const listed = (environment ?? '').split(':').filter((path) => path !== '')
  return listed.length > 0
    ? listed.map((path) => resolve(directory, path))
    : [resolve(home, '.cove/kubeconfig')]
}

function noFileMessage({ explicit, environment, home }: KubeconfigInput): string {
  if (explicit !== undefined) return `there is no kubeconfig at "${explicit}"`
  const looked = environment ? `$KUBECONFIG (${environment})` : resolve(home, '.cove/kubeconfig')
  return `no kubeconfig found at ${looked}: start a server here with \`cove up\`, or name a file with --kubeconfig`
}

interface File {
  readonly directory: string
  readonly value: Record<string, unknown>
}

async function readFile(path: string, input: KubeconfigInput): Promise<File | undefined> {
  const content = await input.readFile(path)
  if (content === undefined) return undefined
  try {
    const value = await parse(content, input)
    if (!isPlainObject(value)) throw badRequest('it is not a mapping')
    return { directory: dirname(path), value }
  } catch (error) {
    const message = `the kubeconfig ${path} cannot be read: ${messageOf(error)}`
    throw new StatusError('BadRequest', message, {}, { cause: error })
  }
}

/** JSON is YAML, and reading it needs no parser that must be loaded first. */
function parse(content: string, { parseYaml }: KubeconfigInput): unknown | Promise<unknown> {
  return content.trimStart().startsWith('{') ? JSON.parse(content) : parseYaml(content)
}

function entriesOf({ directory, value }: File, key: string, member: string): Entry[] {
  const list = value[key]
  if (!Array.isArray(list)) return []
  return list.flatMap((entry) => {
    const inner = isPlainObject(entry) ? entry[member] : undefined
    return isPlainObject(entry) && isText(entry['name']) && isPlainObject(inner)
      ? [{ name: entry['name'], directory, value: inner }]
      : []
  })
}

function find(entries: readonly Entry[], name: string, what: string): Entry {
  const found = entries.find((entry) => entry.name === name)
  if (found === undefined) throw badRequest(`the kubeconfig has no ${what} "${name}"`)
  return found
}

async function credentialsOf(user: Entry, input: KubeconfigInput): Promise<Partial<ServerConfig>> {
  const unsupported = ['exec', 'auth-provider', 'username'].find((key) => user.value[key] !== undefined)
  if (unsupported !== undefined) {
    throw badRequest(
      `user "${user.name}" of the kubeconfig logs in with "${unsupported}", which cove does not support: use a client certificate or a token`,
    )
  }
  const [cert, key, token] = await Promise.all([
    pem(user, 'client-certificate', input),
    pem(user, 'client-key', input),
    tokenOf(user, input),
  ])
  return {
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(token !== undefined && { token }),
  }
}

/** With both, the file wins: that one may be renewed. */
async function tokenOf(user: Entry, input: KubeconfigInput): Promise<string | undefined> {
  const inline = text(user, 'token')
  const path = text(user, 'tokenFile')
  return path === undefined ? inline : (await mustRead(user, path, input)).trim()
}

/** `KEY-data` holds base64, `KEY` a path. */
async function pem(entry: Entry, key: string, input: KubeconfigInput): Promise<string | undefined> {
  const inline = text(entry, `${key}-data`)
  if (inline !== undefined) return Buffer.from(inline, 'base64').toString('utf8')
  const path = text(entry, key)
  return path === undefined ? undefined : mustRead(entry, path, input)
}

async function mustRead(entry: Entry, path: string, input: KubeconfigInput): Promise<string> {
  const content = await input.readFile(resolve(entry.directory, path))
  if (content === undefined)
    throw badRequest(`"${entry.name}" of the kubeconfig names a missing file: ${path}`)
  return content
}

function text(entry: Entry, key: string): string | undefined {
  const value = entry.value[key]
  return isText(value) ? value : undefined
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}
