/**
 * Secrets at rest: the file of the keys they are sealed with, and the storage that seals them with its first key.
 * Rotating is safe to break off anywhere: a new key is on the disk before the first value is sealed with it, every
 * value is replaced by compare and swap, and a key is dropped only when no value, past ones included, needs it.
 */
import { access, readFile, rm } from 'node:fs/promises'
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import { messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import { replaceFile } from '#pkg/apimachinery/files.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { encrypted, keysInUse, type Resealed, reseal } from '#pkg/storage/encrypted.ts'
import { type EncryptionKey, type Keyring, keyBytes, makeKey } from '#pkg/storage/envelope.ts'
import type { FileStorage, Storage } from '#pkg/storage/port.ts'
import { KeyedLock } from '../verbs/lock.ts'

/** Within the pki directory. */
export const keysFile = 'encryption.keys'

/** What is sealed: the values of these keys. */
export const sealedPrefixes: readonly string[] = ['/registry/core/secrets/']

/** A key as an administrator sees it: without itself. */
export interface KeyUse {
  readonly id: string
  readonly created: string
  /** How many current values it has sealed. */
  readonly values: number
}

export interface Rotation {
  /** The id of the key that seals from now on. */
  readonly key: string
  readonly rewritten: number
  /** One sentence for each value that does not open and was left as it is. */
  readonly unreadable: readonly string[]
}

export interface Pruning {
  readonly dropped: readonly string[]
  readonly kept: readonly KeyUse[]
}

export interface SecretStoreOptions {
  /** Stays the caller's to close. */
  readonly storage: FileStorage
  /** The file of the keys, in a directory that exists; made when missing. */
  readonly path: string
  readonly ambient: Ambient
}

export class SecretStore {
  /** Everything, with the sealed values open. */
  readonly storage: Storage
  readonly #raw: FileStorage
  readonly #path: string
  readonly #ambient: Ambient
  readonly #lock = new KeyedLock()
  #keys: Keyring

  private constructor({ storage, path, ambient }: SecretStoreOptions, keys: Keyring) {
    this.#raw = storage
    this.#path = path
    this.#ambient = ambient
    this.#keys = keys
    this.storage = encrypted(storage, this.#sealing())
  }

  /** Makes the first key when there is none. Throws InternalError when the file is damaged. */
  static async open(options: SecretStoreOptions): Promise<SecretStore> {
    const { path, ambient } = options
    const known = await readKeys(path)
    if (known !== undefined) return new SecretStore(options, known)
    const keys: Keyring = [makeKey(now(ambient))]
    await replaceFile(path, formatKeys(keys))
    return new SecretStore(options, keys)
  }

  /**
   * Seals what is not sealed with the first key: values of before there were keys, and what is left of a rotation that
   * was broken off. To be called at every start; finds nothing to do at most of them.
   */
  settle(): Promise<Resealed> {
    return this.exclusively(async () => {
      const pending = await exists(this.#marker)
      const counts = await keysInUse(this.#raw, { prefixes: sealedPrefixes })
      const isSettled = [...counts.keys()].every((id) => id === this.#keys[0].id)
      if (isSettled && !pending) return { rewritten: 0, plain: 0, unreadable: [] }
      return await this.#reseal(pending)
    })
  }

  rotate(): Promise<Rotation> {
    return this.exclusively(async () => {
      const fresh = makeKey(now(this.#ambient))
      const keys: Keyring = [fresh, ...this.#keys]
      await replaceFile(this.#path, formatKeys(keys))
      this.#keys = keys
      const { rewritten, unreadable } = await this.#reseal(true)
      return { key: fresh.id, rewritten, unreadable: unreadable.map(messageOf) }
    })
  }

  /** Drops the keys that no value needs. Forgets the history first: its values may be sealed with them. */
  prune(): Promise<Pruning> {
    return this.exclusively(async () => {
      await this.#forgetHistory()
      const uses = await this.#uses()
      const [first, ...others] = this.#keys
      const inUse = others.filter(({ id }) => uses.some((use) => use.id === id && use.values > 0))
      const dropped = others.filter((key) => !inUse.includes(key)).map(({ id }) => id)
      const keys: Keyring = [first, ...inUse]
      if (dropped.length > 0) await replaceFile(this.#path, formatKeys(keys))
      this.#keys = keys
      return { dropped, kept: uses.filter(({ id }) => !dropped.includes(id)) }
    })
  }

  list(): Promise<readonly KeyUse[]> {
    return this.#uses()
  }

  /** While `task` runs, no key comes or goes. */
  exclusively<T>(task: () => Promise<T>): Promise<T> {
    return this.#lock.run('keys', task)
  }

  copyTo(path: string): Promise<void> {
    return this.#raw.copyTo(path)
  }

  async #uses(): Promise<KeyUse[]> {
    const counts = await keysInUse(this.#raw, { prefixes: sealedPrefixes })
    return this.#keys.map(({ id, created }) => ({ id, created, values: counts.get(id) ?? 0 }))
  }

  /** The marker says to the next start that what was replaced may lie on the disk still. */
  async #reseal(forget: boolean): Promise<Resealed> {
    await replaceFile(this.#marker, '')
    const done = await reseal(this.#raw, this.#sealing())
    if (forget || done.rewritten > 0) await this.#forgetHistory()
    await rm(this.#marker, { force: true })
    return done
  }

  get #marker(): string {
    return `${this.#path}.scrub`
  }

  async #forgetHistory(): Promise<void> {
    await this.#raw.compact((await this.#raw.revisions()).current)
    await this.#raw.scrub()
  }

  #sealing() {
    const { log } = this.#ambient
    return {
      prefixes: sealedPrefixes,
      keys: () => this.#keys,
      onUnreadable: (error: unknown) => log.error('a secret cannot be opened', { error: messageOf(error) }),
    }
  }
}

/** Undefined when there is no such file. Throws InternalError when it is damaged. */
export async function readKeys(path: string): Promise<Keyring | undefined> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw damaged(path, messageOf(error), error)
  }
  return parseKeys(text, path)
}

/** One JSON object in a line, the newest key first. */
export function parseKeys(text: string, path: string): Keyring {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  const [first, ...others] = lines.map((line, index) => parseKey(line, `${path}, line ${index + 1}`))
  if (first === undefined) throw damaged(path, 'it holds no key')
  return [first, ...others]
}

function formatKeys(keys: Keyring): string {
  const line = ({ id, created, key }: EncryptionKey) =>
    JSON.stringify({ id, created, key: Buffer.from(key).toString('base64') })
  return `${keys.map(line).join('\n')}\n`
}

function parseKey(line: string, where: string): EncryptionKey {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    // The parser would quote the line, and that is a key.
    throw damaged(where, 'it is not JSON')
  }
  if (!isPlainObject(value)) throw damaged(where, 'it is no mapping')
  const { id, created, key } = value
  if (typeof id !== 'string' || !/^[A-Za-z0-9-]+$/.test(id)) throw damaged(where, 'it has no id')
  if (typeof created !== 'string') throw damaged(where, 'it does not say when it was created')
  const bytes = Buffer.from(typeof key === 'string' ? key : '', 'base64')
  if (bytes.length !== keyBytes) throw damaged(where, `its key has not ${keyBytes} bytes`)
  return { id, created, key: bytes }
}

function damaged(where: string, why: string, cause?: unknown): StatusError {
  const message = `the encryption keys cannot be read from ${where}: ${why}; restore the file from a backup`
  return new StatusError('InternalError', message, {}, { cause })
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false
    throw error
  }
}

function now({ clock }: Ambient): string {
  return new Date(clock.now()).toISOString()
}
