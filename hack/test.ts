/**
 * Runs the tests and ends with one line for machines: `N passed, N failed`. The tests against the real engine run
 * by themselves and few at a time: they wait for containers, and too many at once wait for each other.
 * Usage: node hack/test.ts [unit|e2e] [files...]
 */
import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { type Counts, TapReader } from './tap.ts'

const root = resolve(import.meta.dirname, '..')

/** Tests start thousands of processes from the same sources: each would strip and compile them anew, a second of work. */
const compileCache = join(root, 'node_modules/.cache/compiled')

interface Suite {
  readonly name: string
  /**
   * Whether a file gets a process of its own rather than a thread: a thread that is ended with sockets half closed
   * can spin for ever in Node's own clean-up, and then the whole run never ends.
   */
  readonly processes: boolean
  readonly concurrency: number
  readonly holds: (file: string) => boolean
}

interface Ended extends Counts {
  readonly failures: readonly string[]
  readonly code: number
}

const isE2e = (file: string) => file.startsWith('test/e2e/')

const suites: readonly Suite[] = [
  { name: 'unit', processes: false, concurrency: availableParallelism(), holds: (file) => !isE2e(file) },
  { name: 'e2e', processes: true, concurrency: availableParallelism() + 1, holds: isE2e },
]

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

async function run(suite: Suite, files: readonly string[]): Promise<Ended> {
  print(`${suite.name}: ${files.length} files, ${suite.concurrency} at a time`)
  const threads = suite.processes ? ['--no-worker-threads'] : []
  const ava = spawn(
    join(root, 'node_modules/.bin/ava'),
    ['--tap', '--concurrency', String(suite.concurrency), ...threads, ...files],
    {
      cwd: root,
      env: { ...process.env, NODE_COMPILE_CACHE: compileCache },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  const ended = new Promise<number>((done, fail) => {
    ava.once('error', fail)
    ava.once('close', (code) => done(code ?? 1))
  })
  const reader = new TapReader(print)
  for await (const line of createInterface({ input: ava.stdout })) reader.line(line)
  const code = await ended
  const { counts, failures } = reader
  if (code === 0 || counts.failed > 0) return { ...counts, failures, code }
  return { ...counts, failed: 1, failures: [`ava ended with ${code} without naming a failure`], code }
}

async function main(args: readonly string[]): Promise<number> {
  const wanted = suites.filter(({ name }) => args[0] === name)
  const named = wanted.length > 0 ? args.slice(1) : args
  const files = named.length > 0 ? named : globSync('{cmd,pkg,hack,test}/**/*.test.ts', { cwd: root }).sort()
  const results: Ended[] = []
  for (const suite of wanted.length > 0 ? wanted : suites) {
    const own = files.filter(suite.holds)
    if (own.length > 0) results.push(await run(suite, own))
  }
  return report(results)
}

function report(results: readonly Ended[]): number {
  const sum = (count: 'passed' | 'failed' | 'skipped') =>
    results.reduce((total, result) => total + result[count], 0)
  const failures = results.flatMap((result) => result.failures)
  if (failures.length > 0) print(`\nFailures:\n\n${failures.join('\n\n')}`)
  const none = sum('passed') + sum('failed') === 0
  if (none) print('no test has run')
  if (sum('skipped') > 0) print(`${sum('skipped')} skipped`)
  print(`${sum('passed')} passed, ${sum('failed')} failed`)
  return results.find(({ code }) => code !== 0)?.code ?? (none ? 1 : 0)
}

process.exitCode = await main(process.argv.slice(2))
