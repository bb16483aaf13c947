/**
 * Storage that keeps the values under some prefixes sealed (envelope.ts) and shows them open: what is below it, and on
 * the disk, never sees them. Plain values are shown as they are and become sealed when they are written again.
 * A value that does not open fails `get`; `list` and `watch` hand it on sealed, so that one does not hide the others,
 * and whoever decodes it fails there. Such a value is never overwritten unless its revision is named.
 */
import { badRequest } from '#pkg/apimachinery/errors.ts'
import { type Keyring, seal, sealedWith, unseal } from './envelope.ts'
import type { Storage, StoredEvent, StoredRecord, WriteResult } from './port.ts'

export interface SealingOptions {
  /** Values of keys that begin with one of these are sealed. */
  readonly prefixes: readonly string[]
  /** The keys of this moment: asked at every value, so that a rotation counts at once. */
  readonly keys: () => Keyring
  /** Told of every value in a list or watch that does not open. */
  readonly onUnreadable?: (error: unknown) => void
}

export function encrypted(storage: Storage, options: SealingOptions): Storage {
  const { prefixes, keys, onUnreadable = () => {} } = options
  const isSecret = (key: string) => prefixes.some((prefix) => key.startsWith(prefix))
  const close = (key: string, value: string) => {
    if (!isSecret(key)) return value
    if (!value.isWellFormed() || !key.isWellFormed())
      throw badRequest('keys and values of the storage must be well-formed strings')
    return seal(keys(), key, value)
  }
  const opened = (record: StoredRecord): StoredRecord =>
    isSecret(record.key) ? { ...record, value: unseal(keys(), record.key, record.value) } : record
  const openedIfPossible = (record: StoredRecord): StoredRecord => {
    try {
      return opened(record)
    } catch (error) {
      onUnreadable(error)
      return record
    }
  }
  const openedResult = (result: WriteResult): WriteResult =>
    result.ok || result.current === undefined
      ? result
      : { ok: false, current: openedIfPossible(result.current) }
  const openedEvent = (event: StoredEvent): StoredEvent => ({
    ...event,
    record: openedIfPossible(event.record),
  })
  return {
    async create(key, value) {
      return openedResult(await storage.create(key, close(key, value)))
    },
    async update(key, value, expected) {
      return openedResult(await storage.update(key, close(key, value), expected))
    },
    async delete(key, expected) {
      return openedResult(await storage.delete(key, expected))
    },
    async get(key) {
      const record = await storage.get(key)
      return record === undefined ? undefined : opened(record)
    },
    async list(prefix, listOptions) {
      const result = await storage.list(prefix, listOptions)
      return { ...result, records: result.records.map(openedIfPossible) }
    },
    async *watch(prefix, after, signal) {
      for await (const events of storage.watch(prefix, after, signal)) yield events.map(openedEvent)
    },
    revisions: () => storage.revisions(),
    compact: (revision) => storage.compact(revision),
    close: () => storage.close(),
  }
}

export interface Resealed {
  readonly rewritten: number
  /** Of those, how many were plain. */
  readonly plain: number
  /** Values that do not open, left as they are; one sentence each. */
  readonly unreadable: readonly unknown[]
}

/**
 * Writes every value under the prefixes again that the first key has not sealed. Each is replaced by compare and swap:
 * a value that somebody changes meanwhile has been sealed by that. May be broken off anywhere and called again.
 * `storage` is the one below `encrypted`.
 */
export async function reseal(storage: Storage, options: SealingOptions): Promise<Resealed> {
  const { keys } = options
  let rewritten = 0
  let plain = 0
  const unreadable: unknown[] = []
  for await (const { key, value, revision } of sealable(storage, options)) {
    const id = sealedWith(value)
    if (id === keys()[0].id) continue
    const opened = tryUnseal(keys(), key, value)
    if ('error' in opened) {
      unreadable.push(opened.error)
      continue
    }
    const result = await storage.update(key, seal(keys(), key, opened.value), revision)
    if (!result.ok) continue
    rewritten++
    if (id === undefined) plain++
  }
  return { rewritten, plain, unreadable }
}

function tryUnseal(keys: Keyring, key: string, value: string): { value: string } | { error: unknown } {
  try {
    return { value: unseal(keys, key, value) }
  } catch (error) {
    return { error }
  }
}

/** How many values each key has sealed, by id; plain ones under the empty id. */
export async function keysInUse(
  storage: Storage,
  options: Pick<SealingOptions, 'prefixes'>,
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>()
  for await (const { value } of sealable(storage, options)) {
    const id = sealedWith(value) ?? ''
    counts.set(id, (counts.get(id) ?? 0) + 1)
  }
  return counts
}

const pageSize = 500

async function* sealable(
  storage: Storage,
  { prefixes }: Pick<SealingOptions, 'prefixes'>,
): AsyncGenerator<StoredRecord, undefined> {
  for (const prefix of prefixes) {
    let after: string | undefined
    for (let more = true; more; ) {
      // Each page as of now and not of the first: whatever is written meanwhile is sealed with the first key already.
      const { records, remaining } = await storage.list(prefix, {
        limit: pageSize,
        uncounted: true,
        ...(after !== undefined && { after }),
      })
      yield* records
      after = records.at(-1)?.key
      more = remaining > 0 && after !== undefined
    }
  }
  return undefined
}
