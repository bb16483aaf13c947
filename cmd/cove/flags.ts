/** Flags of `cove up|server|agent`, with their defaults. Pure: the environment is an input. */
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import { parseDuration, parseQuantity } from '#pkg/apimachinery/quantity.ts'
import { parsePin } from '#pkg/client/capin.ts'
import { isLevel, type Level } from './log.ts'

export type DaemonName = 'up' | 'server' | 'agent'

export interface DaemonFlags {
  /** Absolute. */
  readonly dataDir: string
  readonly listen: { readonly host: string; readonly port: number }
  readonly engine: string
  readonly nodeName: string
  /** The engine's daemon.json, and the file of its process id. */
  readonly engineConfig: string
  readonly enginePidfile: string
  /** Of the agent alone; up talks to its own server. */
  readonly kubeconfig: string | undefined
  /** How long a pull, push or load may stand still, in ms; undefined: the agent's own default. */
  readonly stallMs: number | undefined
  /** Of the agent alone: the cluster to join at the first start. */
  readonly join: JoinFlag | undefined
  /** Further names and addresses by which the server is reached. */
  readonly hosts: readonly string[]
  /** Of certificates of nodes; undefined: the server's own default. */
  readonly nodeCertificateMs: number | undefined
  /** Of the server: a path, "-" or "off"; undefined: in the data directory. */
  readonly auditLog: string | undefined
  /** Of one file that is uploaded; undefined: the server's own default. */
  readonly maxUploadBytes: number | undefined
  readonly logLevel: Level
}

export interface JoinFlag {
  /** Such as https://cove.example:7443. */
  readonly server: string
  readonly pin: string
  /** A path, or "-" for standard input; undefined: the environment variable COVE_JOIN_TOKEN. */
  readonly tokenFile: string | undefined
}

export interface FlagInput {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly home: string
  readonly cwd: string
  readonly hostname: string
  readonly isRoot: boolean
}

const defaultListen = '127.0.0.1:7443'
const defaultEngineConfig = '/etc/docker/daemon.json'
const defaultEnginePidfile = '/var/run/docker.pid'
const defaultEngine = 'unix:///var/run/docker.sock'

