/** A directory of a test's own, removed when the test ends, however it ends. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** What is needed of ava's `t`. */
export interface Teardown {
  teardown(run: () => Promise<void>): void
}

export async function makeTempDir(t: Teardown, name = 'test'): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), `cove-${name}-`))
  t.teardown(() => rm(path, { recursive: true, force: true }))
  return path
}
