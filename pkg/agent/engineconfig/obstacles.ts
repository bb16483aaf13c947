/** Why the settings of an engine are not touched, in words for whoever asked for them. Pure. */
import { resolve } from 'node:path'
import type { EngineSettingsSight } from './port.ts'
import {
  faultOf,
  namedSettings,
  parseFile,
  type RegistrySettings,
  settingFlags,
  settingsIn,
} from './settings.ts'

export interface Refusal {
  readonly reason: string
  readonly message: string
}

const usualConfigFile = '/etc/docker/daemon.json'
const usualSockets = ['/var/run/docker.sock', '/run/docker.sock']

export function obstacleOf(wish: RegistrySettings, input: EngineSettingsSight): Refusal | undefined {
  const { sight, socketPath } = input
  if (sight.obstacle !== undefined) return { reason: 'Unsupported', message: sight.obstacle }
  const fault = faultOf(wish)
  if (fault !== undefined) return { reason: 'InvalidSetting', message: fault }
  const parsed = parseFile(sight.text)
  if (!parsed.ok) return brokenFile(sight.path, `is not valid JSON (${parsed.message})`)
  const found = settingsIn(parsed.content)
  if (typeof found === 'string') return brokenFile(sight.path, `cannot be used: ${found}`)
  const words = sight.process?.commandLine ?? []
  return (
    otherEngine(words, parsed.content['hosts'], socketPath, sight.path) ??
    flagInTheWay(wish, words, sight.path)
  )
}

function brokenFile(path: string, what: string): Refusal {
  const message = `${path} ${what}; it is left as it is, and the engine would not start with it: mend it by hand`
  return { reason: 'ConfigInvalid', message }
}

/** The file and the process must be those of the engine that the agent works with. */
function otherEngine(
  words: readonly string[],
  hostsInFile: unknown,
  socketPath: string | undefined,
  path: string,
): Refusal | undefined {
  const reads = resolve(valuesOf(words, ['--config-file']).at(-1) ?? usualConfigFile)
  if (reads !== resolve(path)) {
    const message = `the engine reads ${reads}, not ${path}: start the agent with --engine-config ${reads}`
    return { reason: 'Unsupported', message }
  }
  const inFile = Array.isArray(hostsInFile) ? hostsInFile.map(String) : []
  const hosts = [...valuesOf(words, ['--host', '-H']), ...inFile]
  const sockets = hosts.length === 0 ? usualSockets : hosts.flatMap(socketsOf)
  if (socketPath !== undefined && sockets.includes(resolve(socketPath))) return undefined
  const message = `the engine behind ${socketPath ?? 'this address'} is not the process that was found, which serves ${hosts.join(', ') || usualSockets[0]}: start the agent with the --engine-pidfile of its engine`
  return { reason: 'Unsupported', message }
}

/** `fd://`: systemd listens for it, where docker.socket says. */
function socketsOf(host: string): string[] {
  if (host.startsWith('fd://')) return usualSockets
  const path = host.replace(/^unix:\/\//, '')
  return path.startsWith('/') ? (usualSockets.includes(path) ? usualSockets : [resolve(path)]) : []
}

/** dockerd does not start when a setting is both a flag and in its file. */
function flagInTheWay(wish: RegistrySettings, words: readonly string[], path: string): Refusal | undefined {
  const clash = namedSettings(wish).find((setting) => valuesOf(words, [settingFlags[setting]]).length > 0)
  if (clash === undefined) return undefined
  const flag = settingFlags[clash]
  const message = `the engine was started with ${flag}: with the same in ${path} it would not start again; take the flag off first`
  return { reason: 'SetByFlag', message }
}

/** Of a flag on a command line: `--flag value`, `--flag=value`, `-F value`, `-Fvalue`. */
function valuesOf(words: readonly string[], flags: readonly string[]): string[] {
  return words.flatMap((word, index) => {
    if (flags.includes(word)) return [words[index + 1] ?? '']
    const flag = flags.find((each) => word.startsWith(each.startsWith('--') ? `${each}=` : each))
    return flag === undefined || word.startsWith('--') !== flag.startsWith('--')
      ? []
      : [word.slice(flag.length).replace(/^=/, '')]
  })
}
