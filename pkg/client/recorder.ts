/**
 * Events about objects, as kubectl shows them. The same event again within the hour counts up instead of piling
 * up. Recording never holds anybody up: events wait in a bounded queue, with their own times, until the server takes
 * them. While they wait, one that happens again counts up, and many of one kind about one object become one; when there
 * are too many all the same, the oldest go, and that is told as an event too.
 */
import { createHash } from 'node:crypto'
import { type Ambient, pause } from '#pkg/apimachinery/ambient.ts'
import { isReason, messageOf } from '#pkg/apimachinery/errors.ts'
import { type KubeObject, timestamp } from '#pkg/apimachinery/meta.ts'
import { type Event, eventKind } from '#pkg/apis/event.ts'
import type { EventReason } from '#pkg/apis/eventreasons.ts'
import type { Client } from './rest.ts'
import { mayTakeLater } from './serverlink.ts'

type Subject = Pick<KubeObject, 'apiVersion' | 'kind' | 'metadata'>

export interface EventNote {
  readonly object: Subject
  readonly type: 'Normal' | 'Warning'
  readonly reason: EventReason
  readonly message: string
}

export interface RecorderOptions {
  readonly client: Client
  readonly ambient: Ambient
  readonly source: { readonly component: string; readonly host?: string }
  /** What an event about dropped events is about; absent: only the log tells. */
  readonly self?: Subject
  /** The server has taken all that waited. */
  readonly onDrained?: () => void
}

const mostWaiting = 1000
/** Different messages of one reason about one object that wait beside each other; what comes then counts together. */
const mostSimilar = 10
const mostRemembered = 4096
const longestMessage = 1024
const backoff = { first: 500, most: 10_000 }
interface Waiting {
  readonly event: Event
  /** Object, type and reason: events that have it in common are similar. */
  readonly family: string
}

export class EventRecorder {
  readonly #options: RecorderOptions
  /** By the name of the event, oldest first. */
  #waiting = new Map<string, Waiting>()
  /** Name of the event object to how often it happened, oldest first. */
  readonly #counts = new Map<string, number>()
  #dropped = 0
  #wake: () => void = () => {}
  #rest = new AbortController()

  constructor(options: RecorderOptions) {
    this.#options = options
  }

  record(note: EventNote): void {
    this.#keep(this.#toWaiting(note))
    this.#wake()
  }

  /** What the server has not taken yet, oldest first. */
  backlog(): readonly Event[] {
    return [...this.#waiting.values()].map(({ event }) => event)
  }

  /** Takes up the backlog of an earlier run; before `run`. */
  restore(events: readonly Event[]): void {
    for (const event of events) this.#keep({ event, family: familyOf(event) })
  }

  /** The server is back: what waits is not to wait any longer. */
  retryNow(): void {
    this.#rest.abort()
  }

  /** Writes what is recorded until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { ambient } = this.#options
    for (let failures = 0; !signal.aborted; ) {
      const [next] = this.#waiting
      if (next === undefined) {
        await this.#untilRecorded(signal)
        continue
      }
      this.#waiting.delete(next[0])
      failures = (await this.#write(next[1].event, signal)) ? 0 : failures + 1
      if (failures === 0) {
        if (this.#waiting.size === 0) this.#options.onDrained?.()
        continue
      }
      this.#putBack(next[1])
      const delay = Math.min(backoff.most, backoff.first * 2 ** (failures - 1))
      this.#rest = new AbortController()
      const until = AbortSignal.any([signal, this.#rest.signal])
      await pause(ambient.clock, delay * (0.75 + ambient.random.next() / 2), until)
    }
  }

  #keep(waiting: Waiting): void {
    const { name } = waiting.event.metadata
    const before = this.#waiting.get(name)
    if (before !== undefined) {
      this.#waiting.set(name, { ...waiting, event: together(before.event, waiting.event) })
      return
    }
    const similar = [...this.#waiting.values()].filter(({ family }) => family === waiting.family)
    if (similar.length > mostSimilar && !isCombined(waiting.event)) {
      this.#keep({ ...waiting, event: combined(waiting.event) })
      return
    }
    this.#waiting.set(name, waiting)
    if (this.#waiting.size <= mostWaiting) return
    const [oldest] = this.#waiting
    if (oldest === undefined) return
    this.#waiting.delete(oldest[0])
    this.#dropped += oldest[1].event.count ?? 1
  }

  /** To where it was, together with what happened meanwhile. */
  #putBack(failed: Waiting): void {
    const { name } = failed.event.metadata
    const since = this.#waiting.get(name)
    this.#waiting.delete(name)
    const whole = since === undefined ? failed : { ...since, event: together(failed.event, since.event) }
    this.#waiting = new Map([[name, whole], ...this.#waiting])
  }

