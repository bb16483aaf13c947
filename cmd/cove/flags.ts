/** Flags of `cove up|server|agent`, with their defaults. Pure: the environment is an input. */
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import { isLevel, type Level } from './log.ts'

export type DaemonName = 'up' | 'server' | 'agent'

export interface DaemonFlags {
  /** Absolute. */
  readonly dataDir: string
  readonly listen: { readonly host: string; readonly port: number }
  readonly engine: string
  readonly nodeName: string
  /** Of the agent alone; up talks to its own server. */
  readonly kubeconfig: string | undefined
  readonly logLevel: Level
}

export interface FlagInput {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly home: string
  readonly cwd: string
  readonly hostname: string
  readonly isRoot: boolean
}

const defaultListen = '127.0.0.1:7443'
const defaultEngine = 'unix:///var/run/docker.sock'

const options = {
  'data-dir': { type: 'string' },
  listen: { type: 'string' },
  engine: { type: 'string' },
  'node-name': { type: 'string' },
  kubeconfig: { type: 'string' },
  'log-level': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

const flagsOf: Readonly<Record<DaemonName, readonly (keyof typeof options)[]>> = {
  up: ['data-dir', 'listen', 'engine', 'node-name', 'log-level', 'help'],
  server: ['data-dir', 'listen', 'log-level', 'help'],
  agent: ['data-dir', 'engine', 'node-name', 'kubeconfig', 'log-level', 'help'],
}

const texts: Readonly<Record<keyof typeof options, string>> = {
  'data-dir': 'DIR      where everything is kept (/var/lib/cove as root, else ~/.local/share/cove)',
  listen: `HOST:PORT  where the API is served (${defaultListen})`,
  engine: `HOST       the container engine ($DOCKER_HOST, else ${defaultEngine})`,
  'node-name': 'NAME    name of this node (the host name)',
  kubeconfig: 'FILE   the server to work for ($KUBECONFIG, else ~/.cove/kubeconfig)',
  'log-level': 'LEVEL   debug, info, warn or error (info)',
  help: '           print this',
}

export const daemons: Readonly<Record<DaemonName, string>> = {
  up: 'Run server and agent of this host in one process',
  server: 'Run the API server and the controllers',
  agent: 'Run the agent of this node',
}

export function daemonHelp(name: DaemonName): string {
  const flags = flagsOf[name].map((flag) => `  --${flag} ${texts[flag]}\n`)
  return `${daemons[name]}. SIGTERM stops it cleanly; containers keep running.\n\nUsage:\n  cove ${name} [options]\n\nOptions:\n${flags.join('')}`
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
    engine: values.engine ?? (env['DOCKER_HOST'] || defaultEngine),
    nodeName: parseNodeName(values['node-name'] ?? hostname.toLowerCase()),
    kubeconfig: values.kubeconfig,
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
