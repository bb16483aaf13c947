/** A small file system of a test's own, made of a file and mounted, to be filled to the last byte. Needs root and loop devices. */
import { execFile } from 'node:child_process'
import { constants } from 'node:fs'
import { access, mkdir, open, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { makeTempDir, type Teardown } from './tempdir.ts'

const run = promisify(execFile)

export interface SmallDisk {
  /** Where it is mounted. */
  readonly path: string
  availableBytes(): Promise<number>
  /** Takes all that is left but `spare` bytes. */
  fill(spare?: number): Promise<void>
  /** Gives back what `fill` took. */
  free(): Promise<void>
}

/** Why this machine has no small disks; undefined: it has. */
export async function noSmallDisks(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'mounting needs root'
  try {
    await access('/dev/loop-control', constants.W_OK)
    await run('mkfs.ext4', ['-V'])
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

export async function makeSmallDisk(t: Teardown, megabytes: number): Promise<SmallDisk> {
  const directory = await makeTempDir(t, 'disk')
  const image = join(directory, 'image')
  const path = join(directory, 'mounted')
  const file = await open(image, 'w')
  await file.truncate(megabytes * 1024 * 1024)
  await file.close()
  // No reserve for root, who runs these tests: full is to be full.
  await run('mkfs.ext4', ['-q', '-m', '0', '-O', '^has_journal', image])
  await mkdir(path)
  await run('mount', ['-o', 'loop', image, path])
  t.teardown(async () => {
    await run('umount', ['--lazy', path])
  })
  const ballast = join(path, '.ballast')
  const availableBytes = async () => {
    const { bavail, bsize } = await statfs(path)
    return bavail * bsize
  }
  return {
    path,
    availableBytes,
    fill: (spare = 0) => fill(ballast, availableBytes, spare),
    free: () => rm(ballast, { force: true }),
  }
}

async function fill(path: string, availableBytes: () => Promise<number>, spare: number): Promise<void> {
  const file = await open(path, 'a')
  try {
    const chunk = Buffer.alloc(64 * 1024)
    for (let left = await availableBytes(); left > spare; left = await availableBytes()) {
      await file.write(chunk, 0, Math.min(chunk.length, left - spare))
      await file.sync()
    }
  } catch (error) {
    // What its own bookkeeping takes cannot be told before.
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error
  } finally {
    await file.close()
  }
}
