/**
 * JSON Web Tokens signed with ES256, and nothing else of that large family: the algorithm is ours, never the token's
 * choice. Whether the claims are good is for the reader of them to say. Pure.
 */
import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'

export interface SigningKey {
  /** Tells keys apart: the hash of the public key. */
  readonly id: string
  /** P-256. */
  readonly privateKey: KeyObject
}

export type Claims = Readonly<Record<string, unknown>>

/** Public keys by their id. */
export type VerificationKeys = ReadonlyMap<string, KeyObject>

const algorithm = 'ES256'
/** Both halves of the signature, fixed in length, as the standard has it. */
const dsaEncoding = 'ieee-p1363'
/** A token longer than this is none of ours. */
const longestToken = 8192

/** The id under which tokens name their key. */
export function keyIdOf(key: KeyObject): string {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key
  const bytes = publicKey.export({ type: 'spki', format: 'der' })
  return createHash('sha256').update(bytes).digest('base64url')
}

export function signToken(claims: Claims, { id, privateKey }: SigningKey): string {
  const head = `${encode({ alg: algorithm, kid: id })}.${encode(claims)}`
  const signature = sign('sha256', Buffer.from(head), { key: privateKey, dsaEncoding })
  return `${head}.${signature.toString('base64url')}`
}

/** The claims of a token that one of the keys has signed. Throws Unauthorized that says why, without the token. */
export function verifyToken(token: string, keys: VerificationKeys): Claims {
  const [header = '', payload = '', signature = '', ...rest] = token.split('.')
  if (signature === '' || rest.length > 0 || token.length > longestToken) throw refused('it is no signed JWT')
  const { alg, kid, crit } = decodePart(header)
  if (alg !== algorithm) throw refused(`it is not signed with ${algorithm}`)
  if (crit !== undefined) throw refused('it has critical headers')
  const key = typeof kid === 'string' ? keys.get(kid) : undefined
  if (key === undefined) throw refused('it is signed with a key that this server does not have')
  const bytes = Buffer.from(signature, 'base64url')
  if (!verify('sha256', Buffer.from(`${header}.${payload}`), { key, dsaEncoding }, bytes))
    throw refused('its signature is wrong')
  return decodePart(payload)
}

/** Whether a bearer token is meant to be one of these: other kinds of token have no two dots. */
export function looksLikeJwt(token: string): boolean {
  return token.split('.').length === 3
}

export function refused(why: string): StatusError {
  return new StatusError('Unauthorized', `the token is refused: ${why}`)
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

function decodePart(part: string): Claims {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString())
    if (isPlainObject(value)) return value
  } catch (error) {
    // The parser quotes what it read: that part of the token must not get into a log.
    throw refused(`a part of it is no JSON (${error instanceof Error ? error.name : messageOf(error)})`)
  }
  throw refused('a part of it is no JSON object')
}
