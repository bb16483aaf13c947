import test from 'ava'
import type { Build } from '#pkg/apis/build.ts'
import { kinds } from '#pkg/apis/kinds.ts'
import { complete } from '#pkg/manifest/admit.ts'
import { asBuild, standingOf } from './outcome.ts'
import { builtText, failureText, isWarned, warningText } from './report.ts'

const dockerfileInline = 'FROM scratch\nCOPY a /\nRUN make\n'

function build(status: Build['status'], more: Partial<Build['spec']> = {}): Build {
  const written = {
    apiVersion: 'cove.run/v1',
    kind: 'Build',
    metadata: { name: 'web', namespace: 'shop', generation: 2 },
    spec: { context: { empty: {} }, dockerfileInline, nodeName: 'n1', ...more },
  }
  const kind = kinds.find((one) => one.kind === 'Build')
  if (kind === undefined) throw new Error('there is no such kind')
  const { object } = complete(kind, written)
  return asBuild({ ...written, ...object, status: { observedGeneration: 2, ...status } })
}

function condition(type: string, status: 'True' | 'False', message: string) {
  return { type, status, reason: 'R', message, lastTransitionTime: '', observedGeneration: 2 }
}

const asked = { generation: 2, attempts: 3 }
const id = `sha256:${'ab'.repeat(32)}`
const failure = {
  reason: 'StepFailed',
  message: 'step 3: RUN make: it returned 2',
  exitCode: 2,
  step: 3,
  line: 3,
  log: ['cc a.c', 'no rule'],
}
const steps = [
  { number: 1, instruction: 'FROM scratch', state: 'Done' as const },
  { number: 2, instruction: 'COPY a /', state: 'Cached' as const },
  { number: 3, instruction: 'RUN make', state: 'Failed' as const },
]

test('what is said of an older spec, or before the request was seen, is no answer', (t) => {
  const old = build({ observedGeneration: 1, phase: 'Succeeded', attempt: 3 })
  t.deepEqual(standingOf(old, asked), { state: 'waiting', message: 'node n1 has not seen it yet' })
  const before = build({
    phase: 'Failed',
    attempt: 3,
    failure,
    conditions: [condition('Stalled', 'True', 'm')],
  })
  t.is(standingOf(before, { ...asked, request: 'now' }).state, 'waiting')
  t.is(standingOf(build({ ...before.status, request: 'now' }), { ...asked, request: 'now' }).state, 'failed')
})

test('why it has no node is told by whoever places it', (t) => {
  const message = '0/1 nodes are available: 1 node(s) were unschedulable'
  const conditions = [condition('Ready', 'False', message)]
  t.deepEqual(standingOf(build({ observedGeneration: 0, conditions }), asked), { state: 'waiting', message })
})

test('an attempt is followed, whoever has asked for it', (t) => {
  t.deepEqual(standingOf(build({ phase: 'Building', attempt: 3 }), asked), { state: 'building', attempt: 3 })
  t.deepEqual(standingOf(build({ phase: 'Building', attempt: 4 }), asked), { state: 'building', attempt: 4 })
})

test('an image that something has moved away from is waited for', (t) => {
  const moved = { phase: 'Succeeded' as const, conditions: [condition('UpToDate', 'False', 'x')] }
  t.is(standingOf(build(moved), asked).state, 'waiting')
  t.deepEqual(standingOf(build({ phase: 'Succeeded', attempt: 3 }), asked), {
    state: 'built',
    attempt: 3,
    isNew: false,
  })
})

test('what is over without an image is told with whether it is tried again', (t) => {
  const away = build({
    phase: 'Failed',
    attempt: 3,
    failure: { reason: 'RegistryUnavailable', message: 'm' },
  })
  t.like(standingOf(away, asked), { state: 'failed', message: 'm', isRetried: true, isNew: false })
  const final = build({ ...away.status, conditions: [condition('Stalled', 'True', 'm')] })
  t.like(standingOf(final, asked), { state: 'failed', isRetried: false })
  t.like(standingOf(build({ phase: 'Suspended' }, { suspend: true }), asked), { state: 'failed' })
  t.like(standingOf(build({ phase: 'Canceled', attempt: 4 }), asked), { message: 'it was broken off' })
})

test('a failed step is told with its line of the Dockerfile, and what it wrote when nobody has read that', (t) => {
  const failed = build({
    phase: 'Failed',
    attempt: 4,
    failure,
    steps,
    conditions: [condition('Stalled', 'True', 'm')],
  })
  const standing = standingOf(failed, asked)
  if (standing.state !== 'failed') return t.fail()
  t.is(
    failureText({ build: failed, standing }, true),
    `error: build/web: step 3, RUN make: exit code 2 (Dockerfile:3)
The last it wrote:
  cc a.c
  no rule
Dockerfile:3
    1 | FROM scratch
    2 | COPY a /
  > 3 | RUN make
`,
  )
  t.false(failureText({ build: failed, standing }, false).includes('no rule'))
})

test('an image is told as docker does, one that is there already is not built again', (t) => {
  const status = {
    phase: 'Succeeded' as const,
    attempt: 4,
    image: { id },
    steps,
    cacheHits: 1,
    startedAt: '2026-01-01T00:00:00Z',
    finishedAt: '2026-01-01T00:00:12Z',
  }
  const done = build(status, { tags: ['web:1', 'web:2'] })
  const now = Date.parse('2026-01-01T00:01:12Z')
  t.is(
    builtText({ build: done, standing: { state: 'built', attempt: 4, isNew: true } }, now),
    `Successfully built abababababab (attempt 4 in 12.0s, 1 of 3 steps cached)
Successfully tagged web:1
Successfully tagged web:2
`,
  )
  t.is(
    builtText({ build: done, standing: { state: 'built', attempt: 4, isNew: false } }, now),
    'build/web is up to date: abababababab, built by attempt 4 60s ago\n',
  )
})

test('a warning is told with its rule and its line', (t) => {
  const warning = { rule: 'RunCd', message: 'use WORKDIR', line: 4 }
  t.is(warningText(build({}), warning), 'Dockerfile:4: RunCd: use WORKDIR')
  t.true(isWarned(warning, ['Dockerfile: RunCd: line 4: use WORKDIR']))
  t.false(isWarned(warning, ['Dockerfile: RunCd: line 9: use another WORKDIR']))
})
