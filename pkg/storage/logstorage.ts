/**
 * The caller's side of the log: the storage port over a channel to a logserver.ts, in a worker or in place. Collects
 * what is asked in one turn of the event loop into one batch, matches answers to questions by their order, and
 * hands the changes of each commit to the watches.
 */
import { badRequest, StatusError } from '#pkg/apimachinery/errors.ts'
import {
  type Answer,
  type Batch,
  type Call,
  errorOf,
  type Page,
  type Reply,
  type Write,
  type WriteOutcome,
} from './logprotocol.ts'
import type { FileStorage, ListOptions, ListResult, StoredEvent, StoredRecord, WriteResult } from './port.ts'
import { Subscriber } from './subscriber.ts'

export interface Channel {
  /** Posts a batch; its answers come to `deliver`, later and in order. */
  post(batch: Batch): void
  /** After the log has answered `close`: resolves when its side is gone. */
  ended(): Promise<void>
}

interface PendingWrite extends Write {
  readonly resolve: (result: WriteResult) => void
  readonly reject: (error: StatusError) => void
}

interface PendingCall {
  readonly call: Call
  readonly settle: (answer: Answer) => void
  readonly reject: (error: StatusError) => void
}

type AnswerTo<Op extends Answer['op']> = Extract<Answer, { op: Op }>

export class LogStorage implements FileStorage {
  readonly #channel: Channel
  readonly #maxUnread: number
  readonly #subscribers = new Set<Subscriber>()
  #writes: PendingWrite[] = []
  #calls: PendingCall[] = []
  #sentWrites: PendingWrite[] = []
  #sentCalls: PendingCall[] = []
  #flushing = false
  #failure: StatusError | undefined
  #closed: Promise<void> | undefined

  constructor(channel: Channel, options: { readonly maxUnread: number }) {
    this.#channel = channel
    this.#maxUnread = options.maxUnread
  }

  create(key: string, value: string): Promise<WriteResult> {
    return this.#write({ kind: 'create', key, value, expected: 0 })
  }

  update(key: string, value: string, expected: number): Promise<WriteResult> {
    return this.#write({ kind: 'update', key, value, expected })
  }

  delete(key: string, expected: number): Promise<WriteResult> {
    return this.#write({ kind: 'delete', key, value: '', expected })
  }

