/** A snapshot's bytes into a file: whole, synced and verified, or not there at all. */
import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { readSnapshot } from '#pkg/apiserver/data/snapshotfile.ts'
import type { DataOwner } from './dataowner.ts'

/** Closes the owner. Returns the size. An older file of this name is replaced only by a whole new one. */
export async function saveSnapshot(
  owner: DataOwner,
  { file, withKeys }: { readonly file: string; readonly withKeys: boolean },
): Promise<number> {
  // What a kill has left there is nobody's.
  const temporary = `${file}.part`
  await rm(temporary, { force: true })
  try {
    const target = await open(temporary, 'wx', 0o600)
    try {
      for await (const chunk of await owner.snapshot({ withKeys })) await target.writeFile(chunk)
      await target.sync()
    } finally {
      await target.close()
    }
    const { parts } = await readSnapshot(temporary, async () => {})
    await rename(temporary, file)
    await syncDirectory(dirname(file))
    return parts.reduce((sum, part) => sum + part.bytes, 0)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  } finally {
    await owner.close()
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
