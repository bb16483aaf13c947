/**
 * A Build whose Dockerfile is in it is judged when it is written: what no builder takes is refused with line and
 * column, what it hardly means is warned of. Only what a write changes is judged.
 */
import { type Cause, invalid } from '#pkg/apimachinery/errors.ts'
import { dockerfileInObject } from '#pkg/apis/build.said.ts'
import type { Build } from '#pkg/apis/build.ts'
import { type Node, nodeKind } from '#pkg/apis/node.ts'
import { describeProblem } from '#pkg/build/dockerfile/dockerfile.ts'
import { type Judging, judgeDockerfile, type Refusal, type Verdict } from '#pkg/build/dockerfile/judge.ts'
import { describeLint } from '#pkg/build/dockerfile/lint.ts'
import { missingSources } from '#pkg/build/missingsources.ts'
import { type ApiObject, decodeObject } from '../cache/encoded.ts'
import type { Context, Write } from './context.ts'
import { equalJson } from './equal.ts'

/** A client shows them all. */
const mostWarnings = 20

/** The warnings of the write. Throws Invalid. */
export function admitDockerfile(context: Context, { kind, object, before }: Write): string[] {
  if (kind.group !== 'cove.run' || kind.kind !== 'Build') return []
  const { spec } = asBuild(object)
  const text = dockerfileInObject(spec)
  if (text === undefined) return []
  if (before !== undefined && equalJson(judgedOf(asBuild(before).spec), judgedOf(spec))) return []
  const judging = judgingOf(spec)
  const verdict = judgeDockerfile(text, judging)
  if (!verdict.ok) throw invalid(kind, object.metadata.name, verdict.refusals.map(causeOf))
  const missing = missingInline(spec, verdict)
  if (missing.length > 0) throw invalid(kind, object.metadata.name, missing.map(causeOf))
  const warnings = verdict.warnings.map((lint) => `${spec.dockerfile}: ${describeLint(lint)}`)
  const more = warnings.length - mostWarnings
  const shown =
    more > 0
      ? [...warnings.slice(0, mostWarnings), `${spec.dockerfile}: and ${more} more warnings`]
      : warnings
  return [
    ...shown,
    ...engineWarnings(context, spec, (engineVersion) => judgeDockerfile(text, { ...judging, engineVersion })),
  ]
}

const judgedFields = [
  'args',
  'builder',
  'context',
  'dockerfile',
  'dockerfileInline',
  'network',
  'nodeName',
  'nodeSelector',
  'platform',
  'publicArgs',
  'secrets',
  'target',
] as const

function judgedOf(spec: Partial<Build['spec']>): unknown {
  return Object.fromEntries(judgedFields.map((field) => [field, spec[field] ?? null]))
}

/** Which builder an engine has by itself, its node knows: here Auto is taken to begin with the one that all have. */
function judgingOf(spec: Build['spec']): Judging {
  return {
    args: spec.args,
    publicArgs: spec.publicArgs,
    builder: spec.builder,
    secrets: spec.secrets.length,
    engineBuilder: 'Classic',
    noContext: spec.context.empty !== undefined,
    ...(spec.target !== undefined && { target: spec.target }),
    ...(spec.platform !== undefined && { platform: spec.platform }),
    ...(spec.network !== undefined && { network: spec.network }),
  }
}

/** Of files in the object itself it is known which are there. */
function missingInline(
  spec: Build['spec'],
  { dockerfile, builder }: Extract<Verdict, { ok: true }>,
): Refusal[] {
  if (spec.context.inline === undefined) return []
  const paths = Object.keys(spec.context.inline.files).map((path) => path.replace(/^(\.?\/)+/, ''))
  const entries = paths.map((path) => ({ path, type: 'file' as const }))
  const { args, target } = spec
  const building = { args, builder, ...(target !== undefined && { target }) }
  return missingSources(dockerfile, building, { entries, ignores: () => false }).map((problem) => ({
    reason: 'InvalidDockerfile',
    message: describeProblem(problem),
  }))
}

const fieldOf: Readonly<Record<Refusal['reason'], string>> = {
  InvalidDockerfile: 'spec.dockerfileInline',
  NeedsBuildKit: 'spec.builder',
  TargetNotFound: 'spec.target',
}

function causeOf({ reason, message }: Refusal): Cause {
  return { reason: 'FieldValueInvalid', field: fieldOf[reason], message }
}

/** Nodes come and go, and engines get newer: what none of them can build now is said, not refused. */
function engineWarnings(
  context: Context,
  spec: Build['spec'],
  judge: (engineVersion: string) => ReturnType<typeof judgeDockerfile>,
): string[] {
  const versions = new Set(enginesFor(context, spec))
  const verdicts = [...versions].map(judge)
  const [first] = verdicts
  if (first === undefined || first.ok || verdicts.some(({ ok }) => ok)) return []
  return first.refusals.map(({ message }) => `${spec.dockerfile}: ${message}`)
}

function enginesFor({ cache, containers }: Context, spec: Build['spec']): string[] {
  const wanted = Object.entries(spec.nodeSelector)
  const candidates = [...containers.nodes()].filter(({ name, labels }) =>
    spec.nodeName === undefined
      ? wanted.every(([key, value]) => labels[key] === value)
      : spec.nodeName === name,
  )
  return candidates.flatMap(({ name }) => {
    const entry = cache.of(nodeKind).get(name)
    return entry === undefined ? [] : (asNode(decodeObject(entry.text)).status?.engine?.version ?? [])
  })
}

/** The kind says that it is one, and its schema has accepted it. */
function asBuild(object: ApiObject): Build {
  return object as unknown as Build
}

function asNode(object: ApiObject): Node {
  return object as unknown as Node
}
