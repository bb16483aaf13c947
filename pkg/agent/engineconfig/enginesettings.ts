/** Keeps the settings of the engine as its Node asks: looks at file and process, does what the plan says. */
import type { Clock, Logger } from '#pkg/apimachinery/ambient.ts'
import type { NodeSpec } from '#pkg/apis/node.ts'
import type { OpOf } from '../ops.ts'
import { patienceMs } from './engineconfig.plan.ts'
import { type EngineConfigSight, type EngineFiles, isOurs } from './port.ts'
import { hashOf, wishOf } from './settings.ts'

/** After a reload, an engine that is gone within this time is taken to have gone because of it; ms. */
const blamedFor = patienceMs

export interface EngineSettingsFacts {
  readonly sight: EngineConfigSight
  readonly reloaded?: { readonly at: number; readonly file: string }
}

export class EngineSettings {
  readonly #files: EngineFiles
  readonly #clock: Clock
  readonly #log: Logger
  #reloaded: { readonly at: number; readonly file: string } | undefined
  /** Whether an earlier run may have left something half done. */
  #unseen = true

  constructor(options: { files: EngineFiles; clock: Clock; log: Logger }) {
    this.#files = options.files
    this.#clock = options.clock
    this.#log = options.log
  }

  /** Undefined when nothing is asked for and nothing half done: then nothing is looked at either. */
  async look(wanted: NodeSpec['engine']): Promise<EngineSettingsFacts | undefined> {
    if (wishOf(wanted) === undefined && !this.#unseen) return undefined
    const sight = await this.#files.look()
    this.#unseen =
      wishOf(wanted) !== undefined || (sight.record !== undefined && this.#reloaded === undefined)
    return { sight, ...(this.#reloaded !== undefined && { reloaded: this.#reloaded }) }
  }

  /** The note comes first: whoever finds the new file finds what was there before. */
  async write({ text, record, checkBy }: OpOf<'writeEngineConfig'>): Promise<void> {
    if (text !== null && checkBy != null) await this.#files.validate(text, checkBy)
    await this.#files.record(record)
    await this.#files.write(text)
  }

  async reload({ pid, file }: OpOf<'reloadEngine'>): Promise<void> {
    // Also when it fails: what cannot be told to the engine is put back when its time has come.
    this.#reloaded = { at: this.#clock.now(), file }
    this.#unseen = true
    await this.#files.reload(pid)
  }

  /** The engine does not answer: when it has died of what it was given, it gets its old file back to start with. */
  async putBackForTheDead(): Promise<void> {
    const reloaded = this.#reloaded
    if (reloaded === undefined || this.#clock.now() - reloaded.at > blamedFor) return
    const { process, record, text, path } = await this.#files.look()
    const file = hashOf(text)
    const old = record && hashOf(record.before ?? undefined)
    if (process !== undefined || record === undefined || !isOurs(record, file) || old === file) return
    const message = 'the engine ended when it was asked to read it'
    await this.#files.record({ ...record, wrote: hashOf(record.before ?? undefined), replaces: file })
    await this.#files.write(record.before)
    this.#log.error('settings of the engine put back', { path, error: message })
  }
}
