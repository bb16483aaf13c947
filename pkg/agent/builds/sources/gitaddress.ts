/** Addresses of git repositories, and what a Secret shows to them. Pure. */
import { StatusError } from '#pkg/apimachinery/errors.ts'
import type { Secret } from '#pkg/apis/core.ts'

export interface GitAddress {
  /** As git takes it, without a login of http; so it may be told. */
  readonly address: string
  readonly protocol: 'http' | 'https' | 'ssh' | 'git' | 'file'
  /** Of http: what credentials are for. */
  readonly origin?: string
  /** What stands in the address itself, which is for http only. */
  readonly login?: BasicLogin
}

export interface BasicLogin {
  readonly type: 'basic'
  readonly username: string
  readonly password: string
}

export interface KeyLogin {
  readonly type: 'key'
  readonly privateKey: string
  readonly knownHosts: string
}

export type GitLogin = BasicLogin | KeyLogin

const authoritiesKey = 'ca.crt'
/** What servers that take a token do not look at. */
const anyName = 'git'

export function parseGitAddress(url: string): GitAddress {
  // Git hands parts of it on: to servers, line by line, and to ssh as an argument.
  if (/^-|[\p{Cc}\s]/u.test(url))
    throw new StatusError(
      'InvalidSpec',
      'spec.context.git.url has blanks or control characters, or begins with -',
    )
  const http = /^(https?):\/\//.exec(url)
  if (http !== null) return httpAddress(url)
  const [, protocol] = /^(ssh|git|file):\/\//.exec(url) ?? []
  if (protocol === 'ssh' || protocol === 'git' || protocol === 'file') return { address: url, protocol }
  if (/^[A-Za-z0-9._-]+@[A-Za-z0-9._-]+:/.test(url)) return { address: url, protocol: 'ssh' }
  throw new StatusError('InvalidSpec', 'spec.context.git.url is no address of a git repository')
}

function httpAddress(url: string): GitAddress {
  const parsed = URL.parse(url)
  if (parsed === null) throw new StatusError('InvalidSpec', 'spec.context.git.url is no web address')
  const { username, password, origin, protocol } = parsed
  parsed.username = ''
  parsed.password = ''
  return {
    address: parsed.href,
    protocol: protocol === 'https:' ? 'https' : 'http',
    origin,
    ...(username !== '' && {
      login: {
        type: 'basic',
        username: decodedPart(username),
        password: decodedPart(password),
      },
    }),
  }
}

/** A `%` that stands for nothing stands for itself, as git has it. */
function decodedPart(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (bytes) =>
    Buffer.from(bytes.replaceAll('%', ''), 'hex').toString(),
  )
}

/** What is shown to the address; undefined: nothing. Throws InvalidSpec when the Secret is not for such an address. */
export function gitLogin(
  { protocol, login }: GitAddress,
  key: string | undefined,
  secret: Secret | undefined,
): GitLogin | undefined {
  if (key === undefined) {
    if (protocol !== 'ssh') return login
    throw new StatusError(
      'InvalidSpec',
      'ssh needs spec.context.git.secret: the node shows no key of its own',
    )
  }
  if (secret === undefined) throw new StatusError('SourceUnavailable', `Secret ${key} is not there`)
  if (protocol === 'ssh') return keyLogin(key, secret)
  if (protocol === 'http' || protocol === 'https') return basicLogin(key, secret) ?? login
  throw new StatusError('InvalidSpec', `a Secret is for http and ssh: ${protocol}:// is asked without`)
}

/** PEM of who may vouch for its certificate besides those whom the node trusts. Throws InvalidSpec when it is none. */
export function gitAuthorities(
  { protocol }: GitAddress,
  key: string | undefined,
  secret: Secret | undefined,
): string | undefined {
  const pem = secret === undefined || protocol !== 'https' ? undefined : textOf(secret, authoritiesKey)
  if (pem === undefined || pem.includes('-----BEGIN CERTIFICATE-----')) return pem
  throw new StatusError('InvalidSpec', `${authoritiesKey} of Secret ${key} holds no certificate (PEM)`)
}

function keyLogin(key: string, secret: Secret): KeyLogin {
  const privateKey = textOf(secret, 'ssh-privatekey')
  const knownHosts = textOf(secret, 'known_hosts')
  if (privateKey === undefined) throw new StatusError('InvalidSpec', `Secret ${key} has no ssh-privatekey`)
  if (knownHosts === undefined)
    throw new StatusError('InvalidSpec', `Secret ${key} has no known_hosts: nobody says who the host is`)
  return { type: 'key', privateKey, knownHosts }
}

/** Undefined: the Secret is only about who vouches for the server. */
function basicLogin(key: string, secret: Secret): BasicLogin | undefined {
  const username = textOf(secret, 'username') ?? anyName
  const password = textOf(secret, 'password') ?? ''
  if (secret.data?.['username'] === undefined && password === '') {
    if (textOf(secret, authoritiesKey) !== undefined) return undefined
    throw new StatusError('InvalidSpec', `Secret ${key} has neither username nor password`)
  }
  // Lines are what git and its helpers tell each other.
  if (/[\n\r\0]/.test(username + password))
    throw new StatusError('InvalidSpec', `username and password of Secret ${key} must be one line each`)
  return { type: 'basic', username, password }
}

function textOf({ data }: Secret, name: string): string | undefined {
  const value = data?.[name]
  return value === undefined ? undefined : Buffer.from(value, 'base64').toString('utf8')
}
