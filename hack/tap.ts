/** Reads ava's TAP line by line: what passed, what failed, and what there is to say about a failure. */

export interface Counts {
  passed: number
  failed: number
  skipped: number
}

const point = /^(?<not>not )?ok \d+ - (?<title>.*?)(?<directive> # (?:SKIP|TODO).*)?$/

export class TapReader {
  readonly counts: Counts = { passed: 0, failed: 0, skipped: 0 }
  /** Title and diagnostics of each failure. */
  readonly failures: string[] = []
  readonly #print: (line: string) => void
  #diagnosing = false

  constructor(print: (line: string) => void) {
    this.#print = print
  }

  line(text: string): void {
    const groups = point.exec(text)?.groups
    if (groups !== undefined) this.#take(groups)
    else if (this.#diagnosing && text.startsWith('  ')) this.#diagnose(text)
    else if (!/^(?:TAP version|1\.\.\d+|# (?:tests|pass|fail|skip)|\s*$)/.test(text)) this.#print(text)
  }

  #take(groups: Partial<Record<string, string>>): void {
    const title = groups['title'] ?? ''
    this.#diagnosing = groups['not'] !== undefined && groups['directive'] === undefined
    if (groups['directive'] !== undefined) {
      this.counts.skipped++
      this.#print(`  -     ${title}${groups['directive']}`)
    } else if (this.#diagnosing) {
      this.counts.failed++
      this.failures.push(title)
      this.#print(`  FAIL  ${title}`)
    } else {
      this.counts.passed++
      this.#print(`  ok    ${title}`)
    }
  }

  /** Belongs to the last failure. */
  #diagnose(text: string): void {
    if (text.trim() === '---' || text.trim() === '...') return
    this.failures.push(`${this.failures.pop() ?? ''}\n  ${text}`)
    this.#print(`      ${text}`)
  }
}
