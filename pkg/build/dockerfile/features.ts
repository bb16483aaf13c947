/** What of a Dockerfile only BuildKit can do, and since which engine; which builder a Build gets by that. */

import { type Dockerfile, type Flag, type Instruction, isOn, type Place } from './dockerfile.ts'
import { compareEngineVersions } from './engineversion.ts'

type Builder = 'Classic' | 'BuildKit'

export interface Feature extends Place {
  /** As messages call it: `RUN --mount`, `heredocs`. */
  readonly name: string
  /** The first engine whose own BuildKit has it; a `# syntax=` brings it to older ones. */
  readonly since: string
}

/** The first engine that has BuildKit as it is meant here. */
const first = '20.10'

/** Flags that the classic builder has not, by the version of the engine whose BuildKit has them. */
const flagsOfBuildKit: Readonly<Partial<Record<string, string>>> = {
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
  'RUN --mount': first,
  'RUN --network': '23.0',
  'RUN --security': '29.0',
  'RUN --device': '28.0',
}

/** What needs BuildKit, in the order in which it is written. */
export function buildKitFeatures({ stages }: Dockerfile): readonly Feature[] {
  return stages.flatMap(({ instructions }) => instructions.flatMap(featuresOf))
}

function featuresOf(instruction: Instruction): Feature[] {
  const { trigger } = instruction
  const [heredoc] = instruction.heredocs
  const heredocs = heredoc === undefined ? [] : [{ ...placeOf(heredoc), name: 'heredocs', since: '23.0' }]
  const own = trigger ?? instruction
  return [...heredocs, ...own.flags.flatMap((flag) => flagFeature(own, flag))]
}

function flagFeature({ keyword }: Instruction, flag: Flag): Feature[] {
  const name = `${keyword} --${flag.name}`
  const since = flagsOfBuildKit[name]
  if (since === undefined || !isOn(flag)) return []
  return [{ ...placeOf(flag), name, since }]
}

function placeOf({ line, column }: Place): Place {
  return { line, column }
}

export interface Choosing {
  readonly dockerfile: Dockerfile
  /** spec.builder. */
  readonly builder: 'Auto' | Builder
  /** How many secrets steps may read. */
  readonly secrets: number
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
  const { dockerfile, builder, secrets, engineBuilder } = choosing
  const features = buildKitFeatures(dockerfile)
  const isNeeded = features.length > 0 || secrets > 0
  if (builder === 'Classic' || (builder === 'Auto' && !isNeeded && engineBuilder === 'Classic')) {
    return isNeeded ? { needs: classicNeeds(features, secrets) } : { builder: 'Classic' }
  }
  const needs = engineNeeds(choosing, features)
  return needs.length > 0 ? { needs } : { builder: 'BuildKit' }
}

function classicNeeds(features: readonly Feature[], secrets: number): Need[] {
  const ofFile = once(features).map(({ name, line, column }) => ({
    line,
    column,
    message: `${name} ${needs(name)} BuildKit, and spec.builder is Classic`,
  }))
  const ofSecrets = secrets === 0 ? [] : [{ message: 'secrets need BuildKit, and spec.builder is Classic' }]
  return [...ofFile, ...ofSecrets]
}

function engineNeeds({ dockerfile, engineVersion }: Choosing, features: readonly Feature[]): Need[] {
  if (engineVersion === undefined) return []
  if (isOlder(engineVersion, '18.09')) {
    return [{ message: `BuildKit needs Docker Engine 18.09 or later, and the node has ${engineVersion}` }]
  }
  if (dockerfile.directives.syntax !== undefined) return []
  const missing = features.filter(({ since }) => isOlder(engineVersion, since))
  return once(missing).map(({ name, since, line, column }) => ({
    line,
    column,
    message: `${name} ${needs(name)} the BuildKit of Docker Engine ${since} or later, and the node has ${engineVersion}`,
  }))
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
