/**
 * The program git, run so that it does what it is told and nothing else: with no configuration of machine or user, no hooks,
 * no prompts, no helpers, and over no protocol but those that are meant. A password is in the environment of the process,
 * which its own user reads and nobody else; a key is in a file that is gone when it is done. Neither is ever an argument.
 */
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import type { GitAddress, GitLogin, KeyLogin } from './gitaddress.ts'
import { type Ended, type Programs, runProgram } from './program.ts'

export interface GitPlace {
  readonly address: GitAddress
  readonly login: GitLogin | undefined
  /** Key of the Secret, for messages. */
  readonly secret: string | undefined
  /** PEM of who may vouch for its certificate; absent: those whom the node trusts. */
  readonly authorities?: string
}

export interface GitSession {
  readonly place: GitPlace
  readonly programs: Programs
  /** A folder of its own, for nobody else to read. */
  readonly directory: string
  readonly signal: AbortSignal
  /** ms, of each run. */
  readonly patience: number
  /** Of all that is put below `directory`. */
  readonly mostBytes: number
}

export interface GitRun {
  readonly session: GitSession
  /** Where it is run; absent: in the session's directory. */
  readonly directory?: string
  /** Protocols that it may use; absent: that of the address. */
  readonly protocols?: readonly string[]
}

const mostOutput = 64 * 1024 ** 2
/** ms. */
const measureEvery = 1000
/** Standing still so long is hanging; seconds. */
const longestSilence = 30

const settings: Readonly<Record<string, string>> = {
  'advice.detachedHead': 'false',
  'core.askPass': '',
  'core.fsmonitor': 'false',
  'core.hooksPath': '/dev/null',
  'credential.helper': '',
  'fetch.recurseSubmodules': 'false',
  'gc.auto': '0',
  'http.lowSpeedLimit': '1',
  'http.lowSpeedTime': String(longestSilence),
  'init.defaultBranch': 'none',
  'maintenance.auto': 'false',
}

/** The shell function answers what git asks a helper; what it says comes from the environment. */
const helper =
  '!f() { if [ "$1" = get ]; then printf "username=%s\\npassword=%s\\n" "$COVE_GIT_USERNAME" "$COVE_GIT_PASSWORD"; fi; }; f'

/** Whatever its exit code says. Throws SourceUnavailable and ContextTooLarge as its bounds say. */
export async function tryGit(args: readonly string[], run: GitRun): Promise<Ended> {
  const { session, directory = session.directory } = run
  const tooMuch = new AbortController()
  const stop = watchSize(session, tooMuch)
  const keys = join(session.directory, 'keys')
  try {
    const env = await environmentOf(run, keys)
    const signal = AbortSignal.any([session.signal, tooMuch.signal])
    const { patience, programs } = session
    return await runProgram(
      'git',
      { args, env, directory, patience, mostBytes: mostOutput, signal },
      programs,
    )
  } finally {
    stop()
    await rm(keys, { recursive: true, force: true })
  }
}

/** Its output. Throws SourceUnavailable with what it says when it fails. */
export async function git(args: readonly string[], run: GitRun): Promise<string> {
  const ended = await tryGit(args, run)
  if (ended.code !== 0) throw refusal(ended, run.session.place)
  return ended.output.toString('utf8')
}

/** What git adds to whatever was said. */
const isNoise =
  /^hint:|^Could not read from remote repository|^Please make sure you have|^and the repository exists/

/** What git says of a failure, for people; nothing that was shown is in it. */
export function refusal({ code, errors }: Ended, { address, login, secret }: GitPlace): StatusError {
  const lines = errors
    .split(/[\r\n]+/)
    .map((line) => line.replace(/^(?:fatal|error|remote|warning): /, '').trim())
    .filter((line) => line !== '' && !isNoise.test(line))
  const said = lines.slice(-3).join('; ').slice(0, 500) || `git ends with exit code ${code}`
  const words = `${said}${hint(errors, { login, secret })}`
  const reason = isFull.test(errors) ? 'NoSpace' : 'SourceUnavailable'
  return new StatusError(reason, `${address.address}: ${withoutSecrets(words, login)}`)
}

/** Of the disk here: words of the far end have `remote:` before them. */
const isFull = /^(?!remote:).*(?:No space left on device|Disk quota exceeded)/m

function hint(errors: string, { login, secret }: Pick<GitPlace, 'login' | 'secret'>): string {
  if (isDenial(errors)) return ` (${shownWords(secret, login)})`
  return isDistrust(errors) ? distrustWords : ''
}

/** Of GnuTLS and of OpenSSL. */
function isDistrust(errors: string): boolean {
  return /certificate verification failed|SSL certificate problem|unable to get local issuer/.test(errors)
}

const distrustWords =
  ' (nobody whom the node trusts vouches for it: give the certificate of its authority as ca.crt of the Secret that spec.context.git.secret names)'

function isDenial(errors: string): boolean {
  return /could not read (?:Username|Password)|Authentication failed|Permission denied|error: 40[13]/.test(
    errors,
  )
}

function shownWords(secret: string | undefined, login: GitLogin | undefined): string {
  if (secret !== undefined) return `asked with Secret ${secret}`
  return login === undefined ? 'spec.context.git.secret names none' : 'asked with the login in the address'
}

