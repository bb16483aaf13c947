/**
 * Where the copy lies: `node.copy` in the agent's data directory, sealed with AES-256-GCM under the key in
 * `node.copy.key` beside it, both of mode 0600. It holds Secrets: so they are in no backup that leaves the key out, and
 * in nothing that searches files. The seal is its checksum too: a file that was cut short or changed does not open.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { badRequest } from '#pkg/apimachinery/errors.ts'
import { readBytesIfThere, replaceFile } from '#pkg/apimachinery/files.ts'

export interface CopyStore {
  /** For messages. */
  readonly path: string
  /** Undefined when there is none. Throws BadRequest when what is there is not what was saved. */
  load(): Promise<string | undefined>
  /** All of it or nothing, whatever happens meanwhile. */
  save(text: string): Promise<void>
}

const algorithm = 'aes-256-gcm'
const mark = Buffer.from('cove node copy v1\n')
const nonceBytes = 12
const tagBytes = 16
const keyBytes = 32

export function diskCopy(directory: string): CopyStore {
  const path = join(directory, 'node.copy')
  const keyPath = `${path}.key`
  return {
    path,
    async load() {
      const sealed = await readBytesIfThere(path)
      if (sealed === undefined) return undefined
      const key = await readBytesIfThere(keyPath)
      if (key?.length !== keyBytes) throw badRequest(`its key, ${keyPath}, is missing or damaged`)
      return unsealCopy(key, sealed)
    },
    async save(text) {
      await replaceFile(path, sealCopy(await ensureKey(directory, keyPath), text))
    },
  }
}

async function ensureKey(directory: string, path: string): Promise<Uint8Array> {
  const kept = await readBytesIfThere(path)
  if (kept?.length === keyBytes) return kept
  const key = randomBytes(keyBytes)
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await replaceFile(path, key)
  return key
}

/** Nonces are random: one key is good for 2^32 copies (NIST SP 800-38D, 8.3), more than a hundred years of them. */
export function sealCopy(key: Uint8Array, text: string): Uint8Array {
  const nonce = randomBytes(nonceBytes)
  const cipher = createCipheriv(algorithm, key, nonce, { authTagLength: tagBytes })
  cipher.setAAD(mark)
  return Buffer.concat([mark, nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
}

/** Throws BadRequest when it was not sealed with this key, or was changed since. */
export function unsealCopy(key: Uint8Array, sealed: Buffer): string {
  if (!sealed.subarray(0, mark.length).equals(mark))
    throw badRequest('it does not begin as a copy of this version of Cove does')
  const end = sealed.length - tagBytes
  const begin = mark.length + nonceBytes
  if (end < begin) throw badRequest('it was cut short')
  try {
    const decipher = createDecipheriv(algorithm, key, sealed.subarray(mark.length, begin), {
      authTagLength: tagBytes,
    })
    decipher.setAAD(mark)
    decipher.setAuthTag(sealed.subarray(end))
    return Buffer.concat([decipher.update(sealed.subarray(begin, end)), decipher.final()]).toString('utf8')
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw badRequest(`it was cut short or changed, or is sealed with another key (${why})`)
  }
}