  async get(key: string): Promise<StoredRecord | undefined> {
    wellFormed(key)
    return (await this.#call({ op: 'get', key }, 'get')).record
  }

  async list(prefix: string, options: ListOptions = {}): Promise<ListResult> {
    wellFormed(prefix)
    return (await this.#call({ op: 'list', prefix, options }, 'list')).list
  }

  async revisions(): Promise<{ current: number; compacted: number }> {
    const { current, compacted } = await this.#call({ op: 'revisions' }, 'revisions')
    return { current, compacted }
  }

  async compact(revision: number): Promise<void> {
    for (let done = false; !done; ) done = (await this.#call({ op: 'compact', revision }, 'compact')).done
  }

  async copyTo(path: string): Promise<void> {
    await this.#call({ op: 'copy', path }, 'copy')
  }

  async scrub(): Promise<void> {
    await this.#call({ op: 'scrub' }, 'scrub')
  }

  async *watch(prefix: string, after: number, signal: AbortSignal): AsyncGenerator<readonly StoredEvent[]> {
    wellFormed(prefix)
    const subscriber = new Subscriber(prefix, this.#maxUnread)
    try {
      let page: Page = { events: [], upTo: after, last: false }
      while (!page.last) {
        if (signal.aborted) return
        page = await this.#backlog(prefix, page.upTo, subscriber)
        if (page.events.length > 0 && !signal.aborted) yield page.events
      }
      yield* subscriber.read(signal)
    } finally {
      this.#subscribers.delete(subscriber)
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  /** The channel brings what one commit and the calls after it came to. */
  deliver(reply: Reply): void {
    this.#deliverWrites(reply.writes)
    const calls = this.#sentCalls.splice(0, reply.calls.length)
    for (const [index, pending] of calls.entries()) {
      const answer = reply.calls[index]
      if (answer === undefined) continue
      if (answer.op === 'failed') pending.reject(errorOf(answer.failure))
      else pending.settle(answer)
    }
  }

  /** The other side is gone: whatever is open fails, and so does whatever comes. Whether open writes happened is unknown. */
  fail(error: StatusError): void {
    this.#failure ??= error
    const open = [this.#sentWrites, this.#writes, this.#sentCalls, this.#calls].flat()
    this.#sentWrites = []
    this.#writes = []
    this.#sentCalls = []
    this.#calls = []
    for (const pending of open) pending.reject(error)
    for (const subscriber of this.#subscribers) subscriber.fail(error)
    this.#subscribers.clear()
  }

  async #close(): Promise<void> {
    if (this.#failure !== undefined) return
    const answered = this.#call({ op: 'close' }, 'close')
    this.#failure = new StatusError('ServiceUnavailable', 'the storage is closed')
    try {
      await answered
    } finally {
      this.fail(this.#failure)
      await this.#channel.ended()
    }
  }

  /**
   * The next page. In the moment the last one arrives the subscriber goes live: commits answered before are in the
   * page, commits answered later are not, so nothing is missed and nothing comes twice.
   */
  async #backlog(prefix: string, after: number, subscriber: Subscriber): Promise<Page> {
    const onArrival = (answer: AnswerTo<'since'>) => {
      if (answer.page.last) this.#subscribers.add(subscriber)
    }
    return (await this.#call({ op: 'since', prefix, after }, 'since', onArrival)).page
  }

  #deliverWrites(writes: Reply['writes']): void {
    if ('failure' in writes) {
      const error = errorOf(writes.failure)
      for (const pending of this.#sentWrites.splice(0, writes.count)) pending.reject(error)
      return
    }
    const pendings = this.#sentWrites.splice(0, writes.length)
    const events: StoredEvent[] = []
    for (const [index, pending] of pendings.entries()) {
      const outcome = writes[index]
      if (outcome === undefined) continue
      if (outcome.revision !== 0) events.push(eventOf(pending, outcome))
      pending.resolve(resultOf(outcome))
    }
    if (events.length > 0) this.#publish(events)
  }

  #publish(events: readonly StoredEvent[]): void {
    for (const subscriber of this.#subscribers) {
      if (!subscriber.push(events)) this.#subscribers.delete(subscriber)
    }
  }

  #write(write: Write): Promise<WriteResult> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) throw this.#failure
      wellFormed(write.key)
      wellFormed(write.value)
      this.#writes.push({ ...write, resolve, reject })
      this.#flushSoon()
    })
  }

  #call<Op extends Answer['op']>(
    call: Call,
    op: Op,
    onArrival: (answer: AnswerTo<Op>) => void = () => {},
  ): Promise<AnswerTo<Op>> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) throw this.#failure
      const settle = (answer: Answer) => {
        if (!answers(answer, op)) throw new Error(`asked ${op}, got an answer to ${answer.op}`)
        onArrival(answer)
        resolve(answer)
      }
      this.#calls.push({ call, settle, reject })
      this.#flushSoon()
    })
  }

  /** At the end of this turn: callers woken by the same reply ask again in the same batch. */
  #flushSoon(): void {
    if (this.#flushing) return
    this.#flushing = true
    queueMicrotask(() => this.#flush())
  }

  #flush(): void {
    this.#flushing = false
    const writes = this.#writes
    const calls = this.#calls
    if (writes.length + calls.length === 0) return
    this.#writes = []
    this.#calls = []
    this.#sentWrites.push(...writes)
    this.#sentCalls.push(...calls)
    this.#channel.post({ writes: writes.map(bare), calls: calls.map((pending) => pending.call) })
  }
}

function bare({ kind, key, value, expected }: PendingWrite): Write {
  return { kind, key, value, expected }
}

function answers<Op extends Answer['op']>(answer: Answer, op: Op): answer is AnswerTo<Op> {
  return answer.op === op
}

function resultOf(outcome: WriteOutcome): WriteResult {
  if ('current' in outcome) return { ok: false, current: outcome.current }
  return { ok: true, revision: outcome.revision }
}

/** Values cross between the threads once: the writer's side still has what it wrote. */
function eventOf(write: Write, outcome: WriteOutcome): StoredEvent {
  const { key, kind } = write
  if (kind === 'delete') {
    const value = 'value' in outcome ? (outcome.value ?? '') : ''
    return { type: 'delete', record: { key, value, revision: outcome.revision } }
  }
  return {
    type: 'put',
    record: { key, value: write.value, revision: outcome.revision },
    created: kind === 'create',
  }
}

/** SQLite keeps UTF-8: a lone surrogate would come back as another string, and two keys could become one. */
function wellFormed(text: string): void {
  if (!text.isWellFormed()) throw badRequest('keys and values of the storage must be well-formed strings')
}
