/** Files of ConfigMaps and Secrets on the node's disk, where containers mount them from. */
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { diskError } from '#pkg/apimachinery/files.ts'
import type { ProjectedFiles } from './ops.ts'

/** Where a node keeps projected files. */
export interface NodeFiles {
  /** Absolute, as containers mount from it. */
  readonly root: string
  write(projected: ProjectedFiles): Promise<void>
  /** Removes the directories that are not in use. */
  sweep(inUse: (directory: string) => boolean): Promise<void>
}

export function diskFiles(root: string): NodeFiles {
  return {
    root,
    async write(projected) {
      try {
        await writeProjected(root, projected)
      } catch (error) {
        throw diskError(error, `files for containers cannot be written below ${root}`)
      }
    },
    sweep: (inUse) => sweepProjected(root, inUse),
  }
}

/**
 * Writes the directory whole or not at all: it is made beside its place and renamed. A directory's name stands
 * for its content, so one that is there is left as it is. The root is closed to other users; containers get in
 * through their mount.
 */
async function writeProjected(root: string, projected: ProjectedFiles): Promise<void> {
  const target = join(root, projected.directory)
  await mkdir(root, { recursive: true, mode: 0o700 })
  await mkdir(dirname(target), { recursive: true })
  const building = `${target}.building`
  await rm(building, { recursive: true, force: true })
  await mkdir(building)
  try {
    for (const [name, content] of Object.entries(projected.files)) {
      await writeFile(join(building, name), Buffer.from(content, 'base64'), { mode: 0o644, flush: true })
    }
  } catch (error) {
    // Half of it would take what room there is.
    await rm(building, { recursive: true, force: true })
    throw error
  }
  try {
    await rename(building, target)
  } catch (error) {
    if (!isOccupied(error)) throw error
    await rm(building, { recursive: true, force: true })
  }
}

async function sweepProjected(root: string, inUse: (directory: string) => boolean): Promise<void> {
  await mkdir(root, { recursive: true, mode: 0o700 })
  for (const uid of await readdir(root)) {
    const directories = (await readdir(join(root, uid))).map((name) => `${uid}/${name}`)
    const idle = directories.filter((directory) => !inUse(directory))
    for (const directory of idle) await rm(join(root, directory), { recursive: true, force: true })
    if (idle.length === directories.length) await rm(join(root, uid), { recursive: true, force: true })
  }
}

function isOccupied(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOTEMPTY' || error.code === 'EEXIST')
}
