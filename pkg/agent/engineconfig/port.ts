/** What the agent must know and do to change settings of an engine: its file, its process, and a note of the last attempt. */
import type { ReportedRegistries } from './settings.ts'

/** What the agent did last. Kept on the disk, so that the next run of the agent can undo what it finds half done. */
export interface EngineConfigRecord {
  /** The text of the file before; null: there was none. */
  readonly before: string | null
  /** Hash of the text that was written. */
  readonly wrote: string
  /** Hash of what the agent wrote before that, which is there when it was killed in between. */
  readonly replaces?: string
  /** What the engine said before. */
  readonly reported: ReportedRegistries
  /** The old file comes back, by way of one that has the old values spelled out. */
  readonly restoring?: true
  /** The engine did not take it. */
  readonly refused?: RefusedWish
}

/** Whether the agent wrote what is in the file now. */
export function isOurs(record: EngineConfigRecord, file: string): boolean {
  return record.wrote === file || record.replaces === file
}

/** Not tried again while both are the same. */
export interface RefusedWish {
  /** Hash of the wish. */
  readonly wish: string
  /** Hash of the file it was put into. */
  readonly file: string
  readonly message: string
}

export interface EngineProcess {
  readonly pid: number
  readonly commandLine: readonly string[]
}

export interface EngineConfigSight {
  readonly path: string
  /** Undefined: there is no file. */
  readonly text: string | undefined
  /** Undefined when there is none, or `obstacle` says why it cannot be told. */
  readonly process: EngineProcess | undefined
  /** Why the settings of this engine cannot be managed from here, in a sentence. */
  readonly obstacle?: string
  readonly record?: EngineConfigRecord
}

/** What is to be known before anything is decided. */
export interface EngineSettingsSight {
  readonly sight: EngineConfigSight
  /** How the agent reaches its engine: a path; undefined: not by a socket of this machine. */
  readonly socketPath: string | undefined
  readonly engineVersion: string
  readonly reported: ReportedRegistries
  /** The last reload of this run of the agent, and the hash of the file it was asked for; ms since the epoch. */
  readonly reloaded?: { readonly at: number; readonly file: string }
}

export interface EngineFiles {
  look(): Promise<EngineConfigSight>
  /** All of it or nothing, with the owner and the mode that the file has; null removes it. */
  write(text: string | null): Promise<void>
  /** Survives a crash that comes after it. */
  record(record: EngineConfigRecord): Promise<void>
  /** Has the engine's own program check the text. InvalidSpec when it refuses. */
  validate(text: string, process: EngineProcess): Promise<void>
  /** Asks the engine to read its file again; it does so soon, and says nothing. */
  reload(pid: number): Promise<void>
}
