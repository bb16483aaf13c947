/** The only file of this folder that does I/O: the texts that `-f` names, be they files, directories, URLs or standard input. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { badRequest, messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import type { SourceText } from './decode.ts'

export interface SourceOptions {
  /** Directories below a directory too. */
  readonly recursive: boolean
  /** What relative paths are relative to. */
  readonly directory: string
  readonly readStdin: () => Promise<string>
  readonly signal: AbortSignal
}

const manifestName = /\.(ya?ml|json)$/

/** The texts in the order of the targets, files of a directory by name. Throws BadRequest naming the target. */
export async function readSources(
  targets: readonly string[],
  options: SourceOptions,
): Promise<readonly SourceText[]> {
  const texts: SourceText[] = []
  for (const target of targets) texts.push(...(await readTarget(target, options)))
  return texts
}

async function readTarget(target: string, options: SourceOptions): Promise<SourceText[]> {
  if (target === '-') return [{ name: '-', text: await options.readStdin() }]
  if (/^https?:\/\//.test(target)) return [{ name: target, text: await download(target, options.signal) }]
  const path = resolve(options.directory, target)
  return translate(target, async () => {
    const found = await stat(path)
    if (!found.isDirectory()) return [{ name: target, text: await readFile(path, 'utf8') }]
    const files = await filesOf(path, options.recursive)
    if (files.length === 0) throw badRequest(`no *.yaml, *.yml or *.json files in "${target}"`)
    return Promise.all(
      files.map(async (file) => ({
        name: join(target, relative(path, file)),
        text: await readFile(file, 'utf8'),
      })),
    )
  })
}

async function filesOf(directory: string, recursive: boolean): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true, recursive })
  return entries
    .filter((entry) => !entry.isDirectory() && manifestName.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
}

async function download(url: string, signal: AbortSignal): Promise<string> {
  const response = await translate(url, () => fetch(url, { signal }))
  if (!response.ok) throw badRequest(`cannot read "${url}": the server answered ${response.status}`)
  return response.text()
}

async function translate<T>(target: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof StatusError) throw error
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    const message = missing ? `the path "${target}" does not exist` : `cannot read "${target}": ${why(error)}`
    throw new StatusError('BadRequest', message, {}, { cause: error })
  }
}

/** fetch says only "fetch failed"; its cause says why. */
function why(error: unknown): string {
  return error instanceof Error && error.cause instanceof Error ? error.cause.message : messageOf(error)
}
