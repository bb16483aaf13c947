/**
 * The part of the engine port (port.ts) that builds images. Failures are as there; besides, BuildFailed for a step or a
 * Dockerfile that the builder refuses: its message is what the builder says, its details are in BuildFailure.
 */
import { StatusError } from '#pkg/apimachinery/errors.ts'

export type Builder = 'Classic' | 'BuildKit'

/** What happens while it builds, in order. Steps are numbered from 1: as the classic builder does, or as they begin. */
export type BuildEvent =
  | {
      readonly type: 'step'
      readonly step: number
      /** How many there are; BuildKit finds more as it goes. */
      readonly of: number
      /** As the builder writes it: `RUN make`; BuildKit's `[build 2/4] ` is left out. */
      readonly instruction: string
      /** Name of the stage, where the builder tells. */
      readonly stage?: string
      /** BuildKit only: its place among those of its stage that make layers, counted from 1. */
      readonly inStage?: { readonly step: number; readonly of: number }
    }
  | {
      readonly type: 'stepDone'
      readonly step: number
      readonly state: 'Done' | 'Cached' | 'Failed' | 'Canceled'
      /** Where the builder tells; else whoever listens measures. */
      readonly seconds?: number
      /** The first 12 digits of the id of the image after it. Classic only. */
      readonly layer?: string
    }
  /** What a step, or the builder itself, writes: as it comes, not by lines. */
  | { readonly type: 'output'; readonly step?: number; readonly text: string }
  | { readonly type: 'warning'; readonly message: string; readonly line?: number }

/** What is asked of a builder, besides what it is to be made of. */
export interface BuildSettings {
  readonly builder: Builder
  /** The image has them when the build has ended well, not before. */
  readonly tags: readonly string[]
  readonly args: Readonly<Record<string, string>>
  readonly labels: Readonly<Record<string, string>>
  readonly target?: string
  readonly platform?: string
  /** default, none, host, or the name of a network of the engine. */
  readonly network?: string
  readonly noCache: boolean
  readonly cacheFrom: readonly string[]
}

export interface BuildOptions extends BuildSettings {
  /** A tar archive of the context, the Dockerfile in it. */
  readonly context: AsyncIterable<Uint8Array>
  /** Path of the Dockerfile in it. */
  readonly dockerfile: string
  /** By id. BuildKit only. */
  readonly secrets: ReadonlyMap<string, Uint8Array>
  readonly onEvent: (event: BuildEvent) => void
  /** Ends the build on the engine, too. */
  readonly signal: AbortSignal
}

export interface BuiltImage {
  readonly image: string
  /** Ids of the images of its other stages, that were made or taken from the cache. Classic only. */
  readonly stages: readonly string[]
}

export interface EngineBuilds {
  /**
   * Base images that the engine has are taken as they are; others it pulls without credentials. Containers of steps are
   * gone when it ends, however it ends.
   */
  buildImage(options: BuildOptions): Promise<BuiltImage>
}

/** What is known of a step that failed. */
export interface BuildFailureDetails {
  readonly step?: number
  readonly exitCode?: number
  /** Of the Dockerfile that was sent. */
  readonly line?: number
}

export class BuildError extends StatusError {
  readonly failure: BuildFailureDetails

  constructor(message: string, failure: BuildFailureDetails, options?: ErrorOptions) {
    super('BuildFailed', message, {}, options)
    this.failure = failure
  }
}
