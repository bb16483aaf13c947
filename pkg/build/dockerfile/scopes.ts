/** Which value a variable has at which instruction: build arguments, ARG before and in stages, ENV of this and earlier stages. */
import type { Builder, Dockerfile, Instruction, Pair, Place, Problem, Stage, Word } from './dockerfile.ts'
import { stageNamed } from './dockerfile.ts'
import { type Expanded, expand } from './expand.ts'

export type BuildArgs = Readonly<Record<string, string>>

export interface Values {
  readonly args?: BuildArgs
  /** os/architecture[/variant] that is built for, and is taken for that of the builder. */
  readonly platform?: string
  /** Only BuildKit hands the ARGs of a stage to those that are built upon it; Classic is assumed. */
  readonly builder?: Builder
}

/** Build arguments that nobody has to declare. */
export const predeclaredArgs: ReadonlySet<string> = new Set(
  ['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'NO_PROXY', 'ALL_PROXY'].flatMap((name) => [
    name,
    name.toLowerCase(),
  ]),
)

export interface Scope {
  readonly expand: (text: string) => Expanded
  /** Whether all of its variables are known: those of base images are not. */
  readonly certain: (expanded: Expanded) => boolean
  /** Whether an ARG or ENV that is seen here has the name. */
  readonly declares: (name: string) => boolean
}

export interface ScopedInstruction {
  readonly instruction: Instruction
  /** As it is in front of the instruction. */
  readonly scope: Scope
}

export interface ScopedStage {
  readonly stage: Stage
  /** What FROM means, its variables put in. */
  readonly base: Word
  /** Whether that can be told: it cannot where the platform is part of it and is not known. */
  readonly certain: boolean
  /** The earlier stage that FROM names. */
  readonly parent?: Stage
  readonly platform?: string
  readonly instructions: readonly ScopedInstruction[]
  /** As it is behind the last instruction. */
  readonly end: Scope
}

export interface Scoped {
  readonly globals: ReadonlyMap<string, string | undefined>
  readonly stages: readonly ScopedStage[]
  /** Words that cannot be expanded. */
  readonly problems: readonly Problem[]
}

/** What one instruction sets, upon what was set before it. */
interface Frame {
  readonly own: ReadonlyMap<string, string | undefined>
  readonly below: Frame | undefined
}

interface State {
  readonly args: Frame | undefined
  readonly env: Frame | undefined
  /** Nothing below that brings variables of its own. */
  readonly closed: boolean
}

interface Reader {
  readonly given: BuildArgs
  readonly escapeToken: string
  readonly globals: ReadonlyMap<string, string | undefined>
  readonly problems: Problem[]
}

export function scopesOf(dockerfile: Dockerfile, { args: given = {}, platform, builder }: Values): Scoped {
  const { escapeToken } = dockerfile.directives
  const problems: Problem[] = []
  const globals = new Map<string, string | undefined>()
  const builtIn = platformArgs(platform)
  const reader: Reader = { given, escapeToken, globals, problems }
  const outside = () =>
    scopeOf(
      { args: { own: globals, below: { own: builtIn, below: undefined } }, env: undefined, closed: true },
      reader,
    )
  for (const { pairs } of dockerfile.globals) {
    for (const pair of pairs) globals.set(pair.key, argValue(pair, outside(), reader, undefined))
  }
  const ends: State[] = []
  const stages = dockerfile.stages.map((stage): ScopedStage => {
    const scope = outside()
    const { base, certain } = baseOf(stage, { scope, platform, problems })
    const parent = stageNamed(dockerfile, base.text, stage.index)
    const platformOf = stage.platform === undefined ? '' : scope.expand(stage.platform).text
    const below = parent === undefined ? undefined : ends[parent.index]
    const start = stateAt(base.text, builder === 'BuildKit' ? below : below && { ...below, args: undefined })
    const { instructions, state } = walk(stage, start, {
      ...reader,
      globals: new Map([...builtIn, ...globals]),
    })
    ends.push(state)
    return {
      stage,
      base,
      certain,
      instructions,
      end: scopeOf(state, reader),
      ...(parent !== undefined && { parent }),
      ...(platformOf !== '' && { platform: platformOf }),
    }
  })
  return { globals, stages, problems }
}

