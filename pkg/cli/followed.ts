/** One object as it changes, for commands that do one thing after the other with it. */
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { CliError } from './errors.ts'
import { followObjects } from './follow.ts'
import type { Resource } from './resources.ts'
import type { Session } from './session.ts'

export interface FollowedObject {
  readonly object: KubeObject
  /** It has been deleted: `object` is how it was last seen. */
  readonly isGone: boolean
}

/** What is in the way. */
export interface Obstacle {
  readonly reason: string
  readonly message: string
  /** Waiting is of no use. */
  readonly isFinal: boolean
}

/** What a check finds: the answer, or what is in the way for now. */
export type Found<T> = { readonly value: T } | { readonly trouble?: Obstacle }

export interface Patience {
  /** How long trouble that is not final may last; ms. Absent: as long as it likes. */
  readonly troubleMs?: number
  /** How long all may take; ms. Absent: for ever. */
  readonly timeoutMs?: number
  /** Told of each state that is not it yet. */
  readonly onPending?: (seen: FollowedObject) => Promise<void>
}

const never = Number.POSITIVE_INFINITY

/** What a wait has given up on, in words for people. */
export class Trouble extends CliError {
  /** Absent: time is up. */
  readonly obstacle: Obstacle | undefined

  constructor(message: string, obstacle?: Obstacle) {
    super(message)
    this.obstacle = obstacle
  }
}

/**
 * Begins to watch at once: what happens between two calls of `until` is not missed. Whoever makes one closes it.
 */
export class Followed {
  readonly #session: Session
  readonly #stop = new AbortController()
  #seen: FollowedObject
  #failure: { readonly error: unknown } | undefined
  #changed = Promise.withResolvers<void>()

  constructor(session: Session, resource: Resource, object: KubeObject) {
    this.#session = session
    this.#seen = { object, isGone: false }
    this.#follow(resource, object).catch((error: unknown) => {
      this.#failure = { error }
      this.#changed.resolve()
    })
  }

  /** As it was last seen. */
  get seen(): FollowedObject {
    return this.#seen
  }

  close(): void {
    this.#stop.abort()
  }

  /** Resolves with the first answer of `check`. Rejects with Trouble when that lasts, and with errors of the server. */
  async until<T>(check: (seen: FollowedObject) => Found<T>, patience: Patience = {}): Promise<T> {
    const isTime = limits(this.#session.clock, patience)
    for (;;) {
      const [seen, changed] = [this.#seen, this.#changed.promise]
      const found = check(seen)
      if ('value' in found) return found.value
      const lookAgain = isTime(found.trouble)
      await patience.onPending?.(seen)
      await this.#change(changed, lookAgain)
      if (this.#failure !== undefined) throw this.#failure.error
    }
  }

  /** Resolves with the next change, or at the time. */
  async #change(changed: Promise<void>, at: number): Promise<void> {
    if (at === never) return changed
    const { clock } = this.#session
    const timer = Promise.withResolvers<void>()
    const cancel = clock.after(Math.max(0, at - clock.now()), () => timer.resolve())
    await Promise.race([changed, timer.promise])
    cancel()
  }

  async #follow(resource: Resource, { metadata: { name, namespace, uid } }: KubeObject): Promise<void> {
    const signal = AbortSignal.any([this.#session.signal, this.#stop.signal])
    const scope = {
      resource,
      fieldSelector: `metadata.name=${name}`,
      ...(namespace !== undefined && { namespace }),
    }
    const isIt = ({ metadata }: KubeObject) => metadata.uid === uid
    for await (const change of followObjects(scope, { ...this.#session, signal })) {
      if (change.type === 'SYNC') this.#see(change.objects.find(isIt))
      else if (isIt(change.object)) this.#see(change.object, change.type === 'DELETED')
    }
  }

  #see(object: KubeObject | undefined, isGone = object === undefined): void {
    this.#seen = { object: object ?? this.#seen.object, isGone }
    const { resolve } = this.#changed
    this.#changed = Promise.withResolvers<void>()
    resolve()
  }
}

/** Throws Trouble when that has lasted too long, or all has; otherwise the time when it will have. */
function limits(clock: Clock, { troubleMs = never, timeoutMs = never }: Patience) {
  const end = clock.now() + timeoutMs
  let since: number | undefined
  return (trouble: Obstacle | undefined): number => {
    const now = clock.now()
    since = trouble === undefined ? undefined : (since ?? now)
    const due = (since ?? never) + troubleMs
    if (trouble !== undefined && (trouble.isFinal || now >= due)) throw new Trouble(trouble.message, trouble)
    if (now >= end) throw new Trouble(trouble?.message ?? 'it takes too long')
    return Math.min(due, end)
  }
}
