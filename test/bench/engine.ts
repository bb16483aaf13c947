/** The engine's own speed limit for benchmarks: containers made and started straight through its HTTP API. */
import { mustRequest, type RawEngine, rawEngine } from '../helpers/engine.ts'

export interface RawUp {
  /** Wall time of creating and starting all of them, ms. */
  readonly milliseconds: number
  /** Removes them and gives the wall time, ms. */
  cleanup(): Promise<number>
}

export interface RawUpOptions {
  readonly host: string
  readonly image: string
  readonly count: number
  readonly concurrency: number
  /** The engine's network to use; its default bridge. */
  readonly network?: string
}

/** Brings up `count` sleeping containers, `concurrency` calls at a time. What came up is removed when one fails. */
export async function rawUp(options: RawUpOptions): Promise<RawUp> {
  const engine = rawEngine(options.host)
  const run = `cove-bench-${process.pid}-${Math.random().toString(36).slice(2, 8)}`
  const names = Array.from({ length: options.count }, (_, index) => `${run}-${index}`)
  const cleanup = async () => {
    const took = await timed(() => inParallel(names, options.concurrency, (name) => remove(engine, name)))
    engine.close()
    return took
  }
  try {
    const up = (name: string) => createAndStart(engine, name, options)
    const milliseconds = await timed(() => inParallel(names, options.concurrency, up))
    return { milliseconds, cleanup }
  } catch (error) {
    await cleanup()
    throw error
  }
}

async function createAndStart(engine: RawEngine, name: string, options: RawUpOptions): Promise<void> {
  const HostConfig = { NetworkMode: options.network ?? 'default' }
  const body = { Image: options.image, Cmd: ['sleep', '86400'], HostConfig }
  await mustRequest(engine, 'POST', `/containers/create?name=${name}`, body)
  await mustRequest(engine, 'POST', `/containers/${name}/start`)
}

async function remove(engine: RawEngine, name: string): Promise<void> {
  const answer = await engine.request('DELETE', `/containers/${name}?force=true&v=true`)
  if (answer.status >= 400 && answer.status !== 404) throw new Error(`remove ${name}: ${answer.text}`)
}

async function inParallel<T>(items: readonly T[], concurrency: number, work: (item: T) => Promise<void>) {
  const queue = items.values()
  const worker = async () => {
    for (const item of queue) await work(item)
  }
  await Promise.all(Array.from({ length: concurrency }, worker))
}

async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}
