/**
 * What the node itself is logged in with, as its docker CLI would find it: the `auths` of a configuration file, or the
 * program that keeps them (`credsStore`, `credHelpers`). File and program are asked at each pull and push. Programs get
 * the server on their standard input and nothing else; no shell is in between.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import { messageOf } from '#pkg/apimachinery/errors.ts'
import { isPlainObject, jsonValue } from '#pkg/apimachinery/hash.ts'
import { entryCredentials, type Found, placeOf } from '#pkg/apis/dockerconfig.ts'
import { programPath } from '../programpath.ts'
import type { NodeLogins } from './credentials.ts'

export interface NodeLoginsOptions {
  /** docker's config.json; that it is not there is no error. */
  readonly file: string
  /** Directories of programs, as in PATH; those that are not absolute do not count. */
  readonly searchPath: string
  readonly clock: Clock
}

/** ms. */
const helperPatience = 10_000
const maxHelperBytes = 64 * 1024
/** What helpers say when they have nothing for a server. */
const helperHasNothing = /credentials not found/i
const hubServer = 'https://index.docker.io/v1/'

export function nodeLogins(options: NodeLoginsOptions): NodeLogins {
  return async (registry, signal) => {
    const { file } = options
    try {
      const config = await readConfig(file)
      const helper = helperOf(config, registry)
      const found = helper === undefined ? inFile(config, registry, file) : await ask(helper, options, signal)
      return { found: found === undefined ? [] : [found], troubles: [] }
    } catch (error) {
      if (signal.aborted) throw signal.reason
      return { found: [], troubles: [messageOf(error)] }
    }
  }
}

interface Helper {
  readonly name: string
  /** What it knows the registry by. */
  readonly server: string
}

async function readConfig(file: string): Promise<Record<string, unknown>> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return '{}'
    throw new Error(`${file} cannot be read: ${error.code ?? 'unknown error'}`)
  })
  const config = jsonValue(text)
  if (!isPlainObject(config)) throw new Error(`${file} is no JSON object`)
  return config
}

/** That of the registry before that of all. */
function helperOf(
  { credHelpers, credsStore }: Record<string, unknown>,
  registry: string,
): Helper | undefined {
  const own = Object.entries(isPlainObject(credHelpers) ? credHelpers : {})
  const [server, name] = own.find(([place]) => placeOf(place) === registry) ?? []
  const usual = registry === 'docker.io' ? hubServer : registry
  const chosen = name ?? credsStore
  if (typeof chosen !== 'string' || chosen === '') return undefined
  return { name: chosen, server: registry === 'docker.io' ? usual : (server ?? usual) }
}

function inFile({ auths }: Record<string, unknown>, registry: string, file: string): Found | undefined {
  const entries = Object.entries(isPlainObject(auths) ? auths : {})
  const found = entries.find(([place]) => placeOf(place) === registry)
  const credentials = found && entryCredentials(found[1])
  return credentials && { from: `the node's ${file}`, credentials }
}

async function ask(
  helper: Helper,
  options: NodeLoginsOptions,
  signal: AbortSignal,
): Promise<Found | undefined> {
  const name = `docker-credential-${helper.name}`
  if (!/^[A-Za-z0-9._-]+$/.test(helper.name)) throw new Error(`${options.file} names a program that is none`)
  const program = await programPath(name, options.searchPath)
  if (program === undefined) throw new Error(`there is no program ${name} on the node`)
  const { code, output } = await run(program, helper.server, {
    name,
    clock: options.clock,
    signal,
  })
  if (code !== 0 && helperHasNothing.test(output)) return undefined
  // What else it says may be half a secret.
  if (code !== 0) throw new Error(`${name} on the node fails with exit code ${code}`)
  const answer = jsonValue(output)
  const { Username: username, Secret: password } = isPlainObject(answer) ? answer : {}
  if (typeof username !== 'string' || typeof password !== 'string')
    throw new Error(`${name} on the node answers what is no credentials`)
  return username === '' ? undefined : { from: `${name} on the node`, credentials: { username, password } }
}

interface Running {
  readonly name: string
  readonly clock: Clock
  readonly signal: AbortSignal
}

interface Ended {
  readonly code: number | null
  readonly output: string
}

function run(path: string, server: string, { name, clock, signal }: Running): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(path, ['get'], { stdio: ['pipe', 'pipe', 'ignore'], shell: false })
    const chunks: Buffer[] = []
    let size = 0
    const giveUp = (error: unknown) => {
      end(child)
      settle(() => reject(error))
    }
    const onAbort = () => giveUp(signal.reason)
    const cancel = clock.after(helperPatience, () =>
      giveUp(new Error(`${name} on the node gives no answer in ${helperPatience / 1000} s`)),
    )
    const settle = (then: () => void) => {
      cancel()
      signal.removeEventListener('abort', onAbort)
      then()
    }
    signal.addEventListener('abort', onAbort, { once: true })
    child.stdout.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > maxHelperBytes) giveUp(new Error(`${name} on the node answers without an end`))
      else chunks.push(chunk)
    })
    child.on('error', (error: NodeJS.ErrnoException) =>
      giveUp(new Error(`${name} on the node cannot be run: ${error.code ?? 'unknown error'}`)),
    )
    child.on('close', (code) =>
      settle(() => resolve({ code, output: Buffer.concat(chunks).toString('utf8') })),
    )
    // One that does not read what it is told closes the pipe: its answer says enough.
    child.stdin.on('error', () => undefined)
    child.stdin.end(`${server}\n`)
    if (signal.aborted) onAbort()
  })
}

/** Also when something that it started holds on to its output. */
function end(child: ChildProcess): void {
  child.stdout?.destroy()
  child.kill('SIGKILL')
}
