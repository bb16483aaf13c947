/** Rules of what is copied, from where, and when. */
import { type Dockerfile, flagOf, type Instruction } from './dockerfile.ts'
import { commandOf, eachInstruction, type Lint, type LintRule, lintAt } from './lintrule.ts'
import { isRemote, sourceWords } from './sources.ts'
import { sourcesFrom, stageBehind } from './stages.ts'
import { closest } from './suggest.ts'

const archive = /\.(?:tar|tgz|tbz2?|txz|gz|bz2|xz)$/i

const addInsteadOfCopy = eachInstruction('AddInsteadOfCopy', (instruction) => {
  if (instruction.keyword !== 'ADD' || flagOf(instruction, 'unpack') !== undefined) return undefined
  const sources = sourceWords(instruction).map(({ text }) => text)
  const plain = sources.filter(
    (source) => !isRemote(source) && !archive.test(source) && !source.includes('$'),
  )
  if (plain.length === 0 || plain.length < sources.length) return undefined
  return `ADD ${plain[0]}: COPY does the same and no more; ADD is for archives that it unpacks`
})

const addFromUrl = eachInstruction('AddFromURL', (instruction) => {
  if (instruction.keyword !== 'ADD' || flagOf(instruction, 'unpack') !== undefined) return undefined
  const packed = sourceWords(instruction).find(({ text }) => /^https?:/i.test(text) && archive.test(text))
  if (packed === undefined) return undefined
  return `ADD ${packed.text}: what comes from a URL is not unpacked: let one RUN fetch, unpack and remove it`
})

const install =
  /\b(?:npm\s+(?:ci|install|i)|yarn\s+install|pnpm\s+(?:i|install)|pip3?\s+install|go\s+mod\s+download|bundle\s+install|composer\s+install|cargo\s+fetch|poetry\s+install|dotnet\s+restore|mvn\s+dependency:\S+)\b/

const copyBeforeInstall: LintRule = ({ stages }) =>
  stages.flatMap(({ stage }): Lint[] => {
    const installing = stage.instructions.findIndex(
      (one) => one.keyword === 'RUN' && install.test(commandOf(one)),
    )
    if (installing < 0) return []
    const everything = stage.instructions.slice(0, installing).find(copiesAll)
    if (everything === undefined) return []
    const message = `every change of any file installs all dependencies again, in line ${stage.instructions[installing]?.line}: copy their list first, install, then copy the rest`
    return [lintAt('CopyBeforeInstall', everything, message)]
  })

function copiesAll(instruction: Instruction): boolean {
  const { keyword } = instruction
  if ((keyword !== 'COPY' && keyword !== 'ADD') || flagOf(instruction, 'from') !== undefined) return false
  return sourceWords(instruction).some(({ text }) => /^(?:\.|\.\/|\/)$/.test(text))
}

const undeclaredStage: LintRule = ({ dockerfile, stages }) =>
  stages.flatMap(({ stage }) =>
    stage.instructions.flatMap((instruction) =>
      sourcesFrom(instruction).flatMap(({ from, ...place }): Lint[] => {
        const near = closest(from, namesBefore(dockerfile, stage.index))
        if (near === undefined || stageBehind(dockerfile, from, stage) !== undefined) return []
        return [
          lintAt(
            'UndeclaredStage',
            place,
            `no stage is called ${from}, so that it is taken for an image (did you mean ${near}?)`,
          ),
        ]
      }),
    ),
  )

function namesBefore({ stages }: Dockerfile, index: number): string[] {
  return stages.slice(0, index).flatMap(({ name }) => name ?? [])
}

const compiling =
  /(?:^|[\s;&|(/])(?:gcc|g\+\+|cc|clang|make|cmake|rustc|javac|go\s+(?:build|install)|cargo\s+build|mvn\s+\S*package|gradle\s+\S*build|dotnet\s+(?:build|publish)|npm\s+run\s+build|yarn\s+(?:run\s+)?build|build-essential|build-base)(?:$|[\s;&|)])/

/** What only makes the program is part of the image. */
const sourceInFinalImage: LintRule = ({ image }) => {
  const instructions = image.flatMap(({ stage }) => stage.instructions)
  const build = instructions.find((one) => one.keyword === 'RUN' && compiling.test(commandOf(one)))
  if (build === undefined) return []
  const message =
    'compilers and sources stay in the image: build in a stage of its own, and COPY --from it what runs'
  return [lintAt('SourceInFinalImage', build, message)]
}

export const copyRules: readonly LintRule[] = [
  addInsteadOfCopy,
  addFromUrl,
  copyBeforeInstall,
  undeclaredStage,
  sourceInFinalImage,
]
