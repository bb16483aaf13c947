/** Which uploads go: those that no object has named for an hour, and that nobody has asked for meanwhile. */
import { type Ambient, sleep } from '#pkg/apimachinery/ambient.ts'
import { messageOf } from '#pkg/apimachinery/errors.ts'
import type { UploadedFile, Uploads } from './uploads.ts'

/** Between a file and the object that names it a person may stand, or a slow line. */
export const keptForMs = 3_600_000
const lookEveryMs = 600_000

export interface CollectingOptions {
  readonly uploads: Uploads
  /** Names, as keyOf makes them, of all uploads that objects name now. Throws while that is not known. */
  readonly named: () => ReadonlySet<string>
  readonly ambient: Ambient
  readonly signal: AbortSignal
}

export function keyOf({ namespace, digest }: Pick<UploadedFile, 'namespace' | 'digest'>): string {
  return `${namespace}/${digest}`
}

/** Of the files those that have been needless for long enough. Pure. */
export function needless(
  files: readonly UploadedFile[],
  lastNamed: (key: string) => number,
  now: number,
): UploadedFile[] {
  return files.filter((file) => now - Math.max(file.touched, lastNamed(keyOf(file))) > keptForMs)
}

/** Looks again and again until the signal aborts; then resolves. */
export async function collectUploads(options: CollectingOptions): Promise<void> {
  const { ambient, signal } = options
  const lastNamed = new Map<string, number>()
  // What was named before this start is not known: nothing goes before its time has passed anew.
  const started = ambient.clock.now()
  while (await pause(ambient, signal)) {
    try {
      await collectOnce(options, lastNamed, started)
    } catch (error) {
      ambient.log.warn('uploads cannot be looked at', { error: messageOf(error) })
    }
  }
}

async function collectOnce(
  { uploads, named, ambient: { clock, log } }: CollectingOptions,
  lastNamed: Map<string, number>,
  started: number,
): Promise<void> {
  for (const key of named()) lastNamed.set(key, clock.now())
  const files = await uploads.list()
  const known = new Set(files.map(keyOf))
  for (const key of lastNamed.keys()) if (!known.has(key)) lastNamed.delete(key)
  const last = (key: string) => lastNamed.get(key) ?? started
  for (const listed of needless(files, last, clock.now())) {
    // Somebody may have come to want it since.
    const file = named().has(keyOf(listed)) ? undefined : await uploads.find(listed)
    if (file === undefined || needless([file], last, clock.now()).length === 0) continue
    await uploads.remove(file)
    log.info('an upload that nothing names was removed', { upload: keyOf(file), bytes: file.bytes })
  }
}

/** False when the signal has ended it. */
async function pause({ clock }: Ambient, signal: AbortSignal): Promise<boolean> {
  try {
    await sleep(clock, lookEveryMs, signal)
    return true
  } catch (error) {
    if (signal.aborted) return false
    throw error
  }
}
