/**
 * The last lines of containers that have ended: asked for once per end, bounded however much was written, and kept as
 * long as the engine has the container. What a program writes is its owner's own; nothing is taken out of it.
 */
import { isReason, messageOf } from '#pkg/apimachinery/errors.ts'
import { engineLabels } from '#pkg/apis/wellknown.ts'
import type { Engine, ObservedContainer } from '#pkg/engine/port.ts'
import { isOurs } from './container.look.ts'
import type { Desired } from './world.ts'

/** Longer lines are cut; in bytes. */
export const longestLine = 1024
/** In bytes: of more only the end is kept. */
const mostBytes = 65_536
/** The engine notes the start of a process a moment after it has begun to write. */
const startLagMs = 250

const linesOfEnded = 20
const linesOfFailed = 200

interface Tail {
  readonly finishedAt: string
  readonly wanted: number
  readonly lines: readonly string[]
}

export class LogTails {
  readonly #engine: Engine
  readonly #tails = new Map<string, Tail>()

  constructor(engine: Engine) {
    this.#engine = engine
  }

  /**
   * Of the containers that are there, by id. `wanted` says of which, and how many lines. A log that cannot be read gives
   * one line that says so; throws EngineUnavailable only.
   */
  async of(
    containers: readonly ObservedContainer[],
    wanted: ReadonlyMap<string, number>,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, readonly string[]>> {
    const there = new Map(containers.map((container) => [container.id, container]))
    for (const id of this.#tails.keys()) if (!there.has(id)) this.#tails.delete(id)
    const asking = [...wanted].map(async ([id, count]) => {
      const container = there.get(id)
      if (container !== undefined) await this.#ask(container, count, signal)
    })
    await Promise.all(asking)
    return new Map([...this.#tails].map(([id, { lines }]) => [id, lines]))
  }

  async #ask(container: ObservedContainer, wanted: number, signal: AbortSignal): Promise<void> {
    const { id, finishedAt = '' } = container
    const known = this.#tails.get(id)
    if (known !== undefined && known.finishedAt === finishedAt && known.wanted >= wanted) return
    try {
      const lines = await readTail(this.#engine, container, { count: wanted, signal })
      if (!signal.aborted) this.#tails.set(id, { finishedAt, wanted, lines })
    } catch (error) {
      if (isReason(error, 'EngineUnavailable')) throw error
      // One that is gone is looked at again anyway; a logging driver that cannot be read stays so.
      if (isReason(error, 'NotFound')) return
      this.#tails.set(id, { finishedAt, wanted, lines: [`(the log cannot be read: ${messageOf(error)})`] })
    }
  }
}

/**
 * Whose last words are wanted, and how many lines: of every container of ours that has ended, unless it was to end.
 */
export function tailsWanted(
  containers: readonly ObservedContainer[],
  { desired, clusterID }: { desired: Desired; clusterID: string },
): ReadonlyMap<string, number> {
  const byUid = new Map([...desired.containers.values()].map((object) => [object.metadata.uid, object]))
  const wanted = new Map<string, number>()
  for (const { id, name, state, labels } of containers) {
    const owner = isOurs(labels, { clusterID }) ? byUid.get(labels[engineLabels.uid] ?? '') : undefined
    if (owner === undefined || state !== 'exited') continue
    if (owner.metadata.deletionTimestamp !== undefined || owner.spec.state === 'Stopped') continue
    wanted.set(id, /_failed-[0-9a-f]+$/.test(name) ? linesOfFailed : linesOfEnded)
  }
  return wanted
}

/** The last lines of the run that ended, both streams in the order in which the engine tells them. */
async function readTail(
  engine: Engine,
  { id, startedAt }: ObservedContainer,
  { count, signal }: { count: number; signal: AbortSignal },
): Promise<readonly string[]> {
  const since = startedAt === undefined ? undefined : Date.parse(startedAt) - startLagMs
  const lines = new LastLines(count)
  const chunks = engine.containerLogs(id, {
    follow: false,
    timestamps: false,
    tail: count,
    signal,
    ...(since !== undefined && { since: new Date(since).toISOString() }),
  })
  for await (const { stream, data } of chunks) lines.take(stream, data)
  return lines.end()
}

/** The last lines of what goes by, in bounded memory. */
export class LastLines {
  readonly #count: number
  readonly #lines: string[] = []
  /** Of each stream: the beginning of the line under way, no more of it than is kept. */
  readonly #open = new Map<string, Buffer>()

  constructor(count: number) {
    this.#count = count
  }

  take(stream: string, data: Uint8Array): void {
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
    let from = 0
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, from)) {
      this.#extend(stream, bytes.subarray(from, end))
      this.#close(stream)
      from = end + 1
    }
    if (from < bytes.length) this.#extend(stream, bytes.subarray(from))
  }

  /** The lines; what was not ended by a newline counts as a line. */
  end(): readonly string[] {
    for (const stream of [...this.#open.keys()]) this.#close(stream)
    let left = mostBytes
    const first = this.#lines.findLastIndex((line) => {
      left -= Buffer.byteLength(line) + 1
      return left < 0
    })
    return this.#lines.slice(first + 1)
  }

  #extend(stream: string, piece: Buffer): void {
    const open = this.#open.get(stream) ?? Buffer.alloc(0)
    const room = longestLine + 1 - open.length
    this.#open.set(stream, Buffer.concat([open, piece.subarray(0, Math.max(0, room))]))
  }

  #close(stream: string): void {
    const bytes = this.#open.get(stream) ?? Buffer.alloc(0)
    this.#open.delete(stream)
    this.#lines.push(lineOf(bytes))
    if (this.#lines.length > this.#count) this.#lines.shift()
  }
}

/** Invalid UTF-8 is replaced, as is the character that a cut goes through. */
function lineOf(bytes: Buffer): string {
  const text = bytes.subarray(0, longestLine).toString('utf8').replace(/\r$/, '')
  return bytes.length > longestLine ? `${text}...` : text
}
