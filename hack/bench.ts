/**
 * Runs the benchmarks of test/bench one after the other, prints their rows, and adds them to bench-results.jsonl.
 * Usage: node hack/bench.ts [words in the names of files...]
 */
import { appendFileSync, globSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import type { Bench, Row } from '../test/bench/report.ts'

const root = resolve(import.meta.dirname, '..')

function text({ name, value, unit, baseline, ratio }: Row): string {
  const number = value.toLocaleString('en', { maximumSignificantDigits: 4 })
  const held = ratio ?? (baseline === undefined ? undefined : value / baseline)
  const beside = held === undefined ? '' : `  (${held.toFixed(2)} x baseline)`
  return `  ${name.padEnd(64)} ${number.padStart(10)} ${unit}${beside}\n`
}

function isBench(module: unknown): module is { run: Bench } {
  return typeof module === 'object' && module !== null && 'run' in module && typeof module.run === 'function'
}

async function main(words: readonly string[]): Promise<void> {
  const files = globSync('test/bench/*.bench.ts', { cwd: root }).sort()
  const wanted = files.filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
  if (wanted.length === 0) throw new Error(`no benchmark matches: there are ${files.join(', ')}`)
  const at = new Date().toISOString()
  for (const file of wanted) {
    const bench: unknown = await import(join(root, file))
    if (!isBench(bench)) throw new Error(`${file} exports no function run`)
    process.stdout.write(`${basename(file, '.bench.ts')}\n`)
    await bench.run((row) => {
      process.stdout.write(text(row))
      appendFileSync(join(root, 'bench-results.jsonl'), `${JSON.stringify({ at, ...row })}\n`)
    })
  }
}

await main(process.argv.slice(2))
