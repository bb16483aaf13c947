/**
 * Runs the fuzz targets of test/fuzz with ever new seeds, each in a thread of its own, so that an input that hangs is
 * found too. A failing input goes to test/fuzz/corpus, where the tests try it from then on.
 * Usage: node hack/fuzz.ts [target [file to replay]]; DURATION: seconds for each target, default 30.
 */
import { readFile } from 'node:fs/promises'
import { Worker } from 'node:worker_threads'
import { keep } from '../test/fuzz/corpus.ts'
import { makeSlot, readSlot, type Task, type Told } from '../test/fuzz/slot.ts'
import { judge } from '../test/fuzz/target.ts'
import { targets } from '../test/fuzz/targets.ts'

const hangMs = 20_000

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** Resolves with what went wrong, if anything. */
async function run(target: string, seconds: number): Promise<string | undefined> {
  const seed = Math.floor(Math.random() * 2 ** 31)
  const slot = makeSlot()
  const { tried, failure, died } = await outcome({ target, seed, seconds, slot })
  const kept = died && `the input is kept as ${await keep(target, readSlot(slot).input)}`
  const wrong = died === undefined ? failure : `${target}: ${died}; ${kept}`
  print(
    `${target.padEnd(18)} ${String(tried).padStart(9)} inputs, seed ${seed}${wrong === undefined ? '' : ', FAILED'}`,
  )
  if (wrong !== undefined) print(wrong)
  return wrong
}

/** `died`: how the thread ended without a word. */
async function outcome(workerData: Task): Promise<Told & { readonly died?: string }> {
  const worker = new Worker(new URL('../test/fuzz/worker.ts', import.meta.url), { workerData })
  const { promise, resolve } = Promise.withResolvers<Told & { readonly died?: string }>()
  let last = -1
  const count = () => readSlot(workerData.slot).count
  const watchdog = setInterval(() => {
    if (count() === last) resolve({ tried: last, died: `takes more than ${hangMs / 1000} s` })
    last = count()
  }, hangMs)
  worker.once('message', resolve)
  worker.once('error', (error) => resolve({ tried: count(), died: String(error) }))
  try {
    return await promise
  } finally {
    clearInterval(watchdog)
    await worker.terminate()
  }
}

async function replay(name: string, file: string): Promise<void> {
  const target = targets.find((known) => known.name === name)
  if (target === undefined)
    throw new Error(`no target ${name}: there are ${targets.map((known) => known.name).join(', ')}`)
  await judge(target, await readFile(file))
  print(`${name} holds its promises with ${file}`)
}

async function main([name, file]: readonly string[]): Promise<number> {
  if (name !== undefined && file !== undefined) {
    await replay(name, file)
    return 0
  }
  const seconds = Number(process.env['DURATION'] ?? 30)
  let failures = 0
  for (const target of targets.filter((known) => name === undefined || known.name === name)) {
    if ((await run(target.name, seconds)) !== undefined) failures++
  }
  return failures === 0 ? 0 : 1
}

process.exitCode = await main(process.argv.slice(2))
