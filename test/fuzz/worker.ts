/** One target in a thread of its own, until its time is over. */
import { parentPort, workerData } from 'node:worker_threads'
import { fuzz } from './fuzz.ts'
import { type Task, type Told, writeSlot } from './slot.ts'
import { targets } from './targets.ts'

async function work({ target: name, seed, seconds, slot }: Task): Promise<Told> {
  const target = targets.find((known) => known.name === name)
  if (target === undefined) throw new Error(`no target ${name}`)
  const end = performance.now() + seconds * 1000
  let tried = 0
  const onInput = (input: Buffer) => {
    tried++
    writeSlot(slot, input)
  }
  try {
    await fuzz(target, {
      seed,
      rounds: Number.POSITIVE_INFINITY,
      isOver: () => performance.now() > end,
      onInput,
    })
    return { tried }
  } catch (error) {
    return { tried, failure: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  }
}

parentPort?.postMessage(await work(workerData as Task))
