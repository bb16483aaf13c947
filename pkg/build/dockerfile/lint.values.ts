/** Rules of arguments and variables. */
import { commandOf, type Lint, type Linting, type LintRule, lintAt } from './lintrule.ts'
import { platformNames, predeclaredArgs, type ScopedInstruction } from './scopes.ts'
import { isSecretName } from './secretnames.ts'

const unusedArgs: LintRule = ({ dockerfile, building: { args = {} }, stages }) => {
  const declared = new Set(
    [...dockerfile.globals, ...stages.flatMap(({ stage }) => stage.instructions)]
      .filter(({ keyword }) => keyword === 'ARG')
      .flatMap(({ pairs }) => pairs.map(({ key }) => key)),
  )
  return Object.keys(args)
    .filter((name) => !declared.has(name) && !predeclaredArgs.has(name) && !platformNames.has(name))
    .map((name) => ({ rule: 'UnusedBuildArg', message: `no ARG asks for the argument ${name}` }))
}

const secretInArg: LintRule = ({ dockerfile, stages, building: { args = {}, publicArgs = [] } }) => {
  const isSecret = (name: string) => isSecretName(name) && !publicArgs.includes(name)
  const written = [...dockerfile.globals, ...stages.flatMap(({ stage }) => stage.instructions)].flatMap(
    ({ keyword, pairs }) =>
      (keyword === 'ARG' || keyword === 'ENV' ? pairs : [])
        .filter(({ key }) => isSecret(key))
        .map((pair) =>
          lintAt(
            'SecretInArg',
            pair,
            `${keyword} ${pair.key}: everybody can read it in the history of the image: use spec.secrets`,
          ),
        ),
  )
  const told = new Set(dockerfile.globals.flatMap(({ pairs }) => pairs.map(({ key }) => key)))
  for (const { stage } of stages) {
    for (const { pairs } of stage.instructions) for (const { key } of pairs) told.add(key)
  }
  const given = Object.keys(args)
    .filter((name) => isSecret(name) && !told.has(name))
    .map(
      (name): Lint => ({
        rule: 'SecretInArg',
        message: `the argument ${name} is no place for a secret: use spec.secrets`,
      }),
    )
  return [...written, ...given]
}

/** An ARG before the first FROM is not seen in a stage that does not ask for it again. */
const notAskedAgain: LintRule = (linting) => {
  const { scoped, stages } = linting
  if (scoped.globals.size === 0) return []
  return stages.flatMap(({ instructions }) => {
    const told = new Set<string>()
    return instructions.flatMap((one) =>
      unseenGlobals(one, linting)
        .filter((name) => !told.has(name))
        .map((name) => {
          told.add(name)
          const message = `$${name} is empty here: the ARG before FROM is seen only behind another \`ARG ${name}\` in the stage`
          return lintAt('UndefinedVariable', one.instruction, message)
        }),
    )
  })
}

const expanding: ReadonlySet<string> = new Set([
  'ADD',
  'COPY',
  'ENV',
  'EXPOSE',
  'LABEL',
  'RUN',
  'STOPSIGNAL',
  'USER',
  'VOLUME',
  'WORKDIR',
])

function unseenGlobals({ instruction, scope }: ScopedInstruction, { scoped }: Linting): string[] {
  const { keyword } = instruction
  if (!expanding.has(keyword)) return []
  const text = keyword === 'RUN' ? commandOf(instruction) : instruction.rest
  const used = [...text.matchAll(/(?<!\\)\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})/g)]
  const names = new Set(used.map(([, plain, braced = '']) => plain ?? braced))
  return [...names].filter(
    (name) => scoped.globals.has(name) && !scope.declares(name) && !isSetIn(text, name),
  )
}

/** The shell of a RUN may set it itself. */
function isSetIn(text: string, name: string): boolean {
  return new RegExp(`(?:^|[\\s;&])${name}=|\\b(?:for|read)\\s+${name}\\b`).test(text)
}

export const valueRules: readonly LintRule[] = [unusedArgs, secretInArg, notAskedAgain]
