/**
 * A value as it lies on the disk when it must be kept secret: `cove:enc:v1:KEYID:BASE64`, where the last part holds
 * nonce, ciphertext and tag of AES-256-GCM. The storage key goes into the tag, so a value that was moved to another
 * key does not open. Nonces are random; one key is good for 2^32 values (NIST SP 800-38D, 8.3).
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { StatusError } from '#pkg/apimachinery/errors.ts'

export interface EncryptionKey {
  /** Letters and digits; stands in every value that the key has sealed. */
  readonly id: string
  /** 32 bytes. */
  readonly key: Uint8Array
  /** RFC 3339. */
  readonly created: string
}

/** The first one seals, every one opens. Never empty. */
export type Keyring = readonly [EncryptionKey, ...EncryptionKey[]]

const mark = 'cove:enc:v1:'
const algorithm = 'aes-256-gcm'
const nonceBytes = 12
const tagBytes = 16
export const keyBytes = 32

export function makeKey(created: string): EncryptionKey {
  return { id: randomBytes(4).toString('hex'), key: randomBytes(keyBytes), created }
}

export function seal([first]: Keyring, storageKey: string, value: string): string {
  const nonce = randomBytes(nonceBytes)
  const cipher = createCipheriv(algorithm, first.key, nonce, { authTagLength: tagBytes })
  cipher.setAAD(Buffer.from(storageKey))
  const parts = [nonce, cipher.update(value, 'utf8'), cipher.final(), cipher.getAuthTag()]
  return `${mark}${first.id}:${Buffer.concat(parts).toString('base64')}`
}

/** The id of the key that sealed the value; undefined for a plain one. */
export function sealedWith(value: string): string | undefined {
  if (!value.startsWith(mark)) return undefined
  const end = value.indexOf(':', mark.length)
  return end < 0 ? '' : value.slice(mark.length, end)
}

/** The value that was sealed; a plain one as it is. Throws InternalError that names the object and the key's id. */
export function unseal(keys: Keyring, storageKey: string, value: string): string {
  const id = sealedWith(value)
  if (id === undefined) return value
  const found = keys.find((key) => key.id === id)
  if (found === undefined) throw unreadable(storageKey, id, 'and this server does not have that key')
  try {
    return decrypt(found, storageKey, value.slice(mark.length + id.length + 1))
  } catch (error) {
    throw unreadable(storageKey, id, 'and does not open with it: it was changed or moved', error)
  }
}

export function unreadable(storageKey: string, id: string, why: string, cause?: unknown): StatusError {
  const message = `${storageKey} is encrypted with the key "${id}" ${why}`
  return new StatusError('InternalError', message, {}, { cause })
}

function decrypt({ key }: EncryptionKey, storageKey: string, text: string): string {
  const bytes = Buffer.from(text, 'base64')
  // Another spelling of the same bytes is not what was written.
  if (bytes.toString('base64') !== text) throw new Error('not base64')
  const end = bytes.length - tagBytes
  const decipher = createDecipheriv(algorithm, key, bytes.subarray(0, nonceBytes), {
    authTagLength: tagBytes,
  })
  decipher.setAAD(Buffer.from(storageKey))
  decipher.setAuthTag(bytes.subarray(Math.max(0, end)))
  const opened = [decipher.update(bytes.subarray(nonceBytes, Math.max(nonceBytes, end))), decipher.final()]
  return Buffer.concat(opened).toString('utf8')
}
