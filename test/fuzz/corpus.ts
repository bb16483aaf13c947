/** Inputs that are worth trying every time: test/fuzz/corpus/TARGET/NAME, each file one input. */
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'

const root = resolve(import.meta.dirname, 'corpus')

/** In the order of their names; none for a target without a directory. */
export async function readCorpus(target: string): Promise<Buffer[]> {
  const directory = join(root, target)
  const names = (await readdir(root)).includes(target) ? await readdir(directory) : []
  return Promise.all(names.sort().map((name) => readFile(join(directory, name))))
}

/** Keeps an input for good; returns the file's path from where the command runs. */
export async function keep(target: string, input: Uint8Array): Promise<string> {
  const name = createHash('sha256').update(input).digest('hex').slice(0, 12)
  await mkdir(join(root, target), { recursive: true })
  const path = join(root, target, name)
  await writeFile(path, input)
  return relative(process.cwd(), path)
}
