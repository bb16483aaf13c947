/** Help texts, made from the command table. Pure. */
import type { Flag } from './args.ts'
import type { Command } from './command.ts'
import { commands, commonFlags } from './commandtable.ts'
import { wrap } from './wrap.ts'

/** A command that the program has beside this table, such as `up`. */
export interface OtherCommand {
  readonly name: string
  readonly summary: string
}

export function overview(others: readonly OtherCommand[]): string {
  const all = [...commands, ...others, { name: 'help', summary: 'Print help of a command' }]
  return [
    'cove runs containers on Docker hosts as manifests say.\n\n',
    'Usage:\n  cove COMMAND [options]\n\n',
    'Commands:\n',
    columns(all.map(({ name, summary }) => [name, summary])),
    '\nUse "cove COMMAND --help" for more about a command.\n',
  ].join('')
}

export function commandHelp(command: Command): string {
  return [
    `${command.summary}.\n\n`,
    ...(command.details === undefined ? [] : [`${wrap(command.details, 100)}\n\n`]),
    'Usage:\n',
    ...command.usage.map((line) => `  cove ${line}\n`),
    '\nExamples:\n',
    ...command.examples.map((line) => `  ${line}\n`),
    '\nOptions:\n',
    columns(command.flags.filter(({ refused }) => refused === undefined).map(flagLine)),
    '\nOptions of every command:\n',
    columns(commonFlags.map(flagLine)),
  ].join('')
}

function flagLine({ name, short, value, help, type, bare }: Flag): readonly [string, string] {
  const shortForm = short === undefined ? '    ' : `-${short}, `
  const valueForm = value ?? (type === 'bool' ? '' : 'VALUE')
  const optional = bare === undefined ? ` ${valueForm}` : `[=${valueForm}]`
  return [`${shortForm}--${name}${type === 'bool' ? '' : optional}`, help]
}

function columns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}   ${right}\n`).join('')
}
