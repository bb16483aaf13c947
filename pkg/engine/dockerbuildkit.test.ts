import test from 'ava'
import type { BuildEvent } from './builds.ts'
import { BuildKitReader } from './dockerbuildkit.ts'
import { field } from './protobuf.ts'

interface Told {
  readonly name: string
  readonly started?: number
  readonly completed?: number
  readonly cached?: true
  readonly error?: string
}

const time = (seconds: number) => Buffer.concat([field(1, seconds), field(2, 500_000_000)])

function vertex({ name, started, completed, cached, error = '' }: Told): Uint8Array {
  const parts = [field(1, `sha256:${name}`), field(3, name), field(4, cached ? 1 : 0), field(7, error)]
  if (started !== undefined) parts.push(field(5, time(started)))
  if (completed !== undefined) parts.push(field(6, time(completed)))
  return field(1, Buffer.concat(parts))
}

function log(name: string, text: string | Uint8Array): Uint8Array {
  return field(3, Buffer.concat([field(1, `sha256:${name}`), field(3, 1), field(4, text)]))
}

function trace(...parts: Uint8Array[]): object {
  return { id: 'moby.buildkit.trace', aux: Buffer.concat(parts).toString('base64') }
}

function read(...lines: readonly object[]) {
  const reader = new BuildKitReader()
  const events = lines.flatMap((line) => reader.read(line))
  return { reader, events }
}

const short = (events: readonly BuildEvent[]) =>
  events.map((event) => {
    if (event.type === 'step') return `${event.step}/${event.of} ${event.instruction}`
    if (event.type === 'stepDone') return `${event.step} ${event.state}`
    return event.type === 'output' ? `${event.step}: ${event.text}` : event.message
  })

const from = '[one 1/2] FROM docker.io/a'
const run = '[one 2/2] RUN make'
const copy = '[linux/amd64 stage-1  2/12] COPY --from=one /a /b'
const image = { id: 'moby.image.id', aux: { ID: 'sha256:abc' } }

test('work that is an instruction is a step, numbered as it begins', (t) => {
  const { reader, events } = read(
    trace(vertex({ name: '[internal] load remote build context', started: 1, completed: 2 })),
    trace(vertex({ name: from }), vertex({ name: run }), vertex({ name: copy })),
    trace(vertex({ name: from, started: 1, completed: 2 })),
    trace(vertex({ name: from, started: 2, completed: 2, cached: true })),
    trace(vertex({ name: run, started: 2 })),
    trace(log(run, 'making\n')),
    trace(vertex({ name: run, started: 2, completed: 5 })),
    trace(vertex({ name: copy, started: 5, completed: 6 })),
    trace(vertex({ name: 'exporting to image', started: 6, completed: 7 })),
    image,
  )
  t.deepEqual(short(events), [
    '1/3 FROM docker.io/a',
    '1 Done',
    '2/3 RUN make',
    '2: making\n',
    '2 Done',
    '3/3 COPY --from=one /a /b',
    '3 Done',
  ])
  t.like(events[2], { stage: 'one', inStage: { step: 2, of: 2 } })
  t.like(events[5], { stage: 'stage-1', inStage: { step: 2, of: 12 } })
  t.like(events[4], { seconds: 3 })
  t.deepEqual(reader.image, { image: 'sha256:abc', stages: [] })
})

test('steps of stages that are built at once have their own output and ends', (t) => {
  const other = '[two 2/2] RUN test'
  const { events } = read(
    trace(vertex({ name: run, started: 1 }), vertex({ name: other, started: 1 })),
    trace(log(other, 'b'), log(run, 'a')),
    trace(vertex({ name: other, started: 1, completed: 2 })),
    trace(vertex({ name: run, started: 1, completed: 3 })),
    image,
  )
  t.deepEqual(short(events), ['1/2 RUN make', '2/2 RUN test', '2: b', '1: a', '2 Done', '1 Done'])
})

test('a character that comes in two pieces is one', (t) => {
  const [first, ...rest] = Buffer.from('ü')
  const pieces = [Uint8Array.of(first ?? 0), Uint8Array.from(rest)].map((piece) => log(run, piece))
  const { events } = read(trace(vertex({ name: run, started: 1 }), ...pieces))
  t.is(events.map((event) => (event.type === 'output' ? event.text : '')).join(''), 'ü')
})

test('a failure has its step and exit code, others are canceled', (t) => {
  const message = 'executor failed running [/bin/sh -c make]: exit code: 7'
  const { reader, events } = read(
    trace(vertex({ name: '[two 2/2] RUN test', started: 1 }), vertex({ name: run, started: 1 })),
    trace(vertex({ name: run, started: 1, completed: 2, error: message })),
    trace(vertex({ name: '[two 2/2] RUN test', started: 1, completed: 2, error: 'context canceled' })),
    { errorDetail: { message: `failed to solve: ${message}` }, error: `failed to solve: ${message}` },
  )
  t.deepEqual(short(events).slice(2), ['2 Failed', '1 Canceled'])
  t.deepEqual(reader.failure, { message, step: 2, instruction: 'RUN make', exitCode: 7 })
})

test('a base image that cannot be had is the failure of the FROM that wants it', (t) => {
  const error = 'failed to do request: Head "https://r.test/v2/x/manifests/1": no such host'
  const name = '[internal] load metadata for r.test/x:1'
  const wrapped = `failed to solve with frontend dockerfile.v0: failed to create LLB definition: ${error}`
  const { reader } = read(trace(vertex({ name, started: 1, completed: 2, error })), { error: wrapped })
  t.deepEqual(reader.failure, { message: error, instruction: 'FROM r.test/x:1' })
})

test('warnings have their line', (t) => {
  const range = field(7, field(1, field(1, 4)))
  const warning = field(4, Buffer.concat([field(1, 'sha256:x'), field(3, 'Old form'), range]))
  t.deepEqual(read(trace(warning)).events, [{ type: 'warning', message: 'Old form', line: 4 }])
})
