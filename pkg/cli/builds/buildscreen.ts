/** What somebody who follows a build writes on, whatever that is. */
import type { Steps } from './steps.ts'

export interface BuildScreen {
  /** What was told so far of the attempt. */
  readonly steps: Steps
  /** A new attempt: its steps are others. */
  begin(): Promise<void>
  /** A line of the log. */
  line(line: string): Promise<void>
  /** What is going on when no step is: `it has no node yet`; empty: nothing is in the way any more. */
  note(text: string): Promise<void>
  /** How it has ended, where it is one of several. */
  tell(text: string): Promise<void>
  /** For what is written elsewhere, and may be seen on the same terminal. */
  aside(write: () => Promise<void>): Promise<void>
  /** Takes away what is redrawn; the lines of steps stay. */
  finish(): Promise<void>
}

/** What lines begin with. */
export interface Heads {
  readonly line: string
  readonly note: string
}
