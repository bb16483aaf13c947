/**
 * Keeps the node's copy on disk up to date: soon after a change, not more often than once a second, and at once when
 * something was deleted, so that it does not come back. A disk that cannot be written is told and tried again; the node
 * works all the same.
 */
import { createHash } from 'node:crypto'
import { type Ambient, pause } from '#pkg/apimachinery/ambient.ts'
import { messageOf } from '#pkg/apimachinery/errors.ts'
import { type DesiredCopy, decodeCopy, encodeCopy, hasLost, type NodeCopy } from './nodecopy.ts'
import type { CopyStore } from './nodecopyfile.ts'

export interface CopyKeeperOptions {
  readonly store: CopyStore
  readonly ambient: Ambient
  readonly nodeName: string
}

const leastPause = 1000
/** A large copy on a slow disk takes at most this part of the time. */
const mostOfTime = 1 / 20
const afterFailure = { first: 1000, most: 60_000 }

export class CopyKeeper {
  readonly #options: CopyKeeperOptions
  #offered: NodeCopy | undefined
  /** What the last offer wanted, to see deletions. */
  #last: DesiredCopy | undefined
  #urgent = new AbortController()
  #wake: () => void = () => {}
  /** Hash of what lies on the disk. */
  #saved = ''

  constructor(options: CopyKeeperOptions) {
    this.#options = options
  }

  /** What an earlier run kept; undefined when there is nothing, or nothing that can be used, which the log tells. */
  async load(): Promise<NodeCopy | undefined> {
    const { store, ambient, nodeName } = this.#options
    try {
      const text = await store.load()
      if (text === undefined) return undefined
      const copy = decodeCopy(text, nodeName)
      this.#saved = hashOf(text)
      this.#last = copy.desired
      return copy
    } catch (error) {
      ambient.log.warn('the copy of the desired state cannot be used: the server is waited for', {
        path: store.path,
        error: messageOf(error),
      })
      return undefined
    }
  }

  /** From now on the disk should hold this. */
  offer(copy: NodeCopy): void {
    const lost = hasLost(this.#last, copy.desired)
    this.#last = copy.desired
    this.#offered = copy
    if (lost) this.#urgent.abort()
    this.#wake()
  }

  /** Writes until the signal aborts, and then what was offered last. */
  async run(signal: AbortSignal): Promise<void> {
    const { ambient } = this.#options
    let failures = 0
    while (!signal.aborted) {
      await this.#untilOffered(signal)
      const began = ambient.clock.now()
      this.#urgent = new AbortController()
      failures = (await this.#save()) ? 0 : failures + 1
      const took = ambient.clock.now() - began
      const rest = failures === 0 ? Math.max(leastPause, took / mostOfTime) : pauseAfter(failures)
      const until = failures === 0 ? AbortSignal.any([signal, this.#urgent.signal]) : signal
      await pause(ambient.clock, rest, until)
    }
    if (this.#offered !== undefined) await this.#save()
  }

  /** False when it could not be written. */
  async #save(): Promise<boolean> {
    const { store, ambient } = this.#options
    const copy = this.#offered
    this.#offered = undefined
    if (copy === undefined) return true
    const text = encodeCopy(copy)
    const hash = hashOf(text)
    if (hash === this.#saved) return true
    try {
      await store.save(text)
      this.#saved = hash
      return true
    } catch (error) {
      this.#offered ??= copy
      const message =
        'the copy of the desired state cannot be written: after a reboot this node needs its server'
      ambient.log.warn(message, { path: store.path, error: messageOf(error) })
      return false
    }
  }

  #untilOffered(signal: AbortSignal): Promise<void> {
    if (this.#offered !== undefined || signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const done = () => {
        signal.removeEventListener('abort', done)
        this.#wake = () => {}
        resolve()
      }
      this.#wake = done
      signal.addEventListener('abort', done, { once: true })
    })
  }
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function pauseAfter(failures: number): number {
  return Math.min(afterFailure.most, afterFailure.first * 2 ** (failures - 1))
}
