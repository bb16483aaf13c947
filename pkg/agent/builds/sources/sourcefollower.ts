/**
 * Asks the places that contexts come from what they have now: at once when it is not known, then at intervals, a few at a
 * time. What was known before stays beside a failure, after which it asks again sooner, later each time.
 */
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import { messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import { makeSlots, type Slots } from '#pkg/plan/execute.ts'
import { isAhead } from '../../ahead.ts'
import { numberOf } from '../../image.ts'
import type { ContextSource, SourceAnswer } from '../port.ts'

/** What one Build wants to know. */
export interface SourceQuestion {
  readonly uid: string
  /** Changes with everything that makes an answer of before none. */
  readonly key: string
  /** Changes with everything that is a reason to ask again, while what was found still counts. */
  readonly stamp?: string
  /** Who asks for it, for the answer; a reason to ask again, too. */
  readonly request?: string
  /** ms. */
  readonly interval: number
  /** Absent: one answer will do until somebody pokes. */
  readonly again: boolean
  /** `before`: what was found last. */
  readonly ask: (signal: AbortSignal, before: ContextSource | undefined) => Promise<ContextSource>
}

export interface SourceFollowerOptions {
  readonly clock: Clock
  /** Something was answered. */
  readonly onAnswer: () => void
}

interface Known extends SourceAnswer {
  readonly key: string
  readonly stamp: string | undefined
  /** In a row. */
  readonly failures: number
}

const asksAtOnce = 4
/** ms. */
const firstRetry = 10_000
/** What a place says of a poke that comes while it is asked may be of before: so it is asked again. */
type UnderWay = { readonly asked: Promise<void>; again: boolean }

export class SourceFollower {
  readonly #options: SourceFollowerOptions
  readonly #slots: Slots = makeSlots(asksAtOnce)
  readonly #abort = new AbortController()
  readonly #known = new Map<string, Known>()
  readonly #underWay = new Map<string, UnderWay>()
  readonly #poked = new Set<string>()
  #questions: ReadonlyMap<string, SourceQuestion> = new Map()
  #cancel: () => void = () => {}

  constructor(options: SourceFollowerOptions) {
    this.#options = options
  }

  /** By uid; only answers to what is asked now. */
  answers(): ReadonlyMap<string, SourceAnswer> {
    const current = [...this.#known].filter(([uid, { key }]) => this.#questions.get(uid)?.key === key)
    return new Map(
      current.map(([uid, { key: _key, stamp: _stamp, failures: _failures, ...answer }]) => [uid, answer]),
    )
  }

  /** These are asked from now on, and no others. */
  follow(questions: readonly SourceQuestion[]): void {
    if (this.#abort.signal.aborted) return
    this.#questions = new Map(questions.map((question) => [question.uid, question]))
    for (const uid of this.#known.keys()) if (!this.#questions.has(uid)) this.#known.delete(uid)
    for (const uid of this.#poked) if (!this.#questions.has(uid)) this.#poked.delete(uid)
    this.#begin()
  }

  /** Asks it at once, whatever is known: somebody says that something has moved. */
  poke(uid: string): void {
    const underWay = this.#underWay.get(uid)
    if (underWay !== undefined) underWay.again = true
    this.#poked.add(uid)
    this.#begin()
  }

  /** ms since the epoch; undefined when it is not asked again by itself. */
  nextAskAt(uid: string): number | undefined {
    const question = this.#questions.get(uid)
    const at = question === undefined ? Number.POSITIVE_INFINITY : this.#dueAt(question)
    return Number.isFinite(at) ? at : undefined
  }

  /** Breaks off what is under way; resolves when nothing is. */
  async close(): Promise<void> {
    this.#cancel()
    this.#abort.abort(new Error('the agent ends'))
    await Promise.all([...this.#underWay.values()].map(({ asked }) => asked))
  }

  #begin(): void {
    this.#cancel()
    if (this.#abort.signal.aborted) return
    const now = this.#options.clock.now()
    let next = Number.POSITIVE_INFINITY
    for (const question of this.#questions.values()) {
      if (this.#underWay.has(question.uid)) continue
      const at = this.#dueAt(question)
      if (at <= now) this.#start(question)
      else next = Math.min(next, at)
    }
    if (Number.isFinite(next)) this.#cancel = this.#options.clock.after(next - now, () => this.#begin())
  }

  #dueAt({ uid, key, stamp, request, interval, again }: SourceQuestion): number {
    const now = this.#options.clock.now()
    const known = this.#known.get(uid)
    if (known === undefined || known.key !== key || this.#poked.has(uid)) return now
    if (known.stamp !== stamp || known.request !== request || isAhead(known.at, now)) return now
    if (known.failures > 0) return known.at + Math.min(interval, firstRetry * 2 ** (known.failures - 1))
    return again ? known.at + spread(interval, uid) : Number.POSITIVE_INFINITY
  }

  #start(question: SourceQuestion): void {
    const { uid } = question
    this.#poked.delete(uid)
    const asked = this.#ask(question).finally(() => {
      const isPoked = this.#underWay.get(uid)?.again === true
      this.#underWay.delete(uid)
      if (isPoked) this.#poked.add(uid)
      this.#begin()
    })
    this.#underWay.set(uid, { asked, again: false })
  }

  async #ask(question: SourceQuestion): Promise<void> {
    const { uid, key } = question
    const free = await this.#slots.take()
    try {
      const isWanted = () => !this.#abort.signal.aborted && this.#questions.get(uid)?.key === key
      if (!isWanted()) return
      const known = this.#known.get(uid)
      const before = known?.key === key ? known : undefined
      const answer = await this.#answerOf(question, before)
      if (!isWanted()) return
      this.#known.set(uid, answer)
      this.#options.onAnswer()
    } finally {
      free()
    }
  }

  async #answerOf({ key, stamp, request, ask }: SourceQuestion, before: Known | undefined): Promise<Known> {
    const { clock } = this.#options
    const asked = { key, stamp, ...(request !== undefined && { request }) }
    try {
      const source = await ask(this.#abort.signal, before?.source)
      return { ...asked, source, at: clock.now(), failures: 0 }
    } catch (error) {
      return {
        ...asked,
        ...(before?.source !== undefined && { source: before.source }),
        at: clock.now(),
        failures: (before?.failures ?? 0) + 1,
        failure: failureOf(error),
      }
    }
  }
}

function failureOf(error: unknown): NonNullable<SourceAnswer['failure']> {
  const reason = error instanceof StatusError ? error.reason : 'SourceUnavailable'
  return { reason, message: messageOf(error) }
}

/** Builds that came together do not ask together for ever: each is up to a tenth earlier, always the same. */
function spread(interval: number, uid: string): number {
  return interval - (interval * (numberOf(uid, 8) % 100)) / 1000
}
