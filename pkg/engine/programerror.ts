/**
 * Why a program could not be run in a container, from the sentences of runtimes and shells: a door where foreign words
 * become ours. Pure.
 */

export interface ProgramError {
  /** As it was asked for. */
  readonly program: string
  readonly why: 'missing' | 'forbidden' | 'directory' | 'foreign'
}

interface Sentence {
  readonly when: RegExp
  readonly why: ProgramError['why']
}

/** Group 1 is the program. Those of runc and crun, then those of shells. */
const sentences: readonly Sentence[] = [
  { when: /exec: "([^"]*)": .*is a directory/i, why: 'directory' },
  { when: /exec: "([^"]*)": .*exec format error/i, why: 'foreign' },
  { when: /exec ([^\s":]+): exec format error/i, why: 'foreign' },
  { when: /exec: "([^"]*)": .*permission denied/i, why: 'forbidden' },
  { when: /exec: "([^"]*)": .*(?:executable file not found|no such file or directory)/i, why: 'missing' },
  { when: /executable file [`'"]([^`'"]*)[`'"] not found/i, why: 'missing' },
  { when: /^(?:\S*sh|\S*bash): (?:line )?(?:\d+: )?([^\s:]+): (?:command )?not found$/im, why: 'missing' },
  { when: /^(?:\S*sh|\S*bash): (?:line )?(?:\d+: )?([^\s:]+): Permission denied$/im, why: 'forbidden' },
]

/** Undefined when the words tell of something else. */
export function programError(words: string): ProgramError | undefined {
  for (const { when, why } of sentences) {
    const program = when.exec(words)?.[1]
    if (program !== undefined) return { program, why }
  }
  return undefined
}

/** What is the case, in a sentence without its end. */
export function tellProgramError({ program, why }: ProgramError): string {
  if (why === 'directory') return `"${program}" is a directory of the image, not a program`
  if (why === 'foreign')
    return `"${program}" is no program that this machine can run: the image may be made for another architecture, or a script may lack its #! line`
  if (why === 'forbidden') return `"${program}" of the image may not be executed: it lacks the permission`
  return program.includes('/')
    ? `the image has no program "${program}", or not what it needs to run, such as the interpreter of a script`
    : `the image has no program "${program}" in its $PATH`
}
