/**
 * Asks registries about Images that follow them, when the plan says so, a few at a time, and holds what they said until the
 * next plan takes it in. A check is one HEAD of a tag, after a list of the tags where versions are followed; nothing is
 * pulled. A failure is an answer too.
 */
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import { messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import { parseReference } from '#pkg/apimachinery/reference.ts'
import { makeSlots, type Slots } from '#pkg/plan/execute.ts'
import type { Asking, Credentials, RegistryClient } from '#pkg/registry/port.ts'
import { isAhead } from '../ahead.ts'
import type { Question, RegistryAnswer } from './update.answer.ts'
import { newestTag } from './versions.ts'

/** One question of one Image. */
export interface UpdateCheck {
  readonly uid: string
  readonly question: Question
  /** ms since the epoch. */
  readonly askAt: number
  readonly request?: string
  /** Stands for the credentials. */
  readonly askedWith?: string
  /** As they are when it is asked. */
  readonly credentials: (signal: AbortSignal) => Promise<readonly Credentials[]>
}

interface Rest {
  readonly from: number
  readonly until: number
  readonly refusal: StatusError
}

export interface UpdateCheckerOptions {
  readonly clock: Clock
  readonly registry: RegistryClient
  /** Something was answered. */
  readonly onAnswer: () => void
}

const checksAtOnce = 4
/** ms; of all that a check asks. */
const patience = 60_000

export class UpdateChecker {
  readonly #options: UpdateCheckerOptions
  readonly #slots: Slots = makeSlots(checksAtOnce)
  readonly #abort = new AbortController()
  /** By uid of the Image. */
  readonly #answers = new Map<string, RegistryAnswer>()
  readonly #underWay = new Map<string, Promise<void>>()
  /** Registries that want to be left alone: from when until when, and what they said; ms since the epoch. */
  readonly #resting = new Map<string, Rest>()
  #checks: ReadonlyMap<string, UpdateCheck> = new Map()
  #cancel: () => void = () => {}

  constructor(options: UpdateCheckerOptions) {
    this.#options = options
  }

  /** What was said last, by uid of the Image. */
  answers(): ReadonlyMap<string, RegistryAnswer> {
    return this.#answers
  }

  /** These are to be asked from now on, and no others; `followed`: Images whose answers are still of use. */
  sync(checks: readonly UpdateCheck[], followed: ReadonlySet<string>): void {
    if (this.#abort.signal.aborted) return
    for (const uid of this.#answers.keys()) if (!followed.has(uid)) this.#answers.delete(uid)
    this.#checks = new Map(checks.map((check) => [check.uid, check]))
    this.#begin()
  }

  /** Breaks off what is under way; resolves when nothing is. */
  async close(): Promise<void> {
    this.#cancel()
    this.#abort.abort(new Error('the agent ends'))
    await Promise.all(this.#underWay.values())
  }

  #begin(): void {
    this.#cancel()
    if (this.#abort.signal.aborted) return
    const { clock } = this.#options
    const waiting = [...this.#checks.values()].filter(({ uid }) => !this.#underWay.has(uid))
    for (const check of waiting.filter(({ askAt }) => askAt <= clock.now())) this.#start(check)
    const later = waiting.filter(({ askAt }) => askAt > clock.now()).map(({ askAt }) => askAt)
    if (later.length === 0) return
    this.#cancel = clock.after(Math.min(...later) - clock.now(), () => this.#begin())
  }

  #start(check: UpdateCheck): void {
    const { uid } = check
    const asked = this.#ask(check).finally(() => {
      this.#underWay.delete(uid)
    })
    this.#underWay.set(uid, asked)
  }

  async #ask(check: UpdateCheck): Promise<void> {
    const free = await this.#slots.take()
    try {
      // While it waited for its turn it may have been given up.
      if (this.#abort.signal.aborted || !this.#checks.has(check.uid)) return
      const answer = await this.#answerTo(check)
      if (this.#abort.signal.aborted) return
      this.#answers.set(check.uid, answer)
      // It is answered; when to ask again, the next plan says.
      this.#checks = new Map([...this.#checks].filter(([uid]) => uid !== check.uid))
      this.#options.onAnswer()
    } finally {
      free()
    }
  }

  async #answerTo({ uid, question, request, askedWith, credentials }: UpdateCheck): Promise<RegistryAnswer> {
    const { clock } = this.#options
    const before = this.#answers.get(uid)
    const timeout = new AbortController()
    const cancel = clock.after(patience, () =>
      timeout.abort(new StatusError('RegistryUnavailable', `no answer within ${patience / 1000}s`)),
    )
    const signal = AbortSignal.any([this.#abort.signal, timeout.signal])
    const known = {
      question: question.key,
      ...(request !== undefined && { request }),
      ...(askedWith !== undefined && { askedWith }),
    }
    try {
      const found = await this.#find(question, { credentials: await credentials(signal), signal })
      return { ...known, at: clock.now(), failures: 0, ...(found !== undefined && { found }) }
    } catch (error) {
      const why = timeout.signal.aborted ? timeout.signal.reason : error
      const failures = before?.question === question.key ? before.failures + 1 : 1
      return { ...known, at: clock.now(), failures, error: told(why) }
    } finally {
      cancel()
    }
  }

  async #find({ reference, range, filter }: Question, asking: Asking): Promise<RegistryAnswer['found']> {
    const parsed = parseReference(reference)
    if (!parsed.ok) throw new StatusError('InvalidSpec', parsed.message)
    const { registry } = this.#options
    const { registry: server, repository, tag: followed = 'latest' } = parsed.reference
    return await this.#politely(server, async () => {
      const tag =
        range === undefined
          ? followed
          : newestTag(await registry.tags({ registry: server, repository }, asking), { range, filter })
      if (tag === undefined) return undefined
      const { digest } = await registry.head({ registry: server, repository, tag }, asking)
      return { tag, digest }
    })
  }

  /** A registry that says when it wants to be asked again is not asked before, whatever about. */
  async #politely<T>(server: string, ask: () => Promise<T>): Promise<T> {
    const now = this.#options.clock.now()
    const rest = this.#resting.get(server)
    if (rest !== undefined && now < rest.until && !isAhead(rest.from, now)) {
      const { reason, message } = rest.refusal
      throw new StatusError(reason, message, { retryAfterSeconds: Math.ceil((rest.until - now) / 1000) })
    }
    this.#resting.delete(server)
    try {
      return await ask()
    } catch (error) {
      const seconds = error instanceof StatusError ? error.details.retryAfterSeconds : undefined
      if (error instanceof StatusError && seconds !== undefined)
        this.#resting.set(server, { from: now, until: now + seconds * 1000, refusal: error })
      throw error
    }
  }
}

function told(error: unknown): NonNullable<RegistryAnswer['error']> {
  if (!(error instanceof StatusError)) return { reason: 'RegistryUnavailable', message: messageOf(error) }
  const { reason, message, details } = error
  const { retryAfterSeconds } = details
  return { reason, message, ...(retryAfterSeconds !== undefined && { retryAfterSeconds }) }
}
