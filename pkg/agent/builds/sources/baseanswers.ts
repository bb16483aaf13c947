/**
 * What registries say of base images, asked like the tags that Images follow: one HEAD each, nothing is pulled, and a
 * registry that wants to be left alone is. What was known before stays beside a failure.
 */
import { atEndOfTurn, type Clock } from '#pkg/apimachinery/ambient.ts'
import { parseReference } from '#pkg/apimachinery/reference.ts'
import type { RegistryClient } from '#pkg/registry/port.ts'
import { isAhead } from '../../ahead.ts'
import { canonicalImage, numberOf } from '../../image.ts'
import { type CredentialSources, credentialsOf } from '../../images/credentials.ts'
import { type UpdateCheck, UpdateChecker } from '../../images/updatechecker.ts'
import type { BaseAnswer } from '../port.ts'

/** One Build's wish to know of one image. */
export interface BaseQuestion {
  readonly reference: string
  readonly namespace: string
  /** Keys of the Secrets that the Build names. */
  readonly secrets: readonly string[]
  /** ms. */
  readonly interval: number
  /** Else one answer will do. */
  readonly again: boolean
}

export interface BaseAnswersOptions {
  readonly clock: Clock
  readonly registry: RegistryClient
  readonly credentials: CredentialSources
  /** Something was answered. */
  readonly onAnswer: () => void
}

/** All that want to know of one reference. */
interface Asked {
  readonly reference: string
  readonly interval: number
  readonly again: boolean
  readonly askers: readonly BaseQuestion[]
}

interface Known extends BaseAnswer {
  readonly failures: number
  readonly retryAt?: number
}

/** ms. */
const firstRetry = 10_000
const mostRetry = 3_600_000

export class BaseAnswers {
  readonly #options: BaseAnswersOptions
  readonly #checker: UpdateChecker
  readonly #known = new Map<string, Known>()
  #asked: ReadonlyMap<string, Asked> = new Map()

  constructor(options: BaseAnswersOptions) {
    this.#options = options
    const { clock, registry, onAnswer } = options
    this.#checker = new UpdateChecker({
      clock,
      registry,
      onAnswer: () => {
        this.#takeIn()
        // The checker is still at it, and begins nothing with the same name.
        atEndOfTurn(() => this.#sync())
        onAnswer()
      },
    })
  }

  /** By canonical reference. */
  answers(): ReadonlyMap<string, BaseAnswer> {
    return new Map(
      [...this.#known].map(([reference, { failures: _f, retryAt: _r, ...answer }]) => [reference, answer]),
    )
  }

  /** These are asked from now on, and no others. One with a digest means what it says. */
  follow(questions: readonly BaseQuestion[]): void {
    this.#asked = gathered(questions)
    for (const reference of this.#known.keys()) if (!this.#asked.has(reference)) this.#known.delete(reference)
    this.#sync()
  }

  /** ms since the epoch; undefined when it is not asked again by itself. */
  nextAskAt(reference: string): number | undefined {
    const asked = this.#asked.get(canonicalImage(reference))
    const at = asked === undefined ? Number.POSITIVE_INFINITY : this.#dueAt(asked)
    return Number.isFinite(at) ? at : undefined
  }

  async close(): Promise<void> {
    await this.#checker.close()
  }

  #sync(): void {
    const checks = [...this.#asked.values()].flatMap((asked) => this.#checkOf(asked))
    this.#checker.sync(checks, new Set(this.#asked.keys()))
  }

  #checkOf(asked: Asked): UpdateCheck[] {
    const { reference, askers } = asked
    const askAt = this.#dueAt(asked)
    if (!Number.isFinite(askAt)) return []
    const question = { key: reference, reference }
    return [{ uid: reference, question, askAt, credentials: (signal) => this.#credentials(askers, signal) }]
  }

  #dueAt({ reference, interval, again }: Asked): number {
    const now = this.#options.clock.now()
    const known = this.#known.get(reference)
    if (known === undefined || isAhead(known.at, now)) return now
    if (known.failures > 0) {
      const rest = Math.min(interval, mostRetry, firstRetry * 2 ** (known.failures - 1))
      return Math.max(known.at + rest, known.retryAt ?? 0)
    }
    const early = (interval * (numberOf(reference, 8) % 100)) / 1000
    return again ? known.at + interval - early : Number.POSITIVE_INFINITY
  }

  #takeIn(): void {
    for (const [reference, { at, found, error, failures }] of this.#checker.answers()) {
      const before = this.#known.get(reference)
      if (before?.at === at && before.failures === failures) continue
      const digest = found?.digest ?? before?.digest
      const retryAfter = error?.retryAfterSeconds
      this.#known.set(reference, {
        at,
        failures,
        ...(digest !== undefined && { digest }),
        ...(error !== undefined && { failure: { reason: error.reason, message: error.message } }),
        ...(retryAfter !== undefined && { retryAt: at + retryAfter * 1000 }),
      })
    }
  }

  /** Of everybody who wants to know: what one of them may see is told to all. */
  async #credentials(askers: readonly BaseQuestion[], signal: AbortSignal) {
    const offered = await Promise.all(
      askers.map(({ reference, namespace, secrets }) =>
        credentialsOf(reference, { namespace, secrets, signal }, this.#options.credentials),
      ),
    )
    const found = offered.flatMap((each) => each.found.map(({ credentials }) => credentials))
    const once = new Map(found.map((each) => [`${each.username}\n${each.password}`, each]))
    return [...once.values()]
  }
}

function gathered(questions: readonly BaseQuestion[]): ReadonlyMap<string, Asked> {
  const all = new Map<string, Asked>()
  for (const question of questions) {
    const parsed = parseReference(question.reference)
    if (!parsed.ok || parsed.reference.digest !== undefined) continue
    const reference = canonicalImage(question.reference)
    const before = all.get(reference)
    all.set(reference, {
      reference,
      interval: Math.min(question.interval, before?.interval ?? Number.POSITIVE_INFINITY),
      again: question.again || before?.again === true,
      askers: [...(before?.askers ?? []), question],
    })
  }
  return all
}
