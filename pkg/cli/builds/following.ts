/** One Build, watched until what was asked of it has come out: its steps on the screen as they go. */
import { sleep } from '#pkg/apimachinery/ambient.ts'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import type { Build } from '#pkg/apis/build.ts'
import { Followed, type FollowedObject, type Found } from '../followed.ts'
import { builtinResource } from '../resources.ts'
import type { Session } from '../session.ts'
import { isWithoutLog, lastingLog } from './attemptlog.ts'
import type { BuildScreen } from './buildscreen.ts'
import { type Asked, asBuild, type Standing, standingOf } from './outcome.ts'
import { linesOfStatus } from './steps.ts'

export interface Followers {
  readonly session: Session
  readonly screen: BuildScreen
  /** Told once why there are only the steps to see and not what they write. */
  readonly warn: (text: string) => Promise<void>
  /** ms; absent: as long as it takes. */
  readonly timeoutMs?: number
}

export interface Ended {
  readonly build: Build
  readonly standing: Extract<Standing, { state: 'built' | 'failed' }>
}

/** How long a log may go on when the object says that its attempt has ended. */
const lastLinesMs = 3000

/** Rejects with Trouble when time is up, and with errors of the server. The screen is finished whatever happens. */
export async function followBuild(object: KubeObject, asked: Asked, followers: Followers): Promise<Ended> {
  const following = new Following(object, asked, followers)
  try {
    return await following.run()
  } finally {
    await following.close()
  }
}

/** How the attempt ended, which is told in other words. */
const lastWords = /^(built sha256:[0-9a-f]|failed: )/

class Following {
  readonly #asked: Asked
  readonly #followers: Followers
  readonly #followed: Followed
  readonly #end: number | undefined
  /** Attempts whose steps have been shown. */
  readonly #shown = new Set<number>()

  constructor(object: KubeObject, asked: Asked, followers: Followers) {
    const { session, timeoutMs } = followers
    this.#asked = asked
    this.#followers = followers
    this.#end = timeoutMs === undefined ? undefined : session.clock.now() + timeoutMs
    this.#followed = new Followed(session, builtinResource('Build'), object)
  }

  async close(): Promise<void> {
    this.#followed.close()
    await this.#followers.screen.finish()
  }

  async run(): Promise<Ended> {
    for (;;) {
      const seen = await this.#until((standing) => this.#isNews(standing))
      const { standing } = seen
      if (standing.state === 'waiting') continue
      if (this.#isToBeShown(standing)) await this.#show(standing.attempt)
      if (standing.state !== 'building') return { build: seen.build, standing }
    }
  }

  /** An attempt that has been shown goes on for a moment after its log has ended. */
  #isNews(standing: Standing): boolean {
    if (standing.state === 'waiting') return false
    return standing.state !== 'building' || !this.#shown.has(standing.attempt)
  }

  #isToBeShown(standing: Exclude<Standing, { state: 'waiting' }>): boolean {
    const isOurs = standing.state === 'building' || standing.isNew
    return isOurs && standing.attempt > 0 && !this.#shown.has(standing.attempt)
  }

  /** Until it has ended, or is not the one any more. */
  async #show(attempt: number): Promise<void> {
    const { session, screen } = this.#followers
    this.#shown.add(attempt)
    await screen.begin()
    // Until the node has sent something of its log.
    await screen.note(`attempt ${attempt} is at work`)
    const stop = new AbortController()
    const signal = AbortSignal.any([session.signal, stop.signal])
    const isOver = (standing: Standing) => standing.state !== 'building' || standing.attempt !== attempt
    const ended = this.#until(isOver).then(() => sleep(session.clock, lastLinesMs, signal))
    try {
      await Promise.race([this.#showLog(attempt, { ...session, signal }), ended])
    } finally {
      stop.abort()
    }
  }

  async #showLog(attempt: number, session: Session): Promise<void> {
    const { screen, warn } = this.#followers
    const { name } = this.#followed.seen.object.metadata
    try {
      const onBreak = (why: string) => screen.note(why)
      for await (const line of lastingLog(name, attempt, { session, onBreak }))
        if (!lastWords.test(line)) await screen.line(line)
    } catch (error) {
      if (!isWithoutLog(error, session.signal)) throw error
      await screen.aside(() => warn(`what the steps write cannot be shown: ${error.message}`))
      await this.#showSteps(attempt)
    }
  }

  async #showSteps(attempt: number): Promise<void> {
    const { screen } = this.#followers
    const tell = async ({ object }: FollowedObject) => {
      const { status = {} } = asBuild(object)
      if (status.attempt !== attempt) return
      for (const line of linesOfStatus(screen.steps, status.steps ?? [])) await screen.line(line)
    }
    await this.#until((standing) => standing.state !== 'building' || standing.attempt !== attempt, tell)
    await tell(this.#followed.seen)
  }

  /** Resolves with what is so once `isIt` says yes. */
  async #until(
    isIt: (standing: Standing) => boolean,
    onPending?: (seen: FollowedObject) => Promise<void>,
  ): Promise<{ readonly build: Build; readonly standing: Standing }> {
    const { session, screen } = this.#followers
    const check = ({ object, isGone }: FollowedObject): Found<{ build: Build; standing: Standing }> => {
      const build = asBuild(object)
      if (isGone) return { trouble: { reason: 'Deleted', message: 'it was deleted', isFinal: true } }
      const standing = standingOf(build, this.#asked)
      return isIt(standing) ? { value: { build, standing } } : {}
    }
    const note = async (seen: FollowedObject) => {
      const standing = standingOf(asBuild(seen.object), this.#asked)
      if (standing.state === 'waiting') await screen.note(standing.message)
    }
    return await this.#followed.until(check, {
      ...(this.#end !== undefined && { timeoutMs: Math.max(0, this.#end - session.clock.now()) }),
      onPending: onPending ?? note,
    })
  }
}
