/** Help texts, made from the command table. Pure. */
import type { Flag } from './args.ts'
import { type Command, namesOf } from './command.ts'
import { commonFlags } from './commandtable.flags.ts'
import { commandGroups } from './commandtable.ts'
import { wrap } from './wrap.ts'

/** A command that the program has beside this table, such as `up`. */
export interface OtherCommand {
  readonly name: string
  readonly summary: string
}

export function overview(others: readonly OtherCommand[]): string {
  const last = commandGroups.length - 1
  const own = [...others, { name: 'help', summary: 'Print help of a command' }]
  const groups = commandGroups.map(({ title, commands }, index): [string, readonly OtherCommand[]] => [
    title,
    index === last ? [...commands, ...own] : commands,
  ])
  const width = Math.max(...groups.flatMap(([, listed]) => listed).map(({ name }) => name.length))
  const section = ([title, listed]: (typeof groups)[number]) =>
    `${title}:\n${columns(
      listed.map(({ name, summary }) => [name, summary]),
      width,
    )}\n`
  return [
    'cove runs containers on Docker hosts as manifests say.\n\n',
    'Usage:\n  cove COMMAND [options]\n\n',
    ...groups.map(section),
    'Use "cove COMMAND --help" for more about a command.\n',
  ].join('')
}

export function commandHelp(command: Command): string {
  const flags = command.flags.filter(({ refused }) => refused === undefined)
  return [
    `${command.summary}.\n\n`,
    ...(command.details === undefined ? [] : [`${wrap(command.details, 100)}\n\n`]),
    'Usage:\n',
    ...command.usage.map((line) => `  cove ${line}\n`),
    ...aliasLines(command),
    '\nExamples:\n',
    ...command.examples.map((line) => `  ${line}\n`),
    ...(flags.length === 0 ? [] : ['\nOptions:\n', columns(flags.map(flagLine))]),
    '\nOptions of every command:\n',
    columns(commonFlags.map((flag) => flagLine(besides(flags, flag)))),
  ].join('')
}

function aliasLines(command: Command): string[] {
  const [, ...aliases] = namesOf(command)
  return aliases.length === 0 ? [] : [`\nThe same: ${aliases.map((name) => `cove ${name}`).join(', ')}\n`]
}

/** Of a word that only begins the names of commands: `image`. */
export function groupHelp(group: string, members: readonly Command[], introduction = ''): string {
  return [
    introduction === '' ? '' : `${wrap(introduction, 100)}\n\n`,
    `Usage:\n  cove ${group} COMMAND [options]\n\nCommands:\n`,
    columns(members.map(({ name, summary }) => [name, summary])),
    `\nUse "cove ${group} COMMAND --help" for more about a command.\n`,
  ].join('')
}

/** A letter that the command itself has is not that of the common flag there. */
function besides(flags: readonly Flag[], { short, ...common }: Flag): Flag {
  const isFree = short !== undefined && flags.every((flag) => flag.short !== short)
  return isFree ? { ...common, short } : common
}

function flagLine({ name, short, value, help, type, bare, oneOf }: Flag): readonly [string, string] {
  const shortForm = short === undefined ? '    ' : `-${short}, `
  const valueForm = oneOf?.join('|') ?? value ?? 'VALUE'
  const optional = bare === undefined ? ` ${valueForm}` : `[=${valueForm}]`
  return [`${shortForm}--${name}${type === 'bool' ? '' : optional}`, help]
}

function columns(rows: readonly (readonly [string, string])[], least = 0): string {
  const width = Math.max(least, ...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}   ${right}\n`).join('')
}
