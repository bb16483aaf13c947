/** Which value a variable has at which instruction: build arguments, ARG before and in stages, ENV of this and earlier stages. */
import type { Dockerfile, Instruction, Pair, Place, Problem, Stage, Word } from './dockerfile.ts'
import { stageNamed } from './dockerfile.ts'
import { type Expanded, expand } from './expand.ts'

export type BuildArgs = Readonly<Record<string, string>>

export interface Values {
  readonly args?: BuildArgs
  /** os/architecture[/variant] that is built for, and is taken for that of the builder. */
  readonly platform?: string
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
  /** What an ARG has, and what an ENV has; the second wins. */
  readonly args: ReadonlyMap<string, string | undefined>
  readonly env: ReadonlyMap<string, string>
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

interface State {
  readonly args: ReadonlyMap<string, string | undefined>
  readonly env: ReadonlyMap<string, string>
  /** Nothing below that brings variables of its own. */
  readonly closed: boolean
}

interface Reader {
  readonly given: BuildArgs
  readonly escapeToken: string
  readonly globals: ReadonlyMap<string, string | undefined>
  readonly problems: Problem[]
}

export function scopesOf(dockerfile: Dockerfile, { args: given = {}, platform }: Values): Scoped {
  const { escapeToken } = dockerfile.directives
  const problems: Problem[] = []
  const globals = new Map<string, string | undefined>()
  const builtIn = platformArgs(platform)
  const reader: Reader = { given, escapeToken, globals, problems }
  const outside = () =>
    scopeOf({ args: new Map([...builtIn, ...globals]), env: new Map(), closed: true }, reader)
  for (const { pairs } of dockerfile.globals) {
    for (const pair of pairs) globals.set(pair.key, argValue(pair, outside(), reader, undefined))
  }
  const ends: State[] = []
  const stages = dockerfile.stages.map((stage): ScopedStage => {
    const scope = outside()
    const base = { ...stage.base, text: expandAt(stage.base.text, stage.base, scope, problems) }
    const parent = stageNamed(dockerfile, base.text, stage.index)
    const platformOf = stage.platform === undefined ? '' : scope.expand(stage.platform).text
    const start = stateAt(base.text, parent === undefined ? undefined : ends[parent.index])
    const { instructions, state } = walk(stage, start, {
      ...reader,
      globals: new Map([...builtIn, ...globals]),
    })
    ends.push(state)
    return {
      stage,
      base,
      instructions,
      end: scopeOf(state, reader),
      ...(parent !== undefined && { parent }),
      ...(platformOf !== '' && { platform: platformOf }),
    }
  })
  return { globals, stages, problems }
}

function stateAt(base: string, parent: State | undefined): State {
  return parent ?? { args: new Map(), env: new Map(), closed: base === 'scratch' }
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

function after({ keyword, pairs, legacy }: Instruction, state: State, scope: Scope, reader: Reader): State {
  if (keyword === 'ENV') {
    const env = new Map(state.env)
    for (const pair of pairs) {
      // One line sees the values from before that line.
      const value = expandAt(pair.value ?? '', pair, scope, legacy ? [] : reader.problems)
      env.set(scope.expand(pair.key).text, value)
    }
    return { ...state, env }
  }
  if (keyword !== 'ARG') return state
  let args = new Map(state.args)
  for (const pair of pairs) {
    const now = scopeOf({ ...state, args }, reader)
    args = new Map(args).set(pair.key, argValue(pair, now, reader, reader.globals))
  }
  return { ...state, args }
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
    const own = env.get(name) ?? args.get(name)
    if (own !== undefined) return own
    return predeclaredArgs.has(name) && Object.hasOwn(given, name) ? given[name] : undefined
  }
  return {
    args,
    env,
    expand: (text) => expand(text, { lookup, escapeToken }),
    certain: ({ unset }) => closed || unset.every((name) => args.has(name)),
  }
}

function expandAt(text: string, { line, column }: Place, scope: Scope, problems: Problem[]): string {
  const { text: expanded, problem } = scope.expand(text)
  if (problem !== undefined) problems.push({ line, column, message: problem })
  return expanded
}

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
