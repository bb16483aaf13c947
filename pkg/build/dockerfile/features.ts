/** What of a Dockerfile only BuildKit can do, and since which engine; which builder a Build gets by that. */

import {
  type Builder,
  type Dockerfile,
  type Flag,
  type Instruction,
  isOn,
  type Place,
  type Stage,
} from './dockerfile.ts'
import { compareEngineVersions } from './engineversion.ts'
import { type BuildArgs, platformNames } from './scopes.ts'
import { sourceWords } from './sources.ts'

export interface Feature extends Place {
  /** As messages call it: `RUN --mount`, `heredocs`. */
  readonly name: string
  /** The first engine whose own builders have it; a `# syntax=` brings it to the BuildKit of older ones. */
  readonly since: string
  /** The classic builder of that engine has it, too. */
  readonly classic: boolean
}

/** The first engine that has BuildKit as it is meant here. */
const first = '20.10'

/** Flags that not all builders know, by the version of the engine whose BuildKit does. */
const flagsSince: Readonly<Partial<Record<string, string>>> = {
  'ADD --chmod': first,
  'ADD --link': '23.0',
  'ADD --keep-git-dir': '25.0',
  'ADD --checksum': '25.0',
  'ADD --unpack': '28.3',
  'ADD --exclude': '29.0',
  'COPY --chmod': first,
  'COPY --link': '23.0',
  'COPY --parents': '29.0',
  'COPY --exclude': '29.0',
  'HEALTHCHECK --start-interval': '25.0',
  'RUN --mount': first,
  'RUN --network': '23.0',
  'RUN --security': '29.0',
  'RUN --device': '28.0',
}

/** What not every builder of every engine can do, in the order in which it is written. Arguments that are given need nobody. */
export function featuresOf({ stages }: Dockerfile, args: BuildArgs = {}): readonly Feature[] {
  return stages.flatMap((stage) => [
    ...sameName(stage, stages),
    ...platformOf(stage, args),
    ...[stage.from, ...stage.instructions].flatMap(ofInstruction),
  ])
}

function sameName({ name, index, from }: Stage, stages: readonly Stage[]): Feature[] {
  const isTaken = stages.slice(0, index).some((earlier) => name !== undefined && earlier.name === name)
  return isTaken
    ? [{ ...placeOf(from), name: `a second stage called ${name}`, since: first, classic: false }]
    : []
}