const options = {
  'data-dir': { type: 'string' },
  listen: { type: 'string' },
  engine: { type: 'string' },
  'engine-config': { type: 'string' },
  'engine-pidfile': { type: 'string' },
  'node-name': { type: 'string' },
  'image-pull-progress-deadline': { type: 'string' },
  kubeconfig: { type: 'string' },
  join: { type: 'string' },
  'ca-pin': { type: 'string' },
  'token-file': { type: 'string' },
  'tls-san': { type: 'string', multiple: true },
  'node-certificate-lifetime': { type: 'string' },
  'audit-log': { type: 'string' },
  'max-upload': { type: 'string' },
  'log-level': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

const ofServer = [
  'data-dir',
  'listen',
  'tls-san',
  'node-certificate-lifetime',
  'audit-log',
  'max-upload',
] as const

const flagsOf: Readonly<Record<DaemonName, readonly (keyof typeof options)[]>> = {
  up: [
    ...ofServer,
    'engine',
    'engine-config',
    'engine-pidfile',
    'node-name',
    'image-pull-progress-deadline',
    'log-level',
    'help',
  ],
  server: [...ofServer, 'log-level', 'help'],
  agent: [
    'data-dir',
    'engine',
    'engine-config',
    'engine-pidfile',
    'node-name',
    'image-pull-progress-deadline',
    'kubeconfig',
    'join',
    'ca-pin',
    'token-file',
    'log-level',
    'help',
  ],
}

/** How the help calls the value, and what it says of it. */
const texts: Readonly<Record<keyof typeof options, readonly [string, string]>> = {
  'data-dir': ['DIR', 'where everything is kept (/var/lib/cove as root, else ~/.local/share/cove)'],
  listen: ['HOST:PORT', `where the API is served (${defaultListen})`],
  engine: ['HOST', `the container engine ($DOCKER_HOST, else ${defaultEngine})`],
  'engine-config': ['FILE', `its settings, which Node.spec.engine changes (${defaultEngineConfig})`],
  'engine-pidfile': ['FILE', `where it keeps its process id (${defaultEnginePidfile})`],
  'node-name': ['NAME', 'name of this node (the host name)'],
  'image-pull-progress-deadline': [
    'DURATION',
    'a pull, push or load of which nothing moves for so long is given up (3m)',
  ],
  kubeconfig: ['FILE', 'the server to work for ($KUBECONFIG, else ~/.cove/kubeconfig)'],
  join: ['URL', 'at the first start: the server to join, such as https://cove.example:7443'],
  'ca-pin': ['PIN', 'sha256:HEX of the authority of that server, as `cove token create` prints it'],
  'token-file': ['FILE', 'holds the join token; - is standard input; else $COVE_JOIN_TOKEN'],
  'tls-san': ['NAME', 'a further name or address by which the server is reached; may be repeated'],
  'node-certificate-lifetime': ['DURATION', 'how long certificates of nodes are good (8760h)'],
  'audit-log': [
    'FILE',
    'who did what: a file, - for standard output, or off (audit.log in the data directory)',
  ],
  'max-upload': ['SIZE', 'the largest file that is taken for images: 500Mi, 10Gi (10Gi)'],
  'log-level': ['LEVEL', 'debug, info, warn or error (info)'],
  help: ['', 'print this'],
}

/** `cove server WORD ...` is one of the server's tools then (servertools.ts), and no server. */
export const serverTools: ReadonlySet<string> = new Set(['snapshot', 'keys', 'fsck'])

const toolsHint = `
Its data: cove server snapshot save|verify|restore, keys list|rotate|prune, fsck; see cove server snapshot --help.
`

export const daemons: Readonly<Record<DaemonName, string>> = {
  up: 'Run server and agent of this host in one process',
  server: 'Run the API server and the controllers',
  agent: 'Run the agent of this node',
}

export function daemonHelp(name: DaemonName): string {
  const rows = flagsOf[name].map((flag) => [`--${flag} ${texts[flag][0]}`, texts[flag][1]] as const)
  const width = Math.max(...rows.map(([left]) => left.length))
  const flags = rows.map(([left, right]) => `  ${left.padEnd(width)}   ${right}\n`)
  return `${daemons[name]}. SIGTERM stops it cleanly; containers keep running.\n\nUsage:\n  cove ${name} [options]\n\nOptions:\n${flags.join('')}${name === 'server' ? toolsHint : ''}`
}

/** Undefined: help was asked for. Throws BadRequest that names the flag. */
export function parseFlags(
  name: DaemonName,
  words: readonly string[],
  input: FlagInput,
): DaemonFlags | undefined {
  const values = readWords(name, words)
  if (values.help === true) return undefined
  const { env, home, cwd, hostname, isRoot } = input
  const logLevel = values['log-level'] ?? 'info'
  if (!isLevel(logLevel)) throw badFlag('log-level', `"${logLevel}" is not debug, info, warn or error`)
  const dataDir = values['data-dir'] ?? (isRoot ? '/var/lib/cove' : join(home, '.local/share/cove'))
  return {
    dataDir: resolve(cwd, dataDir),
    listen: parseListen(values.listen ?? defaultListen),
    engineConfig: resolve(cwd, values['engine-config'] ?? defaultEngineConfig),
    enginePidfile: resolve(cwd, values['engine-pidfile'] ?? defaultEnginePidfile),
    engine: values.engine ?? (env['DOCKER_HOST'] || defaultEngine),
    nodeName: parseNodeName(values['node-name'] ?? hostname.toLowerCase()),
    stallMs: parseAtLeast(values, 'image-pull-progress-deadline', 1000),
    kubeconfig: values.kubeconfig,
    join: parseJoin(values),
    hosts: values['tls-san'] ?? [],
    nodeCertificateMs: parseAtLeast(values, 'node-certificate-lifetime', shortestLifetimeMs),
    auditLog: parseAuditLog(values['audit-log'], cwd),
    maxUploadBytes: parseMaxUpload(values['max-upload']),
    logLevel,
  }
}

function readWords(name: DaemonName, words: readonly string[]) {
  const known = Object.fromEntries(flagsOf[name].map((flag) => [flag, options[flag]]))
  try {
    const { values } = parseArgs({ args: [...words], options: known as typeof options, strict: true })
    return values
  } catch (error) {
    const message = `${messageOf(error)}\nSee 'cove ${name} --help'.`
    throw new StatusError('BadRequest', message, {}, { cause: error })
  }
}

interface JoinValues {
  readonly join?: string | undefined
  readonly kubeconfig?: string | undefined
  readonly 'ca-pin'?: string | undefined
  readonly 'token-file'?: string | undefined
}

function parseJoin(values: JoinValues): JoinFlag | undefined {
  const { join: server, kubeconfig, 'ca-pin': pinText, 'token-file': tokenFile } = values
  if (server === undefined) {
    if (pinText !== undefined) throw badFlag('ca-pin', 'goes with --join')
    if (tokenFile !== undefined) throw badFlag('token-file', 'goes with --join')
    return undefined
  }
  if (kubeconfig !== undefined) throw badFlag('join', 'cannot be used together with --kubeconfig')
  if (!URL.canParse(server) || new URL(server).protocol !== 'https:')
    throw badFlag('join', `"${server}" is not a URL such as https://cove.example:7443`)
  const pin = parsePin(pinText ?? '')
  if (pin === undefined)
    throw badFlag('ca-pin', 'must be sha256: and 64 hexadecimal digits, as `cove token create` prints it')
  return { server: new URL(server).origin, pin, tokenFile }
}

/** Shorter ones would be renewed all the time. */
const shortestLifetimeMs = 10_000

/** A duration in ms; undefined: the flag was not given. */
function parseAtLeast<Flag extends string>(
  values: Readonly<Partial<Record<Flag, string>>>,
  flag: Flag,
  least: number,
): number | undefined {
  const text = values[flag]
  if (text === undefined) return undefined
  const duration = parseDuration(text)
  if (duration !== undefined && duration >= least) return duration
  throw badFlag(flag, `"${text}" is not a duration of at least ${least / 1000}s`)
}

function parseAuditLog(text: string | undefined, cwd: string): string | undefined {
  if (text === '') throw badFlag('audit-log', 'must be a file, "-" or "off"')
  return text === undefined || text === '-' || text === 'off' ? text : resolve(cwd, text)
}

function parseMaxUpload(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const bytes = parseQuantity(text)
  if (bytes !== undefined && Number.isInteger(bytes) && bytes > 0) return bytes
  throw badFlag('max-upload', `"${text}" is not a size such as 10Gi`)
}

function parseListen(text: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]*)):([0-9]+)$/.exec(text)
  const port = Number(match?.[3])
  if (match === null || port < 1 || port > 65535) {
    throw badFlag('listen', `"${text}" is not HOST:PORT with a port between 1 and 65535`)
  }
  return { host: match[1] ?? (match[2] || '0.0.0.0'), port }
}

function parseNodeName(text: string): string {
  if (/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(text)) return text
  throw badFlag('node-name', `"${text}" must consist of lower case letters, digits, "-" and "."`)
}

function badFlag(flag: string, why: string): StatusError {
  return new StatusError('BadRequest', `--${flag}: ${why}`)
}
