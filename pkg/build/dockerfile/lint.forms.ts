/** Rules of how instructions are written. */
import type { Instruction, Keyword } from './dockerfile.ts'
import { commandOf, eachInstruction, type Lint, type LintRule, lintAt } from './lintrule.ts'

/** Straight, typographic and full-width quotes behind a bracket. */
const listOfQuotes = /^\[\s*['"\u2018\u2019\u201c\u201d\uff02\uff07]/
const hasLists: ReadonlySet<Keyword> = new Set([
  'ADD',
  'CMD',
  'COPY',
  'ENTRYPOINT',
  'HEALTHCHECK',
  'RUN',
  'VOLUME',
])

const invalidJson = eachInstruction('InvalidJSONForm', (instruction) => {
  const { keyword, json, args } = instruction
  const text = args.map((word) => word.text).join(' ')
  // In a RUN, a bracket may well be the shell's test.
  const isMeant = listOfQuotes.test(text) || (keyword !== 'RUN' && /^\[.*\]$/s.test(text))
  if (json || !hasLists.has(keyword) || !isMeant) return undefined
  const effect =
    keyword === 'ADD' || keyword === 'COPY' || keyword === 'VOLUME'
      ? 'it is read as plain words'
      : 'a shell runs it as it stands'
  return `${keyword} looks like a list, but is no valid JSON, so that ${effect}: JSON has double quotes`
})

const onlyLast: readonly Keyword[] = ['CMD', 'ENTRYPOINT', 'HEALTHCHECK']

const multiple: LintRule = ({ stages }) =>
  stages.flatMap(({ stage }) =>
    onlyLast.flatMap((keyword): Lint[] => {
      const all = stage.instructions.filter((instruction) => instruction.keyword === keyword)
      const last = all.at(-1)
      if (last === undefined) return []
      return all
        .slice(0, -1)
        .map((one) =>
          lintAt(
            'MultipleInstructions',
            one,
            `this ${keyword} does nothing: only the last one counts, in line ${last.line}`,
          ),
        )
    }),
  )

const maintainer = eachInstruction('Maintainer', ({ keyword }) =>
  keyword === 'MAINTAINER'
    ? 'MAINTAINER is deprecated: LABEL org.opencontainers.image.authors="..." says the same'
    : undefined,
)

const legacyPairs = eachInstruction('LegacyEnvFormat', ({ keyword, legacy, pairs }) =>
  legacy
    ? `${keyword} KEY VALUE is deprecated: ${keyword} ${pairs[0]?.key ?? 'KEY'}="..." is clear`
    : undefined,
)

/** Words that only a shell knows. */
const builtins: ReadonlySet<string> = new Set([
  'exec',
  'cd',
  'export',
  'source',
  '.',
  'set',
  'eval',
  'ulimit',
])

const shellWord = eachInstruction('ExecInCmd', ({ keyword, json, args }) => {
  const [first] = args
  if ((keyword !== 'CMD' && keyword !== 'ENTRYPOINT') || !json || first === undefined) return undefined
  if (!builtins.has(first.text)) return undefined
  const then = first.text === 'exec' ? 'leave it out' : 'only a shell knows it'
  return `${keyword} would start a program called ${first.text}, and there is none: ${then}`
})

const exitTwo = eachInstruction('ExitTwoHealthcheck', (instruction) =>
  instruction.keyword === 'HEALTHCHECK' && /\bexit\s+["']?2\b/.test(commandOf(instruction))
    ? 'exit code 2 of a health check is reserved: 1 means unhealthy'
    : undefined,
)

const shellEntrypoint = eachInstruction('ShellEntrypoint', ({ keyword, json, args }) =>
  keyword === 'ENTRYPOINT' && !json && args.length > 0
    ? 'ENTRYPOINT in shell form takes no arguments, ignores CMD, and a shell gets its signals: write it as a list'
    : undefined,
)

/** The command is only that; a systemctl has nobody to talk to, whatever comes behind it. */
const notInForeground =
  /^\s*(?:(?:\/\S*\/)?service\s+\S+\s+start|\/etc\/(?:rc\.d\/)?init\.d\/\S+\s+start|(?:\/\S*\/)?initctl\s+start\s+\S+)\s*$/
const ofSystemd = /^\s*(?:\/\S*\/)?systemctl\s+(?:\S+\s+)?(?:start|restart|enable)\s/

const background = eachInstruction('BackgroundService', (instruction) => {
  const { keyword } = instruction
  if (keyword !== 'CMD' && keyword !== 'ENTRYPOINT') return undefined
  const command = commandOf(instruction)
  if (ofSystemd.test(command))
    return 'no systemd runs in a container: start the program itself, in the foreground'
  if (!notInForeground.test(command)) return undefined
  return 'the container ends with this command: start the program itself, in the foreground'
})

const sudo = eachInstruction('Sudo', (instruction) => {
  const { keyword } = instruction
  if (keyword !== 'RUN' && keyword !== 'CMD' && keyword !== 'ENTRYPOINT') return undefined
  if (!/(?:^|[;&|(]\s*)sudo\s/.test(commandOf(instruction))) return undefined
  return 'sudo often fails without a terminal: use USER, or gosu or su-exec where a program changes its user'
})

const emptyLines: LintRule = ({ stages }) =>
  stages.flatMap(({ stage }) =>
    stage.instructions.flatMap(({ emptyLines: lines }: Instruction): Lint[] =>
      lines.slice(0, 1).map((line) => ({
        rule: 'EmptyContinuationLine',
        line,
        column: 1,
        message: 'an empty line between continued ones will become an error: remove it, or make it a comment',
      })),
    ),
  )

export const formRules: readonly LintRule[] = [
  invalidJson,
  multiple,
  maintainer,
  legacyPairs,
  shellWord,
  exitTwo,
  shellEntrypoint,
  background,
  sudo,
  emptyLines,
]