/** Only BuildKit tells the Dockerfile what it builds for. */
function platformOf({ from, instructions }: Stage, args: BuildArgs): Feature[] {
  const asked = [...from.text.matchAll(/\$\{?([A-Z]+)/g)].map(([, name = '']) => ({ name, place: from }))
  const declared = instructions
    .filter(({ keyword }) => keyword === 'ARG')
    .flatMap(({ pairs }) =>
      pairs.map((pair) => ({ name: pair.value === undefined ? pair.key : '', place: pair })),
    )
  return [...asked, ...declared]
    .filter(({ name }) => platformNames.has(name) && !Object.hasOwn(args, name))
    .map(({ name, place }) => ({
      ...placeOf(place),
      name: `the argument ${name}`,
      since: first,
      classic: false,
    }))
}

function ofInstruction(instruction: Instruction): Feature[] {
  const [heredoc] = instruction.heredocs
  const heredocs: Feature[] =
    heredoc === undefined ? [] : [{ ...placeOf(heredoc), name: 'heredocs', since: '23.0', classic: false }]
  const own = instruction.trigger ?? instruction
  return [
    ...heredocs,
    ...own.flags.flatMap((flag) => ofFlag(own, flag)),
    ...intoHere(own),
    ...substitutions(own),
  ]
}

function ofFlag({ keyword }: Instruction, flag: Flag): Feature[] {
  const name = `${keyword} --${flag.name}`
  const since = flagsSince[name]
  if (since === undefined || !isOn(flag)) return []
  return [{ ...placeOf(flag), name, since, classic: keyword === 'HEALTHCHECK' }]
}

/** `COPY a b .`: the classic builder insists on a slash. */
function intoHere(instruction: Instruction): Feature[] {
  const { keyword, args } = instruction
  const to = args.at(-1)
  if ((keyword !== 'COPY' && keyword !== 'ADD') || to?.text !== '.') return []
  if (sourceWords(instruction).length < 2) return []
  return [
    {
      ...placeOf(to),
      name: `${keyword} of several sources to . instead of ./`,
      since: first,
      classic: false,
    },
  ]
}

const unexpanded: ReadonlySet<string> = new Set([
  'RUN',
  'CMD',
  'ENTRYPOINT',
  'SHELL',
  'HEALTHCHECK',
  'MAINTAINER',
])
const modifier = /(?<!\\)\$\{[A-Za-z_][A-Za-z0-9_]*(?:(##?|%%?|\/)|([-+?]))/

/** `${V%x}` and `${V-x}`: older shells of builders know `${V:-x}` only. */
function substitutions(instruction: Instruction): Feature[] {
  if (unexpanded.has(instruction.keyword)) return []
  const [, pattern, plain] = modifier.exec(instruction.text) ?? []
  const operator = pattern ?? plain
  if (operator === undefined) return []
  const since = pattern === undefined ? '24.0' : '26.0'
  return [{ ...placeOf(instruction), name: `the modifier ${operator} of a variable`, since, classic: true }]
}

function placeOf({ line, column }: Place): Place {
  return { line, column }
}

export interface Choosing {
  readonly dockerfile: Dockerfile
  /** spec.builder. */
  readonly builder: 'Auto' | Builder
  readonly args?: BuildArgs
  /** How many secrets steps may read. */
  readonly secrets: number
  /** spec.network. */
  readonly network?: string
  /** What the engine builds with by itself. */
  readonly engineBuilder: Builder
  /** `20.10.24`; absent: any will do. */
  readonly engineVersion?: string
}

/** Why it cannot be built: without a place where it is not the Dockerfile that asks for it. */
export interface Need {
  readonly line?: number
  readonly column?: number
  /** `RUN --mount needs BuildKit, and spec.builder is Classic`. */
  readonly message: string
}

export type Choice = { readonly builder: Builder } | { readonly needs: readonly Need[] }

export function chooseBuilder(choosing: Choosing): Choice {
  const { dockerfile, builder, args, secrets, engineBuilder } = choosing
  const features = featuresOf(dockerfile, args)
  const ofBuildKit = features.filter(({ classic }) => !classic)
  const isNeeded = ofBuildKit.length > 0 || secrets > 0
  const why = whyClassic(choosing)
  if (why !== undefined && isNeeded) return { needs: classicNeeds(ofBuildKit, secrets, why) }
  const isClassic = why !== undefined || (builder === 'Auto' && !isNeeded && engineBuilder === 'Classic')
  const needs = engineNeeds(choosing, features, isClassic)
  if (needs.length > 0) return { needs }
  return { builder: isClassic ? 'Classic' : 'BuildKit' }
}

/** What BuildKit joins by its name. */
const plainNetworks: ReadonlySet<string> = new Set(['default', 'none', 'host'])

/** Undefined: it may be BuildKit as well. */
function whyClassic({ builder, network }: Choosing): string | undefined {
  if (builder === 'Classic') return 'spec.builder is Classic'
  if (builder === 'BuildKit' || network === undefined || plainNetworks.has(network)) return undefined
  return `spec.network ${network} needs the classic builder`
}

function classicNeeds(features: readonly Feature[], secrets: number, why: string): Need[] {
  const ofFile = once(features).map(({ name, line, column }) => ({
    line,
    column,
    message: `${name} ${needs(name)} BuildKit, and ${why}`,
  }))
  const ofSecrets = secrets === 0 ? [] : [{ message: `secrets need BuildKit, and ${why}` }]
  return [...ofFile, ...ofSecrets]
}

function engineNeeds(
  { dockerfile, engineVersion }: Choosing,
  features: readonly Feature[],
  isClassic: boolean,
): Need[] {
  if (engineVersion === undefined) return []
  if (!isClassic && isOlder(engineVersion, '18.09')) {
    return [{ message: `BuildKit needs Docker Engine 18.09 or later, and the node has ${engineVersion}` }]
  }
  // BuildKit reads it with the image that is named there, and that can do more than it.
  if (!isClassic && dockerfile.directives.syntax !== undefined) return []
  const missing = features.filter(({ since }) => isOlder(engineVersion, since))
  return once(missing).map(({ name, since, classic, line, column }) => {
    const what = classic ? '' : 'the BuildKit of '
    const message = `${name} ${needs(name)} ${what}Docker Engine ${since} or later, and the node has ${engineVersion}`
    return { line, column, message }
  })
}

function isOlder(version: string, since: string): boolean {
  const order = compareEngineVersions(version, since)
  return order !== undefined && order < 0
}

function needs(name: string): string {
  return name === 'heredocs' ? 'need' : 'needs'
}

/** The first of each name: the others say the same. */
function once(features: readonly Feature[]): readonly Feature[] {
  return features.filter(
    (feature, index) => features.findIndex(({ name }) => name === feature.name) === index,
  )
}
