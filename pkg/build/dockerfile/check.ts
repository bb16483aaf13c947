/** What no build can come to a good end with, found without building: wrong ports, unknown stages, sources out of reach. */

import { parseReference } from '#pkg/apimachinery/reference.ts'
import {
  type Dockerfile,
  type Instruction,
  type Place,
  type Problem,
  type Stage,
  stageNamed,
} from './dockerfile.ts'
import { layersOf, mostLayers } from './layers.ts'
import { isPortSpec } from './ports.ts'
import { type Scope, type Scoped, type ScopedStage, scopesOf } from './scopes.ts'
import { isSignal } from './signals.ts'
import { copySources, leavesContext, sourceWords } from './sources.ts'
import { type Building, builtStages, sourcesFrom, stageBehind, targetStage } from './stages.ts'
import { closest, told } from './suggest.ts'

export interface Checking extends Building {
  /** There are no files at all: a Dockerfile alone. */
  readonly noContext?: boolean
}

/** Of a Dockerfile that has been read without problems; sorted by place. An unknown target is told by targetProblem. */
export function checkDockerfile(dockerfile: Dockerfile, checking: Checking): readonly Problem[] {
  const scoped = scopesOf(dockerfile, checking)
  const built = builtStages(dockerfile, scoped, checking)
  return told([
    ...scoped.problems.filter(({ line }) => !isLeftOut(line, dockerfile, built)),
    ...built.flatMap((stage) => [...baseProblems(stage), ...bodyProblems(dockerfile, stage)]),
    ...contextProblems(dockerfile, checking),
    ...layerProblems(dockerfile, scoped, checking),
    ...emptyProblems(dockerfile, checking),
  ])
}

/** Whether the line belongs to a stage that is not made. */
function isLeftOut(line: number, { stages }: Dockerfile, built: readonly ScopedStage[]): boolean {
  const owner = stages.findLast(({ from }) => from.line <= line)
  return owner !== undefined && !built.some(({ stage }) => stage.index === owner.index)
}

/** Why there is no such stage; undefined when there is, or none is asked for. */
export function targetProblem(
  dockerfile: Dockerfile,
  building: Pick<Building, 'target'>,
): string | undefined {
  const { target } = building
  if (target === undefined || targetStage(dockerfile, building) !== undefined) return undefined
  const names = [...new Set(dockerfile.stages.flatMap(({ name }) => name ?? []))]
  const near = closest(target, names)
  if (names.length === 0) return `no stage is called ${target}: none has a name`
  const hint = near === undefined ? `there is ${names.slice(0, 10).join(', ')}` : `did you mean ${near}?`
  return `no stage is called ${target} (${hint})`
}

function baseProblems({ stage, base, certain, parent }: ScopedStage): Problem[] {
  const { line, column } = stage.base
  if (parent !== undefined || base.text === 'scratch' || !certain) return []
  const tell = (message: string) => [{ line, column, message }]
  if (base.text.trim() === '')
    return tell(`FROM ${stage.base.text} names no image: its variables have no value here`)
  const parsed = parseReference(base.text)
  return parsed.ok ? [] : tell(`FROM ${base.text} is no reference of an image`)
}

function bodyProblems(dockerfile: Dockerfile, { stage, instructions }: ScopedStage): Problem[] {
  return instructions.flatMap(({ instruction, scope }) => [
    ...fromProblems(dockerfile, instruction, stage),
    ...wordProblems(instruction, scope),
  ])
}

function fromProblems(dockerfile: Dockerfile, instruction: Instruction, stage: Stage): Problem[] {
  return sourcesFrom(instruction).flatMap(({ from, line, column }) => {
    if (stageBehind(dockerfile, from, stage) !== undefined) return []
    const tell = (message: string) => [{ line, column, message }]
    if (/^\d+$/.test(from)) return tell(`there is no stage ${from} before this one, which is ${stage.index}`)
    if (from.toLowerCase() === stage.name)
      return tell(`stage ${from} cannot take from itself: is a FROM missing?`)
    const later = stageNamed(dockerfile, from)
    if (later !== undefined && later.index > stage.index)
      return tell(`stage ${from} comes later, in line ${later.from.line}: stages take from earlier ones`)
    return parseReference(from).ok ? [] : tell(`${from} is no stage, and no reference of an image`)
  })
}