function withoutSecrets(text: string, login: GitLogin | undefined): string {
  if (login?.type !== 'basic' || login.password === '') return text
  return text.replaceAll(login.password, '***').replaceAll(encodeURIComponent(login.password), '***')
}

async function environmentOf({ session, protocols }: GitRun, keys: string): Promise<Record<string, string>> {
  const { place, directory, programs } = session
  const { address, login } = place
  return {
    HOME: directory,
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ALLOW_PROTOCOL: (protocols ?? protocolsOf(address)).join(':'),
    GIT_SSH_VARIANT: 'ssh',
    GIT_SSH_COMMAND: login?.type === 'key' ? await sshCommand(login, keys) : 'false',
    GIT_LFS_SKIP_SMUDGE: '1',
    ...numbered({ ...settings, ...(await trust(place, programs, keys)), ...helperFor(place) }),
    ...(login?.type === 'basic' && {
      COVE_GIT_USERNAME: login.username,
      COVE_GIT_PASSWORD: login.password,
    }),
  }
}

/** Who may vouch for servers. What a Secret says of that is for its own server only, as its login is. */
async function trust(
  { address, authorities }: GitPlace,
  { environment }: Programs,
  keys: string,
): Promise<Record<string, string>> {
  const { SSL_CERT_FILE: file } = environment
  // Git may be built with a library that does not look there by itself.
  const ofNode = file === undefined ? {} : { 'http.sslCAInfo': file }
  if (authorities === undefined) return ofNode
  const path = join(keys, 'authorities')
  await mkdir(keys, { recursive: true, mode: 0o700 })
  await writeFile(path, authorities, { mode: 0o600 })
  return { ...ofNode, [`http.${address.origin}.sslCAInfo`]: path }
}

/** A redirect may make it safer. */
function protocolsOf({ protocol }: GitAddress): string[] {
  return protocol === 'http' ? ['http', 'https'] : [protocol]
}

/** Only the place that the credentials are for is shown them: no host that it redirects to, none of a submodule. */
function helperFor({ address, login }: GitPlace): Record<string, string> {
  return login?.type === 'basic' ? { [`credential.${address.origin}.helper`]: helper } : {}
}

function numbered(all: Readonly<Record<string, string>>): Record<string, string> {
  const pairs = Object.entries(all).flatMap(([key, value], at) => [
    [`GIT_CONFIG_KEY_${at}`, key] as const,
    [`GIT_CONFIG_VALUE_${at}`, value] as const,
  ])
  return { GIT_CONFIG_COUNT: String(Object.keys(all).length), ...Object.fromEntries(pairs) }
}

async function sshCommand({ privateKey, knownHosts }: KeyLogin, keys: string): Promise<string> {
  await mkdir(keys, { recursive: true, mode: 0o700 })
  const [key, hosts] = [join(keys, 'key'), join(keys, 'known_hosts')]
  await writeFile(key, privateKey.endsWith('\n') ? privateKey : `${privateKey}\n`, { mode: 0o600 })
  await writeFile(hosts, knownHosts.endsWith('\n') ? knownHosts : `${knownHosts}\n`, { mode: 0o600 })
  const options = [
    'BatchMode=yes',
    'StrictHostKeyChecking=yes',
    `UserKnownHostsFile="${hosts}"`,
    'GlobalKnownHostsFile=/dev/null',
    `IdentityFile="${key}"`,
    'IdentitiesOnly=yes',
    'IdentityAgent=none',
    'PreferredAuthentications=publickey',
    'ForwardAgent=no',
    `ConnectTimeout=${longestSilence}`,
    'ServerAliveInterval=10',
    'ServerAliveCountMax=3',
  ]
  return ['ssh', '-F', 'none', ...options.flatMap((option) => ['-o', quoted(option)])].join(' ')
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

/** Git has no bound of its own on what it fetches. */
function watchSize({ directory, programs, mostBytes }: GitSession, tooMuch: AbortController): () => void {
  const { clock } = programs
  let isOver = false
  let cancel: () => void = () => {}
  const measure = async () => {
    const from = clock.now()
    const size = await sizeOf(directory)
    if (isOver) return
    if (size > mostBytes)
      tooMuch.abort(new StatusError('ContextTooLarge', `the repository is larger than ${mostBytes} bytes`))
    // What takes long to measure is not measured all the time.
    else later(Math.max(measureEvery, 10 * (clock.now() - from)))
  }
  const later = (ms: number) => {
    cancel = clock.after(ms, () => {
      measure().catch((error: unknown) => tooMuch.abort(error))
    })
  }
  later(measureEvery)
  return () => {
    isOver = true
    cancel()
  }
}

/** Of the files in it, as far as they are still there. */
async function sizeOf(directory: string): Promise<number> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(ifGone<never[]>([]))
  let size = 0
  for (const entry of entries) {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) size += await sizeOf(path)
    else if (entry.isFile()) size += (await stat(path).catch(ifGone({ size: 0 }))).size
  }
  return size
}

function ifGone<T>(instead: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    if (error.code === 'ENOENT') return instead
    throw error
  }
}
