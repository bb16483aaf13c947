/**
 * What was found of Dockerfiles, by their text and all that it was asked with: the same question has the same answer, and
 * a large Dockerfile takes too long to be read in every pass. What no pass asks any more is forgotten.
 */
import { type Judging, judgeDockerfile, type Verdict } from '#pkg/build/dockerfile/judge.ts'

export class Judgements {
  #now = new Map<string, Verdict>()
  #before: ReadonlyMap<string, Verdict> = new Map()

  /** A pass begins. */
  turn(): void {
    this.#before = this.#now
    this.#now = new Map()
  }

  readonly judge = (text: string, judging: Judging): Verdict => {
    const key = JSON.stringify([text, judging])
    const verdict = this.#now.get(key) ?? this.#before.get(key) ?? judgeDockerfile(text, judging)
    this.#now.set(key, verdict)
    return verdict
  }
}
