/** What is known of the engine: what it said of itself, and what it held when it was last looked at. */
import type { Engine, EngineInfo } from '#pkg/engine/port.ts'
import { Observer } from './observe.ts'

export class EngineSight {
  readonly engine: Engine
  readonly observer: Observer
  #info: EngineInfo | undefined

  constructor(engine: Engine) {
    this.engine = engine
    this.observer = new Observer(engine)
  }

  /** As it said last; undefined: it is to be asked. */
  get info(): EngineInfo | undefined {
    return this.#info
  }

  /** Asked once, until that is forgotten. */
  async mustKnow(): Promise<EngineInfo> {
    this.#info ??= await this.engine.info()
    return this.#info
  }

  forgetInfo(): void {
    this.#info = undefined
  }

  /** All of it may be otherwise by now. */
  forget(): void {
    this.forgetInfo()
    this.observer.invalidateAll()
  }
}
