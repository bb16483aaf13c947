/**
 * Which part of what a container was to be the engine refused, from the sentences of engines and runtimes: a door where
 * foreign words become ours. Pure.
 */

export type RefusedPart = 'capability' | 'logging' | 'sysctl' | 'nothingToRun' | 'memory'

/** Those of Docker Engine and runc. */
const sentences: readonly { readonly when: RegExp; readonly part: RefusedPart }[] = [
  { when: /unknown capability/i, part: 'capability' },
  { when: /logging plugin|logging driver|log driver|unknown log opt/i, part: 'logging' },
  { when: /\/proc\/sys\/|\bsysctl\b/i, part: 'sysctl' },
  { when: /no command specified/i, part: 'nothingToRun' },
  { when: /minimum memory limit/i, part: 'memory' },
]

/** Undefined when the words tell of something else. */
export function refusedPart(words: string): RefusedPart | undefined {
  return sentences.find(({ when }) => when.test(words))?.part
}
