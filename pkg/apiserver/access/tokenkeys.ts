/**
 * The keys that sign and verify tokens of ServiceAccounts: one file of PEM blocks in the directory of the
 * certificates, made at the first start. The first private key signs; every key in the file verifies, so a new key put
 * in front of the old ones replaces them without making a token invalid.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { join } from 'node:path'
import { messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import { readIfThere, replaceFile } from '#pkg/apimachinery/files.ts'
import { keyIdOf, type SigningKey, type VerificationKeys } from './jwt.ts'

export interface TokenKeys {
  readonly signing: SigningKey
  readonly verification: VerificationKeys
}

const fileName = 'service-account.pem'
const block = /-----BEGIN (PRIVATE|PUBLIC) KEY-----[^-]+-----END \1 KEY-----/g

/** `dir` must be there. Throws InternalError when the file is there and cannot be used: it is not replaced. */
export async function ensureTokenKeys(dir: string): Promise<TokenKeys> {
  const path = join(dir, fileName)
  const text = await readIfThere(path)
  if (text !== undefined) return parseTokenKeys(text, path)
  const made = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const pem = String(made.privateKey.export({ type: 'pkcs8', format: 'pem' }))
  await replaceFile(path, pem)
  return parseTokenKeys(pem, path)
}

export function parseTokenKeys(text: string, path: string): TokenKeys {
  const keys = [...text.matchAll(block)].map(([pem, type]) => parseKey(pem, type === 'PRIVATE', path))
  const privateKey = keys.find((key) => key.type === 'private')
  if (privateKey === undefined)
    throw new StatusError(
      'InternalError',
      `${path} holds no private key; restore it from a backup, or remove it: then all tokens become invalid`,
    )
  const verification = new Map(
    keys.map((key) => [keyIdOf(key), key.type === 'private' ? createPublicKey(key) : key]),
  )
  return { signing: { id: keyIdOf(privateKey), privateKey }, verification }
}

function parseKey(pem: string, isPrivate: boolean, path: string): KeyObject {
  try {
    const key = isPrivate ? createPrivateKey(pem) : createPublicKey(pem)
    if (key.asymmetricKeyDetails?.namedCurve === 'prime256v1') return key
  } catch (error) {
    throw new StatusError(
      'InternalError',
      `a key in ${path} cannot be read: ${messageOf(error)}`,
      {},
      { cause: error },
    )
  }
  throw new StatusError('InternalError', `a key in ${path} is not of the curve P-256, which tokens need`)
}
