/**
 * Build contexts: 500 MB in 20,000 files packed, against GNU tar piped to the same reader, first to one that does nothing,
 * then to the engine, and how much memory that takes; then the same folder looked at again, nothing changed, with what
 * is remembered of it on the disk.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { seededRandom, systemClock } from '#pkg/apimachinery/ambient.ts'
import { type ContextFolder, readFolder } from '#pkg/build/context/folder.ts'
import { makeIgnore } from '#pkg/build/context/ignore.ts'
import { packFolder } from '#pkg/build/context/pack.ts'
import { StatCache, tickMs } from '#pkg/build/context/statcache.ts'
import { eventually } from '#test/helpers/eventually.ts'
import type { Bench, Report } from './report.ts'

const files = 20_000
const bytesEach = 25_000
const rounds = 5
const signal = new AbortController().signal

export const run: Bench = async (report) => {
  const dir = mkdtempSync(join(tmpdir(), 'cove-context-bench-'))
  try {
    const root = join(dir, 'context')
    writeFiles(root)
    await measure(root, join(dir, 'cache'), report)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

function writeFiles(root: string): void {
  const random = seededRandom(1)
  const content = Buffer.from(
    Array.from({ length: bytesEach + files }, () => Math.floor(random.next() * 256)),
  )
  for (let at = 0; at < files; at++) {
    const folder = join(root, `module-${at % 200}`, 'src')
    if (at < 200) mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, `file-${at}.ts`), content.subarray(at, at + bytesEach))
  }
}

async function measure(root: string, directory: string, report: Report): Promise<void> {
  const first = await timed(() => read(root, directory))
  report({ name: 'context of 20,000 files read the first time', value: first.ms, unit: 'ms' })
  const before = process.memoryUsage().rss
  const [tar, packed] = [[Number.POSITIVE_INFINITY], [Number.POSITIVE_INFINITY]]
  let most = before
  for (let round = 0; round < rounds; round++) {
    tar.push((await timed(() => tarToCat(root))).ms)
    packed.push((await timed(() => packToCat(first.value))).ms)
    most = Math.max(most, process.memoryUsage().rss)
  }
  const [value, baseline] = [Math.min(...packed), Math.min(...tar)]
  report({
    name: 'context of 500 MB packed (baseline: tar)',
    value,
    unit: 'ms',
    baseline,
    ratio: value / baseline,
  })
  if (existsSync(engineSocket)) await toEngine(root, first.value, report)
  report({ name: 'memory that packing it takes', value: (most - before) / 1e6, unit: 'MB' })
  await eventually(() => read(root, directory).then(mustBeKnown), { timeoutMs: tickMs * 10, pauseMs: tickMs })
  const again: number[] = []
  for (let round = 0; round < rounds; round++) again.push((await timed(() => read(root, directory))).ms)
  report({
    name: 'unchanged context of 20,000 files decided',
    value: Math.min(...again),
    unit: 'ms',
    baseline: 1000,
  })
}

/** It unpacks the context, and then misses the Dockerfile. */
async function toEngine(root: string, folder: ContextFolder, report: Report): Promise<void> {
  const [tar, packed]: [number[], number[]] = [[], []]
  for (let round = 0; round < 2; round++) {
    tar.push((await timed(() => tarToEngine(root))).ms)
    packed.push((await timed(() => packToEngine(folder))).ms)
  }
  const [value, baseline] = [Math.min(...packed), Math.min(...tar)]
  const name = 'context of 500 MB packed to the engine (baseline: tar)'
  report({ name, value, unit: 'ms', baseline, ratio: value / baseline })
}

const engineSocket = '/var/run/docker.sock'
const buildPath = '/v1.41/build?dockerfile=there-is-none'

async function tarToEngine(root: string): Promise<void> {
  const curl = `curl -s -o /dev/null --unix-socket ${engineSocket} -X POST -H 'Content-Type: application/x-tar' -T -`
  const script = `tar -c -C "$0" . | ${curl} 'http://engine${buildPath}'`
  await ended(spawn('sh', ['-c', script, root], { stdio: 'inherit' }))
}

async function packToEngine(folder: ContextFolder): Promise<void> {
  const headers = { 'content-type': 'application/x-tar' }
  const asking = request({ socketPath: engineSocket, method: 'POST', path: buildPath, headers })
  const answered = new Promise<void>((resolve, reject) => {
    asking.once('error', reject)
    asking.once('response', (response) => response.resume().once('end', resolve).once('error', reject))
  })
  await Promise.all([pipeline(packFolder(folder, signal, { reusesMemory: true }), asking), answered])
}

async function timed<T>(work: () => Promise<T>): Promise<{ readonly ms: number; readonly value: T }> {
  const start = performance.now()
  const value = await work()
  return { ms: performance.now() - start, value }
}

interface Reading extends ContextFolder {
  readonly read: number
}

async function read(root: string, directory: string): Promise<Reading> {
  const clock = systemClock()
  const cache = await StatCache.open({ directory, root, clock, random: seededRandom(performance.now()) })
  let count = 0
  const onRead = async () => {
    count++
  }
  const ignore = makeIgnore(['**/node_modules', '**/*.log', '.git'])
  const folder = await readFolder({ root, ignore, maxBytes: 1e9, clock, signal, cache, onRead })
  const problem = await cache.save()
  if (problem !== undefined) throw new Error(problem)
  return { ...folder, read: count }
}

/** Files that had just been written when they were read are read once more. */
function mustBeKnown(reading: Reading): void {
  if (reading.read > 0) throw new Error(`${reading.read} files were read again`)
}

async function packToCat(folder: ContextFolder): Promise<void> {
  await toCat((cat) => pipeline(packFolder(folder, signal, { reusesMemory: true }), cat))
}

async function tarToCat(root: string): Promise<void> {
  await ended(spawn('sh', ['-c', 'tar -c -C "$0" . | cat >/dev/null', root], { stdio: 'inherit' }))
}

async function toCat(write: (cat: Writable) => Promise<void>): Promise<void> {
  const cat = spawn('sh', ['-c', 'exec cat >/dev/null'], { stdio: ['pipe', 'inherit', 'inherit'] })
  await Promise.all([write(cat.stdin), ended(cat)])
}

function ended(child: ReturnType<typeof spawn>): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`ended with ${code}`))))
  })
}
