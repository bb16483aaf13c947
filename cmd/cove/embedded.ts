/**
 * What the build puts into the single executable beside the CLI (hack/build.ts): its version, the daemons, and the
 * code of the storage thread. Run from the sources, both come from the tree.
 */
import { getAsset, isSea } from 'node:sea'
import { Worker, type WorkerOptions } from 'node:worker_threads'
import { startSourceWorker } from '#pkg/storage/sourceworker.ts'

/** Names of assets; hack/build.ts writes under these, this file reads them. */
export const daemonsAsset = 'daemons.js'
export const storageWorkerAsset = 'storage.worker.js'

declare const COVE_VERSION: string
declare const COVE_COMMIT: string

export interface BuildInfo {
  /** `v` and package.json's version; `dev` when run from the sources. */
  readonly version: string
  /** Short hash, with `-dirty` when the tree had changes; empty when unknown. */
  readonly commit: string
}

export function buildInfo(): BuildInfo {
  return isSea() ? { version: COVE_VERSION, commit: COVE_COMMIT } : { version: 'dev', commit: '' }
}

/** `v0.1.0 (665f344)` */
export function versionText({ version, commit }: BuildInfo = buildInfo()): string {
  return commit === '' ? version : `${version} (${commit})`
}

/** The storage thread; the StartWorker that openSqliteStorage asks for. */
export function storageWorker(options: WorkerOptions): Worker {
  if (!isSea()) return startSourceWorker(options)
  return new Worker(getAsset(storageWorkerAsset, 'utf8'), { ...options, eval: true })
}