interface Outside {
  readonly scope: Scope
  readonly platform: string | undefined
  readonly problems: Problem[]
}

function baseOf(
  { base }: Stage,
  { scope, platform, problems }: Outside,
): Pick<ScopedStage, 'base' | 'certain'> {
  const { text, unset, problem } = scope.expand(base.text)
  if (problem !== undefined) problems.push({ ...placeOf(base), message: problem })
  const certain = platform !== undefined || !unset.some((name) => platformNames.has(name))
  return { base: { ...base, text }, certain }
}

function stateAt(base: string, parent: State | undefined): State {
  return parent ?? { args: undefined, env: undefined, closed: base === 'scratch' }
}

function walk(
  stage: Stage,
  start: State,
  reader: Reader,
): { readonly instructions: ScopedInstruction[]; readonly state: State } {
  let state = start
  const instructions = stage.instructions.map((instruction) => {
    const scope = scopeOf(state, reader)
    state = after(instruction, state, scope, reader)
    return { instruction, scope }
  })
  return { instructions, state }
}

function after({ keyword, pairs }: Instruction, state: State, scope: Scope, reader: Reader): State {
  if (keyword === 'ENV') {
    const env = new Map<string, string>()
    for (const pair of pairs) {
      // One line sees the values from before that line.
      const value = expandAt(pair.value ?? '', pair, scope, reader.problems)
      env.set(expandAt(pair.key, pair, scope, reader.problems), value)
    }
    return { ...state, env: { own: env, below: state.env } }
  }
  if (keyword !== 'ARG') return state
  const own = new Map<string, string | undefined>()
  const next = { ...state, args: { own, below: state.args } }
  const seen = scopeOf(next, reader)
  for (const pair of pairs) own.set(pair.key, argValue(pair, seen, reader, reader.globals))
  return next
}

/** What is given wins over the default, the default over what stands before the first FROM. */
function argValue(
  pair: Pair,
  scope: Scope,
  { given, problems }: Reader,
  globals: ReadonlyMap<string, string | undefined> | undefined,
): string | undefined {
  const value = pair.value === undefined ? undefined : expandAt(pair.value, pair, scope, problems)
  if (Object.hasOwn(given, pair.key)) return given[pair.key]
  return value ?? globals?.get(pair.key)
}

function scopeOf({ args, env, closed }: State, { given, escapeToken }: Reader): Scope {
  const lookup = (name: string) => {
    const own = frameOf(env, name)?.own.get(name) ?? frameOf(args, name)?.own.get(name)
    if (own !== undefined) return own
    return predeclaredArgs.has(name) && Object.hasOwn(given, name) ? given[name] : undefined
  }
  return {
    expand: (text) => expand(text, { lookup, escapeToken }),
    declares: (name) => frameOf(args, name) !== undefined || frameOf(env, name) !== undefined,
    certain: ({ unset }) => closed || unset.every((name) => frameOf(args, name) !== undefined),
  }
}

/** The last one that sets the name. */
function frameOf(top: Frame | undefined, name: string): Frame | undefined {
  let frame = top
  while (frame !== undefined && !frame.own.has(name)) frame = frame.below
  return frame
}

function expandAt(text: string, place: Place, scope: Scope, problems: Problem[]): string {
  const { text: expanded, problem } = scope.expand(text)
  if (problem !== undefined) problems.push({ ...placeOf(place), message: problem })
  return expanded
}

function placeOf({ line, column }: Place): Place {
  return { line, column }
}

const platformParts = ['PLATFORM', 'OS', 'ARCH', 'VARIANT']

/** What BuildKit declares before the first FROM; the classic builder does not. */
export const platformNames: ReadonlySet<string> = new Set(
  ['TARGET', 'BUILD'].flatMap((side) => platformParts.map((part) => side + part)),
)

function platformArgs(platform: string | undefined): ReadonlyMap<string, string> {
  if (platform === undefined) return new Map()
  const [os = '', architecture = '', variant = ''] = platform.split('/')
  return new Map(
    ['TARGET', 'BUILD'].flatMap((side): [string, string][] => [
      [`${side}PLATFORM`, platform],
      [`${side}OS`, os],
      [`${side}ARCH`, architecture],
      [`${side}VARIANT`, variant],
    ]),
  )
}
