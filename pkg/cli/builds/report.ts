/** What is said when a build has ended. Pure. */
import { humanDuration } from '#pkg/apimachinery/quantity.ts'
import { dockerfileInObject, namesOfBuild } from '#pkg/apis/build.said.ts'
import type { Build, BuildFailure, BuildWarning } from '#pkg/apis/build.ts'
import { secondsText } from '#pkg/build/buildlog.ts'
import type { Ended } from './following.ts'

/** Lines around the one of the Dockerfile that failed. */
const around = 2

/** Docker's last lines, as scripts look for them. */
export function builtText({ build, standing }: Ended, now: number): string {
  const { status = {} } = build
  const id = status.image?.id ?? 'sha256:'
  const short = id.replace(/^sha256:/, '').slice(0, 12)
  if (!(standing.state === 'built' && standing.isNew))
    return `build/${build.metadata.name} is up to date: ${short}, ${whenText(build, now)}\n`
  const tagged = namesOfBuild(build).map((name) => `Successfully tagged ${name}\n`)
  return `Successfully built ${short}${howText(build)}\n${tagged.join('')}`
}

/** In a word or two, for whoever goes on to look at others. */
export function endText({ standing }: Ended): string {
  if (standing.state === 'failed') return 'failed'
  return standing.isNew ? 'built' : 'up to date'
}

/** ` (attempt 3 in 12.4s, 5 of 7 steps cached)` */
function howText({ status = {} }: Build): string {
  const { attempt = 1, startedAt, finishedAt, steps = [], cacheHits = 0 } = status
  const took =
    startedAt === undefined || finishedAt === undefined
      ? ''
      : ` in ${secondsText((Date.parse(finishedAt) - Date.parse(startedAt)) / 1000)}`
  const cached = steps.length === 0 ? '' : `, ${cacheHits} of ${steps.length} steps cached`
  return ` (attempt ${attempt}${took}${cached})`
}

function whenText({ status = {} }: Build, now: number): string {
  const { attempt = 0, finishedAt } = status
  const ago =
    finishedAt === undefined ? '' : ` ${humanDuration(Math.max(0, now - Date.parse(finishedAt)))} ago`
  return `built by attempt ${attempt}${ago}`
}

/**
 * Why there is no image: the step and its line of the Dockerfile. `withLog` adds what the step wrote last, for those who
 * have not read it yet.
 */
export function failureText({ build, standing }: Ended, withLog: boolean): string {
  const { metadata, status = {} } = build
  const isOf = standing.state === 'failed' && status.phase === 'Failed' ? status.failure : undefined
  const message = standing.state === 'failed' ? standing.message : ''
  const retried = standing.state === 'failed' && standing.isRetried
  return [
    `error: build/${metadata.name}: ${isOf === undefined ? message : failureLine(build, isOf)}\n`,
    failureDetails(build, isOf, withLog),
    ...(retried ? ['It is tried again by itself, with growing pauses.\n'] : []),
  ].join('')
}

/** What the step wrote last, and its line of the Dockerfile with its neighbours, as far as they are known. */
export function failureDetails(build: Build, failure: BuildFailure | undefined, withLog = true): string {
  const { log, line } = failure ?? {}
  return [
    ...(withLog && log !== undefined ? ['The last it wrote:\n', ...log.map(indented)] : []),
    ...excerpt(build, line),
  ].join('')
}

/** `step 3, RUN make: exit code 2 (Dockerfile:7)` */
export function failureLine(
  { spec, status = {} }: Pick<Build, 'spec' | 'status'>,
  failure: BuildFailure,
): string {
  const { line, message, step, exitCode } = failure
  const where = line === undefined ? '' : ` (${spec.dockerfile}:${line})`
  const failed = status.steps?.find(({ number }) => number === step)
  if (failed === undefined || exitCode === undefined) return `${message}${where}`
  const instruction =
    failed.instruction.length > 80 ? `${failed.instruction.slice(0, 79)}…` : failed.instruction
  return `step ${step}, ${instruction}: exit code ${exitCode}${where}`
}

function indented(line: string): string {
  return `  ${line}\n`
}

/** The line with its neighbours, where its text is known here. */
function excerpt({ spec }: Build, line: number | undefined): string[] {
  const text = dockerfileInObject(spec)
  if (text === undefined || line === undefined) return []
  const lines = text.replace(/\n+$/, '').split('\n')
  const first = Math.max(1, line - around)
  const last = Math.min(lines.length, line + around)
  const width = String(last).length
  const rows = lines.slice(first - 1, last).map((content, index) => {
    const number = first + index
    return `${number === line ? '>' : ' '} ${String(number).padStart(width)} | ${content}`.trimEnd()
  })
  return [`${spec.dockerfile}:${line}\n`, ...rows.map(indented)]
}

/** `Dockerfile:4: InvalidJSONForm: ...` */
export function warningText({ spec }: Pick<Build, 'spec'>, { rule, message, line }: BuildWarning): string {
  return `${spec.dockerfile}${line === undefined ? '' : `:${line}`}: ${rule}: ${message}`
}

/** Whether one of the warnings of the server has told it already. */
export function isWarned({ rule, message }: BuildWarning, warned: Iterable<string>): boolean {
  return [...warned].some((text) => text.includes(`${rule}: `) && text.includes(message))
}
