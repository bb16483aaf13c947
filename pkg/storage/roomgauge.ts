/**
 * Knows whether the store has found its disk full: since the last write that failed for it, until a write succeeds or
 * there is room again. Reads are not asked.
 */
import { isReason, StatusError } from '#pkg/apimachinery/errors.ts'
import type { FileStorage } from './port.ts'

export interface RoomGauge {
  /** The same store, watched. */
  readonly storage: FileStorage
  /** Rejects with NoSpace while the store cannot be written for want of room. */
  check(): Promise<void>
}

/** With less than this even a small write may not fit with what the store needs beside it. */
const leastRoomBytes = 4 * 1024 * 1024

/** `freeBytes`: of the disk that the store is on. */
export function gaugeRoom(storage: FileStorage, freeBytes: () => Promise<number>): RoomGauge {
  let refusal: StatusError | undefined
  const noted = async <T>(write: Promise<T>): Promise<T> => {
    try {
      const result = await write
      refusal = undefined
      return result
    } catch (error) {
      if (isReason(error, 'NoSpace')) refusal = error
      throw error
    }
  }
  return {
    storage: {
      create: (key, value) => noted(storage.create(key, value)),
      update: (key, value, expected) => noted(storage.update(key, value, expected)),
      delete: (key, expected) => noted(storage.delete(key, expected)),
      get: (key) => storage.get(key),
      list: (prefix, options) => storage.list(prefix, options),
      watch: (prefix, after, signal) => storage.watch(prefix, after, signal),
      revisions: () => storage.revisions(),
      compact: (revision) => storage.compact(revision),
      copyTo: (path) => storage.copyTo(path),
      scrub: () => storage.scrub(),
      close: () => storage.close(),
    },
    async check() {
      if (refusal === undefined) return
      const free = await freeBytes()
      if (free >= leastRoomBytes) return
      throw new StatusError('NoSpace', `${refusal.message}; ${free} bytes are free`)
    },
  }
}