  /** False when it should be tried again later. */
  async #write(event: Event, signal: AbortSignal): Promise<boolean> {
    const { log } = this.#options.ambient
    try {
      await this.#createOrCount(event, signal)
      this.#tellDropped()
      return true
    } catch (error) {
      if (signal.aborted) return false
      const fields = { reason: event.reason, message: event.message, error: messageOf(error) }
      if (mayTakeLater(error)) {
        log.debug('event not written yet', fields)
        return false
      }
      log.warn('event not written', fields)
      return true
    }
  }

  #tellDropped(): void {
    if (this.#dropped === 0) return
    const { ambient, self } = this.#options
    const count = this.#dropped
    this.#dropped = 0
    const message = 'events dropped: there were more than the server could be told'
    ambient.log.warn(message, { count })
    if (self !== undefined)
      this.record({ object: self, type: 'Warning', reason: 'EventsDropped', message: `${count} ${message}` })
  }

  async #createOrCount(event: Event, signal: AbortSignal): Promise<void> {
    const { client } = this.#options
    const { name } = event.metadata
    const { lastTimestamp, message, count: more = 1 } = event
    const before = this.#counts.get(name) ?? 0
    if (before > 0) {
      try {
        const count = before + more
        await client.patch(eventKind, event.metadata, { count, lastTimestamp, message }, signal)
        this.#remember(name, count)
        return
      } catch (error) {
        // It was kept for an hour and is gone: it begins anew.
        if (!isReason(error, 'NotFound')) throw error
      }
    }
    await this.#create(event, signal)
  }

  async #create(event: Event, signal: AbortSignal): Promise<void> {
    const { client } = this.#options
    const { name } = event.metadata
    try {
      await client.create(eventKind, event, signal)
      this.#remember(name, event.count ?? 1)
    } catch (error) {
      // Written by an earlier run of this program: go on counting where it ended.
      if (!isReason(error, 'AlreadyExists')) throw error
      const existing = await client.get(eventKind, event.metadata, signal)
      this.#remember(name, existing.count ?? 1)
      await this.#createOrCount(event, signal)
    }
  }

  #remember(name: string, count: number): void {
    this.#counts.delete(name)
    this.#counts.set(name, count)
    const oldest = this.#counts.keys().next()
    if (this.#counts.size > mostRemembered && oldest.done !== true) this.#counts.delete(oldest.value)
  }

  #toWaiting({ object, type, reason, message: whole }: EventNote): Waiting {
    const { apiVersion, kind, metadata } = object
    const at = timestamp(this.#options.ambient.clock.now())
    const event: Event = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { namespace: metadata.namespace ?? 'default', name: '' },
      involvedObject: {
        apiVersion,
        kind,
        name: metadata.name,
        ...(metadata.namespace !== undefined && { namespace: metadata.namespace }),
        ...(metadata.uid !== undefined && { uid: metadata.uid }),
      },
      reason,
      message: whole.slice(0, longestMessage),
      type,
      count: 1,
      firstTimestamp: at,
      lastTimestamp: at,
      source: this.#options.source,
    }
    return { event: named(event, event.message), family: familyOf(event) }
  }

  #untilRecorded(signal: AbortSignal): Promise<void> {
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

function familyOf({ involvedObject, type, reason }: Event): string {
  const { kind, namespace, name, uid } = involvedObject
  return [kind, namespace, name, uid, type, reason].join('\n')
}

const combinedMark = '(combined from similar events): '

function isCombined({ message }: Event): boolean {
  return message?.startsWith(combinedMark) === true
}

/** The one that stands for all further ones of its family, with the newest message. */
function combined(event: Event): Event {
  const message = `${combinedMark}${event.message}`.slice(0, longestMessage)
  return named({ ...event, message }, combinedMark)
}

/** By its name an event is known again; `content` is what makes it another one than others about the object. */
function named(event: Event, content: string | undefined): Event {
  const { uid, name = '' } = event.involvedObject
  const identity = [uid, event.type, event.reason, content].join('\n')
  const hash = createHash('sha256').update(identity).digest('hex')
  // The whole must stay a name: at most 253 characters, no dash before a dot.
  const prefix = name.slice(0, 236).replace(/[-.]+$/, '')
  return { ...event, metadata: { ...event.metadata, name: `${prefix}.${hash.slice(0, 16)}` } }
}

/** One that happened before and again since. */
function together(before: Event, since: Event): Event {
  const { firstTimestamp } = before
  return {
    ...since,
    count: (before.count ?? 1) + (since.count ?? 1),
    ...(firstTimestamp !== undefined && { firstTimestamp }),
  }
}
