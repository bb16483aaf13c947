/** What a registry is asked about an Image that follows it, what it says, and what becomes of that. */
import type { ImageStatus } from '#pkg/apis/image.ts'

/** What is asked of a registry; the same question has the same key. */
export interface Question {
  readonly key: string
  /** The repository, and with policy Digest the tag: canonical. */
  readonly reference: string
  readonly range?: string
  readonly filter?: string
}

export interface RegistryAnswer {
  /** Key of the question. */
  readonly question: string
  /** ms since the epoch. */
  readonly at: number
  /** What stands for the credentials of then. */
  readonly askedWith?: string
  /** The value of the annotation that asked for it. */
  readonly request?: string
  /** Absent with an error, and when no tag counts. */
  readonly found?: { readonly tag: string; readonly digest: string }
  readonly error?: { readonly reason: string; readonly message: string; readonly retryAfterSeconds?: number }
  /** In a row, this one included. */
  readonly failures: number
}

export type Candidate = NonNullable<ImageStatus['candidate']>

/** What becomes of a candidate. */
export type Outcome =
  | { readonly is: 'none' }
  | { readonly is: 'take'; readonly candidate: Candidate }
  /** To the reference before. */
  | { readonly is: 'back'; readonly reference: string }
  | {
      readonly is: 'wait'
      readonly candidate: Candidate
      readonly waitingFor: NonNullable<Candidate['waitingFor']>
      readonly wakeAt?: number
    }
