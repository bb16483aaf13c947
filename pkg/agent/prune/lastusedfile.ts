/** Where the book of lastused.ts lies: `images.lastused` in the agent's data directory. */
import { join } from 'node:path'
import { readIfThere, replaceFile } from '#pkg/apimachinery/files.ts'
import type { UseStore } from './lastused.ts'

export function diskUses(directory: string): UseStore {
  const path = join(directory, 'images.lastused')
  return { path, load: () => readIfThere(path), save: (text) => replaceFile(path, text) }
}
