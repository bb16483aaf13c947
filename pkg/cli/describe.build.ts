/** What `cove describe` says of a Build in tables: its steps, what is wrong with it, what it is made of, earlier attempts. Pure. */
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { humanDuration } from '#pkg/apimachinery/quantity.ts'
import type { Build, BuildStatus } from '#pkg/apis/build.ts'
import { secondsText } from '#pkg/build/buildlog.ts'
import { failureLine } from './builds/report.ts'
import { formatTable, plainText } from './table.ts'
import { nextCheckText } from './why.build.ts'
import { whenText } from './why.times.ts'

/** Parts of its status that have sections here. */
export const buildSectioned: readonly string[] = [
  'steps',
  'warnings',
  'inputs',
  'bases',
  'history',
  'failure',
  'stages',
  'checkedAt',
  'nextCheckAt',
]

const longestCell = 100

export function isBuild(object: KubeObject): object is Build {
  return object.kind === 'Build' && object.apiVersion.startsWith('cove.run/')
}

/** Empty of any other kind. */
export function buildSections(object: KubeObject, now: number): string {
  if (!isBuild(object)) return ''
  const { spec, status = {} } = object
  return [
    stepSection(status),
    failureSection({ spec, status }),
    warningSection(status),
    inputSection(status),
    baseSection(status, now),
    checkSection({ spec, status }, now),
    historySection(status, now),
  ].join('')
}

function stepSection({ steps = [], attempt = 1, cacheHits = 0 }: BuildStatus): string {
  const rows = steps.flatMap(({ number, stage, state, seconds, instruction, triggers = [] }) => [
    [
      `  ${number}`,
      stage ?? '',
      state,
      seconds === undefined || state === 'Cached' ? '' : secondsText(seconds),
      cell(instruction),
    ],
    ...triggers.map((trigger) => ['', '', '', '', cell(`ONBUILD ${trigger}`)]),
  ])
  const title = `Steps of attempt ${attempt} (${cacheHits} cached)`
  return section(title, ['  STEP', 'STAGE', 'STATE', 'TIME', 'INSTRUCTION'], rows)
}

function failureSection({ spec, status = {} }: Pick<Build, 'spec' | 'status'>): string {
  const { failure } = status
  if (failure === undefined) return ''
  const log = (failure.log ?? []).map((line) => `    ${plainText(line)}\n`)
  const last = log.length === 0 ? '' : `  The last it wrote:\n${log.join('')}`
  return `Failure:\n  ${failure.reason}: ${failureLine({ spec, status }, failure)}\n${last}`
}

function warningSection({ warnings = [] }: BuildStatus): string {
  const rows = warnings.map(({ line, rule, message }) => [`  ${line ?? ''}`, rule, message])
  return section('Warnings', ['  LINE', 'RULE', 'MESSAGE'], rows)
}

/** What of these moves makes a new build. */
function inputSection({ inputs = {} }: BuildStatus): string {
  const names = Object.keys(inputs).sort()
  const rows = names.map((name) => [`  ${name}`, cell(inputs[name] ?? '')])
  return section('Inputs', ['  NAME', 'VALUE'], rows)
}

function baseSection({ bases = [] }: BuildStatus, now: number): string {
  const rows = bases.map(({ reference, id, digest, checkedAt }) => [
    `  ${reference}`,
    shortID(id),
    shortID(digest),
    checkedAt === undefined ? '' : `${humanDuration(now - Date.parse(checkedAt))} ago`,
  ])
  return section('Base images', ['  REFERENCE', 'IMAGE ID', 'DIGEST', 'CHECKED'], rows)
}

function checkSection({ spec, status = {} }: Pick<Build, 'spec' | 'status'>, now: number): string {
  const { checkedAt, nextCheckAt } = status
  const asked =
    checkedAt === undefined ? [] : [`Where its context comes from was asked at ${whenText(checkedAt, now)}.`]
  const next = nextCheckAt === undefined ? [] : [`${nextCheckText(nextCheckAt, spec, now)}.`]
  const lines = [...asked, ...next].map((text) => `  ${text}\n`)
  return lines.length === 0 ? '' : `Checks:\n${lines.join('')}`
}

function historySection({ history = [] }: BuildStatus, now: number): string {
  const rows = history.map(({ number, result, startedAt, finishedAt, id, cause, message }) => [
    `  ${number}`,
    result,
    secondsText((Date.parse(finishedAt) - Date.parse(startedAt)) / 1000),
    `${humanDuration(now - Date.parse(finishedAt))} ago`,
    shortID(id),
    cell(message === undefined ? cause : `${cause}: ${message}`),
  ])
  return section('History', ['  ATTEMPT', 'RESULT', 'TOOK', 'ENDED', 'IMAGE ID', 'CAUSE'], rows)
}

function section(title: string, header: readonly string[], rows: readonly (readonly string[])[]): string {
  return rows.length === 0 ? '' : `${title}:\n${formatTable([header, ...rows])}`
}

function shortID(id: string | undefined): string {
  return id?.replace(/^sha256:/, '').slice(0, 12) ?? ''
}

function cell(text: string): string {
  const line = text.replaceAll(/\s*\n\s*/g, ' ')
  return line.length > longestCell ? `${line.slice(0, longestCell - 1)}…` : line
}
