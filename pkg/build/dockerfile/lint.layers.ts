/** Rules of layers: how many, what stays in them, and what a step cannot hand to the next. */
import { posix } from 'node:path'
import type { Instruction } from './dockerfile.ts'
import { layersOf, makesLayer, mostLayers } from './layers.ts'
import { commandOf, eachInstruction, type Lint, type LintRule, lintAt } from './lintrule.ts'

const manyLayers = 100

const layerCount: LintRule = ({ scoped, image }) => {
  const last = image.at(-1)
  if (last === undefined) return []
  const { own, excess } = layersOf(scoped, last.stage)
  if (own <= manyLayers) return []
  const message = `the image has ${own} layers and those of its base: more than ${mostLayers} cannot be built; join RUNs by &&`
  return [{ rule: 'LayerCount', message, ...excess }]
}

/** Only the layers of the image itself cost something. */
const consecutiveRun: LintRule = ({ image }) =>
  image.flatMap(({ stage }) => {
    const groups = runs(stage.instructions).filter((group) => group.length > 1)
    return groups.flatMap(([first, ...more]): Lint[] => {
      const last = more.at(-1)
      if (first === undefined || last === undefined) return []
      const message = `${more.length + 1} RUNs in a row, to line ${last.line}, make a layer each: one RUN with && makes one`
      return [lintAt('ConsecutiveRun', first, message)]
    })
  })

function runs(instructions: readonly Instruction[]): Instruction[][] {
  const groups: Instruction[][] = [[]]
  for (const instruction of instructions) {
    if (instruction.keyword === 'RUN') groups.at(-1)?.push(instruction)
    else groups.push([])
  }
  return groups
}

const lostAtEnd = /(?:^|&&|;)\s*(cd\s+[^\s;&|]+|export\s+\w+=[^;&|]*)$/

const runCd = eachInstruction('RunCd', (instruction) => {
  const { keyword, json, heredocs } = instruction
  if (keyword !== 'RUN' || json || heredocs.length > 0) return undefined
  const [, lost] = lostAtEnd.exec(commandOf(instruction).trimEnd()) ?? []
  if (lost === undefined) return undefined
  const instead = lost.startsWith('cd') ? 'WORKDIR' : 'ENV'
  return `\`${lost.trim()}\` is forgotten when this RUN ends: use ${instead}`
})

const caches: readonly { readonly filled: RegExp; readonly cleaned: RegExp }[] = [
  {
    filled: /\bapt(?:-get)?\s+(?:\S+\s+){0,8}(?:update|install)\b/,
    cleaned: /\/var\/lib\/apt\/lists|\bapt(?:-get)?\s+clean\b/,
  },
  {
    filled: /\bapk\s+(?:\S+\s+){0,8}(?:add|update)\b/,
    cleaned: /\/var\/cache\/apk|\bapk\s+(?:\S+\s+){0,8}cache\s+clean\b/,
  },
  { filled: /\b(?:yum|dnf)\s+(?:\S+\s+){0,8}install\b/, cleaned: /\b(?:yum|dnf)\s+clean\b/ },
]

/** A file that a later layer removes is in the image all the same. */
const removedLater: LintRule = ({ image }) => {
  const making = image.flatMap(({ stage }) => stage.instructions).filter(makesLayer)
  return making.flatMap((instruction, index): Lint[] => {
    if (instruction.keyword !== 'RUN') return []
    const command = commandOf(instruction)
    const earlier = making.slice(0, index)
    const filled =
      earlier.find((one) => fillsCache(one, command)) ?? earlier.find((one) => adds(one, removedBy(command)))
    if (filled === undefined) return []
    const message = `what line ${filled.line} adds is removed here, and stays in its layer: remove it in the same RUN`
    return [lintAt('RemovedInLaterLayer', instruction, message)]
  })
}

function fillsCache(instruction: Instruction, cleaning: string): boolean {
  const command = instruction.keyword === 'RUN' ? commandOf(instruction) : ''
  return caches.some(
    ({ filled, cleaned }) =>
      cleaned.test(cleaning) && !filled.test(cleaning) && filled.test(command) && !cleaned.test(command),
  )
}

/** Plain paths behind `rm`. */
function removedBy(command: string): readonly string[] {
  return [...command.matchAll(/(?:^|[;&|(\s])rm\s+([^;&|]+)/g)].flatMap(([, words = '']) =>
    words
      .split(/\s+/)
      .map((word) => word.replace(/^["']|["']$/g, ''))
      .filter((word) => word.length > 1 && !word.startsWith('-') && !/[$`*?]/.test(word))
      .map((word) => posix.normalize(word).replace(/\/$/, '')),
  )
}

function adds(instruction: Instruction, removed: readonly string[]): boolean {
  if (removed.length === 0) return false
  if (instruction.keyword === 'RUN') {
    const command = commandOf(instruction)
    const own = new Set(removedBy(command))
    return removed.some((path) => !own.has(path) && writes(command, path))
  }
  const destination = instruction.args.at(-1)?.text ?? ''
  return removed.some((path) => places(instruction, destination).includes(path))
}

/** Whether the path is a word of the command, or the value of one: `of=/big`. */
function writes(command: string, path: string): boolean {
  const around = `(?:^|[\\s=>"'])${RegExp.escape(path)}(?:$|[\\s;&|"'/)])`
  return new RegExp(around).test(command)
}

/** Where it may put its sources. */
function places({ args }: Instruction, destination: string): string[] {
  const directory = destination.replace(/\/+$/, '')
  const inside = args.slice(0, -1).map(({ text }) => posix.join(destination, posix.basename(text)))
  return [directory, ...inside]
}

/** The classic builder forgets what a RUN writes into a volume. */
const writeBelowVolume: LintRule = ({ stages, building: { builder } }) => {
  if (builder === 'BuildKit') return []
  return stages.flatMap(({ stage }) => {
    const volumes = new Set<string>()
    return stage.instructions.flatMap((instruction): Lint[] => {
      if (instruction.keyword === 'VOLUME') {
        for (const { text } of instruction.args) volumes.add(text.replace(/\/+$/, ''))
        return []
      }
      if (instruction.keyword !== 'RUN') return []
      const command = commandOf(instruction)
      const below = [...volumes].find((path) => path.startsWith('/') && writes(command, path))
      if (below === undefined) return []
      const message = `${below} is a VOLUME by now: the classic builder forgets what is written there; put VOLUME behind it`
      return [lintAt('WriteBelowVolume', instruction, message)]
    })
  })
}

export const layerRules: readonly LintRule[] = [
  layerCount,
  consecutiveRun,
  runCd,
  removedLater,
  writeBelowVolume,
]
