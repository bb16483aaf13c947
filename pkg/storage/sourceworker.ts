/** The storage thread from the sources, as the development tree and the tests start it. */
import { Worker, type WorkerOptions } from 'node:worker_threads'

export function startSourceWorker(options: WorkerOptions): Worker {
  return new Worker(new URL('./sqlite.worker.ts', import.meta.url), options)
}
