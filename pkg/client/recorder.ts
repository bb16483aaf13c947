/**
 * Events about objects, as kubectl shows them. The same event again within the hour counts up instead of piling
 * up. Recording never holds anybody up: events wait in a bounded queue, and one that cannot be written is logged.
 */
import { createHash } from 'node:crypto'
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import { isReason, messageOf } from '#pkg/apimachinery/errors.ts'
import { type KubeObject, timestamp } from '#pkg/apimachinery/meta.ts'
import { type Event, eventKind } from '#pkg/apis/event.ts'
import type { Client } from './rest.ts'

export interface EventNote {
  readonly object: Pick<KubeObject, 'apiVersion' | 'kind' | 'metadata'>
  readonly type: 'Normal' | 'Warning'
  readonly reason: string
  readonly message: string
}

const mostWaiting = 1000
const mostRemembered = 4096
const longestMessage = 1024

export class EventRecorder {
  readonly #client: Client
  readonly #ambient: Ambient
  readonly #source: { component: string; host?: string }
  readonly #waiting: EventNote[] = []
  /** Name of the event object to how often it happened, oldest first. */
  readonly #counts = new Map<string, number>()
  #dropped = 0
  #wake: () => void = () => {}

  constructor(options: { client: Client; ambient: Ambient; source: { component: string; host?: string } }) {
    this.#client = options.client
    this.#ambient = options.ambient
    this.#source = options.source
  }

  record(note: EventNote): void {
    if (this.#waiting.length >= mostWaiting) this.#dropped++
    else this.#waiting.push(note)
    this.#wake()
  }

  /** Writes what is recorded until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const note = this.#waiting.shift()
      if (note === undefined) await this.#untilRecorded(signal)
      else await this.#write(note, signal)
    }
  }

  async #write(note: EventNote, signal: AbortSignal): Promise<void> {
    if (this.#dropped > 0) {
      this.#ambient.log.warn('events dropped: they came faster than they could be written', {
        count: this.#dropped,
      })
      this.#dropped = 0
    }
    const event = this.#toEvent(note)
    try {
      await this.#createOrCount(event, signal)
    } catch (error) {
      if (signal.aborted) return
      const { reason, message } = note
      this.#ambient.log.warn('event not written', { reason, message, error: messageOf(error) })
    }
  }

  async #createOrCount(event: Event, signal: AbortSignal): Promise<void> {
    const { name } = event.metadata
    const count = (this.#counts.get(name) ?? 0) + 1
    if (count > 1) {
      try {
        const patch = { count, lastTimestamp: event.lastTimestamp }
        await this.#client.patch(eventKind, event.metadata, patch, signal)
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
    const { name } = event.metadata
    try {
      await this.#client.create(eventKind, event, signal)
      this.#remember(name, 1)
    } catch (error) {
      // Written by an earlier run of this program: go on counting where it ended.
      if (!isReason(error, 'AlreadyExists')) throw error
      const existing = await this.#client.get(eventKind, event.metadata, signal)
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

  #toEvent({ object, type, reason, message: whole }: EventNote): Event {
    const { apiVersion, kind, metadata } = object
    const message = whole.slice(0, longestMessage)
    const at = timestamp(this.#ambient.clock.now())
    const namespace = metadata.namespace ?? 'default'
    const hash = createHash('sha256').update([metadata.uid, type, reason, message].join('\n')).digest('hex')
    // The whole must stay a name: at most 253 characters, no dash before a dot.
    const prefix = metadata.name.slice(0, 236).replace(/[-.]+$/, '')
    return {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { namespace, name: `${prefix}.${hash.slice(0, 16)}` },
      involvedObject: {
        apiVersion,
        kind,
        name: metadata.name,
        ...(metadata.namespace !== undefined && { namespace: metadata.namespace }),
        ...(metadata.uid !== undefined && { uid: metadata.uid }),
      },
      reason,
      message,
      type,
      count: 1,
      firstTimestamp: at,
      lastTimestamp: at,
      source: this.#source,
    }
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
