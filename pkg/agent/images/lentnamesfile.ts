/** Where the names of lentnames.ts are kept: `images.lent` in the agent's data directory. */
import { join } from 'node:path'
import { readIfThere, replaceFile } from '#pkg/apimachinery/files.ts'
import type { LentStore } from './lentnames.ts'

export function diskLent(directory: string): LentStore {
  const path = join(directory, 'images.lent')
  return { path, load: () => readIfThere(path), save: (text) => replaceFile(path, text) }
}