function wordProblems(instruction: Instruction, scope: Scope): Problem[] {
  switch (instruction.keyword) {
    case 'ADD':
    case 'COPY':
      return [...expanded(instruction, scope), ...destinationProblems(instruction, scope)]
    case 'EXPOSE':
      return expanded(instruction, scope, (text) => {
        const wrong = text.split(/\s+/).filter((port) => port !== '' && !isPortSpec(port))
        return wrong.length === 0 ? undefined : `EXPOSE ${wrong[0]} is no port: 80, 53/udp or 8000-8010`
      })
    case 'STOPSIGNAL':
      return expanded(instruction, scope, (text) =>
        isSignal(text) ? undefined : `STOPSIGNAL ${text} is no signal`,
      )
    case 'WORKDIR':
      return expanded(instruction, scope, (text) => (text === '' ? 'WORKDIR is empty here' : undefined))
    case 'LABEL':
      return labelProblems(instruction, scope)
    case 'USER':
    case 'VOLUME':
      return expanded(instruction, scope)
    default:
      return []
  }
}

function labelProblems({ pairs }: Instruction, scope: Scope): Problem[] {
  return pairs.flatMap(({ key, value = '', line, column }) => {
    const message = scope.expand(key).problem ?? scope.expand(value).problem
    return message === undefined ? [] : [{ line, column, message }]
  })
}

/** Words that cannot be expanded, and those that are wrong once they are. */
function expanded(
  { args }: Instruction,
  scope: Scope,
  wrong: (text: string) => string | undefined = () => undefined,
): Problem[] {
  return args.flatMap((word) => {
    const found = scope.expand(word.text)
    const message = found.problem ?? (scope.certain(found) ? wrong(found.text) : undefined)
    return message === undefined ? [] : [{ line: word.line, column: word.column, message }]
  })
}

/** Several files go into a directory, and its name must show that it is one. */
function destinationProblems(instruction: Instruction, scope: Scope): Problem[] {
  const destination = instruction.args.at(-1)
  if (destination === undefined || sourceWords(instruction).length < 2) return []
  const found = scope.expand(destination.text)
  if (!scope.certain(found) || found.problem !== undefined) return []
  if (found.text.endsWith('/') || found.text === '.') return []
  const message = `${instruction.keyword} of several sources: the destination must be a directory and end with /, not ${found.text}`
  return [{ line: destination.line, column: destination.column, message }]
}

function contextProblems(dockerfile: Dockerfile, checking: Checking): Problem[] {
  return copySources(dockerfile, checking).flatMap((source) => {
    const { line, column, keyword, written } = source
    if (checking.noContext) {
      return [{ line, column, message: `${keyword} ${written}: there is no context to take it from` }]
    }
    if (!leavesContext(source)) return []
    return [{ line, column, message: `${keyword} ${written} lies outside of the context` }]
  })
}

function layerProblems(dockerfile: Dockerfile, scoped: Scoped, checking: Checking): Problem[] {
  const target = targetStage(dockerfile, checking)
  if (target === undefined) return []
  const { own, base, excess } = layersOf(scoped, target)
  // A base that is an image has one at least.
  const least = own + (base === undefined ? 0 : 1)
  if (least <= mostLayers || excess === undefined) return []
  const { line, column }: Place = excess
  return [
    { line, column, message: `the image would have ${least} layers or more, and may have ${mostLayers}` },
  ]
}

/** Of nothing comes no image. */
function emptyProblems(dockerfile: Dockerfile, checking: Checking): Problem[] {
  const target = targetStage(dockerfile, checking)
  if (target === undefined || target.base.text !== 'scratch' || target.instructions.length > 0) return []
  const { line, column } = target.from
  return [{ line, column, message: 'FROM scratch alone makes no image' }]
}
