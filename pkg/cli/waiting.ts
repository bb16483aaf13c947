/** Watching many objects until each is as its goal says, time is up, or one of them never will be. */
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { CliError, UsageError } from './errors.ts'
import { followObjects, type Scope } from './follow.ts'
import type { Io } from './io.ts'
import { makeProgress } from './progress.ts'
import { type Goal, judge, type Verdict } from './readiness.ts'
import type { Resource } from './resources.ts'
import type { Session } from './session.ts'

export interface Waited {
  readonly resource: Resource
  readonly namespace?: string
  readonly name: string
  /** For goal delete: an object of the same name and another uid is not it. */
  readonly uid?: string
}

export interface WaitResult {
  readonly waited: Waited
  readonly verdict: Verdict
  /** As it was judged last; absent: it is not there, or was not seen. */
  readonly object?: KubeObject
}

export interface WaitOptions {
  readonly goal: Goal
  /** Absent: for ever. */
  readonly timeoutMs?: number
  readonly io: Io
  /** Called when an object has reached its goal. */
  readonly onMet?: (waited: Waited) => Promise<void>
  /** Whether changes are shown while waiting. */
  readonly showProgress: boolean
}

/** A text such as `5m`; a bare number is seconds. Throws UsageError. */
export async function parseTimeout(text: string, command: string): Promise<number> {
  const { parseDuration } = await import('#pkg/apimachinery/quantity.ts')
  const milliseconds = parseDuration(/^\d+$/.test(text) ? `${text}s` : text)
  if (milliseconds === undefined)
    throw new UsageError(`invalid duration "${text}": such as 30s, 5m or 1h30m`, command)
  return milliseconds
}

/**
 * Resolves when every object has met its goal, or with those that have not when time is up or one is hopeless.
 * Rejects with the reason of `io.signal`, and with errors of the server.
 */
export async function waitFor(
  objects: readonly Waited[],
  session: Session,
  options: WaitOptions,
): Promise<readonly WaitResult[]> {
  if (objects.length === 0) return []
  const waiting = new Waiting(objects, options)
  const stop = new AbortController()
  const cancelTimer = startTimer(session.clock, options.timeoutMs, () => stop.abort(new Stopped()))
  const signal = AbortSignal.any([session.signal, stop.signal])
  const inner = { ...session, signal }
  try {
    const scopes = scopesOf(objects)
    await Promise.all(
      scopes.map(async ({ scope, members }) => {
        for await (const change of followObjects(scope, inner)) {
          await waiting.apply(members, change)
          if (waiting.settled) stop.abort(new Stopped())
        }
      }),
    )
  } catch (error) {
    // Whatever an aborted watch fails with, it was we who stopped it, unless somebody pressed Ctrl-C.
    if (!stop.signal.aborted || session.signal.aborted) throw error
  } finally {
    cancelTimer()
    stop.abort(new Stopped())
    await waiting.finish()
  }
  return waiting.results()
}

/** The sentence for an object that did not get there. */
export function waitFailure({ waited, verdict }: WaitResult): CliError {
  const subject = `${waited.resource.plural}/${waited.name}`
  return new CliError(
    verdict.state === 'hopeless'
      ? `${subject}: ${verdict.message}`
      : `timed out waiting for the condition on ${subject} (${verdict.message})`,
  )
}

/** Ends the watches: time is up, or there is nothing left to wait for. */
class Stopped extends Error {}

function startTimer(clock: Clock, ms: number | undefined, run: () => void): () => void {
  return ms === undefined ? () => undefined : clock.after(ms, run)
}

class Waiting {
  readonly #options: WaitOptions
  readonly #verdicts = new Map<Waited, Verdict>()
  readonly #objects = new Map<Waited, KubeObject | undefined>()
  readonly #all: readonly Waited[]
  readonly #progress

  constructor(all: readonly Waited[], options: WaitOptions) {
    this.#all = all
    this.#options = options
    this.#progress = makeProgress(options.io.stderr)
  }

  /** Everything is met, or something never will be. */
  get settled(): boolean {
    const verdicts = this.#all.map((waited) => this.#verdicts.get(waited))
    return (
      verdicts.every((verdict) => verdict?.state === 'met') ||
      verdicts.some((verdict) => verdict?.state === 'hopeless')
    )
  }

  async apply(members: readonly Waited[], change: Change): Promise<void> {
    for (const waited of members) {
      const object = seenObject(waited, change)
      if (object !== 'unchanged') await this.#judge(waited, object)
    }
    if (this.#options.showProgress) await this.#progress.update(this.#items())
  }

  async finish(): Promise<void> {
    if (this.#options.showProgress) await this.#progress.finish()
  }

  results(): WaitResult[] {
    return this.#all.map((waited) => {
      const object = this.#objects.get(waited)
      const verdict = this.#verdicts.get(waited) ?? unseen
      return { waited, verdict, ...(object !== undefined && { object }) }
    })
  }

  async #judge(waited: Waited, object: KubeObject | undefined): Promise<void> {
    // What was met once stays met: a wait asks for a moment, not for ever.
    if (this.#verdicts.get(waited)?.state === 'met') return
    const verdict = judge(object, this.#options.goal)
    this.#verdicts.set(waited, verdict)
    this.#objects.set(waited, object)
    if (verdict.state === 'met') await this.#options.onMet?.(waited)
  }

  #items() {
    return this.#all.map((waited) => ({
      name: `${waited.resource.singular}/${waited.name}`,
      object: this.#objects.get(waited),
      verdict: this.#verdicts.get(waited) ?? unseen,
    }))
  }
}

const unseen: Verdict = { state: 'pending', message: 'not seen yet' }

type Change = Parameters<typeof seenObject>[1]

function seenObject(
  { name, uid }: Waited,
  change:
    | { type: 'SYNC'; objects: readonly KubeObject[] }
    | { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: KubeObject },
): KubeObject | undefined | 'unchanged' {
  const is = ({ metadata }: KubeObject) =>
    metadata.name === name && (uid === undefined || metadata.uid === uid)
  if (change.type === 'SYNC') return change.objects.find(is)
  if (!is(change.object)) return 'unchanged'
  return change.type === 'DELETED' ? undefined : change.object
}

/** One watch per kind and namespace; of a single object only its own changes are asked for. */
function scopesOf(objects: readonly Waited[]): { scope: Scope; members: readonly Waited[] }[] {
  const groups = Map.groupBy(
    objects,
    ({ resource, namespace }) => `${resource.group}/${resource.plural}/${namespace ?? ''}`,
  )
  return [...groups.values()].flatMap((members) => {
    const [first] = members
    if (first === undefined) return []
    const { resource, namespace, name } = first
    const scope: Scope = {
      resource,
      ...(namespace !== undefined && { namespace }),
      ...(members.length === 1 && { fieldSelector: `metadata.name=${name}` }),
    }
    return [{ scope, members }]
  })
}
