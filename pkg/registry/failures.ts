/** The door for what registries refuse and for connections that fail: from there a StatusError. No secret is in any text. */
import { type Reason, StatusError } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'

/** No connection, or one that broke, said nothing for too long or went in circles: nothing was answered. */
export class Unreached extends StatusError {
  constructor(message: string, cause?: unknown) {
    super('RegistryUnavailable', message, {}, { cause })
  }
}

export interface Refused {
  readonly registry: string
  /** What was asked for: `tag 1 of team/app`. */
  readonly what: string
  readonly status: number
  readonly retryAfter: string | undefined
  /** Its own words; empty: none. */
  readonly text: string
  readonly now: number
}

export function refusal({ registry, what, status, retryAfter, text, now }: Refused): StatusError {
  const words = text === '' ? '' : `: ${text}`
  const wait = retryAfterSeconds(retryAfter, now)
  const details = wait === undefined ? {} : { retryAfterSeconds: wait }
  const say = (reason: Reason, sentence: string) => new StatusError(reason, `${sentence}${words}`, details)
  if (status === 401 || status === 403)
    return say('RegistryUnauthorized', `registry ${registry} refuses ${what} (${status})`)
  if (status === 404) return say('ImageNotFound', `registry ${registry} has no ${what}`)
  if (status === 429)
    return say('RegistryRateLimited', `registry ${registry} wants to be asked less (429 for ${what})`)
  return say('RegistryUnavailable', `registry ${registry} answers ${what} with status ${status}`)
}

/** Seconds, or a date; of more than six hours, six: who asks for more than Docker Hub does is waited for no longer. */
export function retryAfterSeconds(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined
  const text = header.trim()
  const seconds = /^\d{1,9}$/.test(text) ? Number(text) : Math.ceil((Date.parse(text) - now) / 1000)
  return Number.isFinite(seconds) ? Math.min(21_600, Math.max(1, seconds)) : undefined
}

const sentences: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the connection was broken off',
  EPIPE: 'the connection was broken off',
  ENOTFOUND: 'there is no such host',
  EAI_AGAIN: 'its name cannot be looked up now',
  ENETUNREACH: 'there is no way to its network',
  EHOSTUNREACH: 'there is no way to it',
  ETIMEDOUT: 'it does not answer',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
}

const untrusted = [
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_GET_ISSUER_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
]

/** Why an address could not be asked. */
export function unreached(address: URL, error: unknown): Unreached {
  const place = `${address.protocol}//${address.host}`
  return new Unreached(`registry at ${place} cannot be reached: ${why(address.host, error)}`, error)
}

function why(host: string, error: unknown): string {
  const code = isPlainObject(error) || error instanceof Error ? codeOf(error) : ''
  if (untrusted.includes(code))
    return `its certificate is not trusted; put that of its authority into /etc/docker/certs.d/${host}/ca.crt on the node`
  if (code === 'EPROTO' || code.startsWith('ERR_SSL')) return 'it does not speak HTTPS'
  if (code.startsWith('HPE_')) return 'what it answers is not HTTP'
  return sentences[code] ?? (code === '' ? 'the connection failed' : `the connection failed (${code})`)
}

function codeOf(error: object): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : ''
}
