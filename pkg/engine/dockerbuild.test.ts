/** Whose fault the end of a step is: of engines that go down, fast or slowly, of somebody's hand, or of the step itself. */
import type { ServerResponse } from 'node:http'
import test, { type ExecutionContext } from 'ava'
import { ManualClock } from '#pkg/apimachinery/ambient.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { json, serveEngine } from '#test/helpers/scriptedengine.ts'
import { BuildError } from './builds.ts'

const container = 'be964219c55f'
const kill = { Type: 'container', Action: 'kill', Actor: { ID: container, Attributes: { signal: '15' } } }

interface Script {
  /** Of the step. */
  readonly code: number
  /** What the engine tells of its last events. */
  readonly events?: readonly object[] | 'hangs' | 'breaks'
  /** How long it answers after the step has ended, in ms; absent: on and on. */
  readonly staysFor?: number
  /** What the step ran in is told. */
  readonly isClassic?: boolean
}

/** A build whose one step ends so; what becomes of it, and after how many ms. */
async function fails(t: ExecutionContext, { code, events = [], staysFor, isClassic = true }: Script) {
  const clock = new ManualClock()
  const asked: URLSearchParams[] = []
  const isGone = () => staysFor !== undefined && clock.now() - from >= staysFor
  const say = (response: ServerResponse, ...lines: readonly object[]) =>
    response.end(lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
  const { engine } = await serveEngine(
    t,
    (request, response) => {
      const [path = '', query] = request.url?.split('?') ?? []
      if (isGone()) return void response.destroy()
      if (path.endsWith('/version')) return json(response, 200, { ApiVersion: '1.41' })
      if (path.endsWith('/events')) {
        asked.push(new URLSearchParams(query))
        if (events === 'breaks') return void response.destroy()
        return events === 'hangs'
          ? void response.writeHead(200).flushHeaders()
          : void say(response, ...events)
      }
      const message = `The command '/bin/sh -c make' returned a non-zero code: ${code}`
      request.resume()
      say(
        response,
        { stream: 'Step 1/2 : FROM base:1' },
        { stream: ' ---> efc7f92699f7\n' },
        { stream: 'Step 2/2 : RUN make' },
        ...(isClassic ? [{ stream: ` ---> Running in ${container}\n` }] : []),
        { errorDetail: { code, message }, error: message },
      )
    },
    { clock, isVersioned: true },
  )
  const from = clock.now()
  let error: unknown
  let isOver = false
  const ended = engine.buildImage(options()).catch((reason: unknown) => {
    error = reason
    isOver = true
  })
  // Answers come over a socket, in a time of their own; what waits for the clock waits for these steps only.
  for (let left = 10_000; !isOver && left > 0; left--) {
    await new Promise((resolve) => setImmediate(resolve))
    if (left % 20 === 0) await clock.advance(250)
  }
  await ended
  return { error, ms: clock.now() - from, asked }
}

function options() {
  return {
    builder: 'Classic' as const,
    context: nothing(),
    dockerfile: 'Dockerfile',
    tags: [],
    args: {},
    labels: {},
    noCache: false,
    cacheFrom: [],
    secrets: new Map(),
    onEvent: () => {},
    signal: new AbortController().signal,
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {
  yield Buffer.alloc(1024)
}

const codeOf = (error: unknown) => (error instanceof BuildError ? error.failure.exitCode : String(error))

test('a step that ends by itself has failed, and nobody waits for the engine to go', async (t) => {
  const { error, ms, asked } = await fails(t, { code: 2 })
  t.is(codeOf(error), 2)
  t.true(ms < 3000)
  t.deepEqual(JSON.parse(asked[0]?.get('filters') ?? ''), {
    type: ['container'],
    container: [container],
    event: ['kill'],
  })
})

test('a step that is killed while the engine stays, and not by it, has failed: of too much memory, or by its own hand', async (t) => {
  t.is(codeOf((await fails(t, { code: 137 })).error), 137)
})

for (const code of [137, 143, 2])
  for (const staysFor of [1, 2500, 20_000, 45_000])
    test(`a step that an engine ends as it goes down, with ${code}, ${staysFor} ms before it is gone, has not failed`, async (t) => {
      const { error, ms } = await fails(t, { code, events: [kill], staysFor })
      t.true(isReason(error, 'EngineUnavailable'), String(error))
      t.true(ms < staysFor + 10_000, `${ms}`)
    })

test('a step that a machine kills as it goes down has not failed, whoever is not asked by the engine any more', async (t) => {
  for (const isClassic of [true, false]) {
    const { error } = await fails(t, { code: 137, staysFor: 2000, isClassic })
    t.true(isReason(error, 'EngineUnavailable'), String(error))
  }
})

test('a step whose container somebody ended by hand is tried again: its program did nothing wrong', async (t) => {
  const { error } = await fails(t, { code: 137, events: [kill] })
  t.true(isReason(error, 'EngineError'), String(error))
  t.regex(String(error), /was told to end, and not by its own program \(exit code 137\)/)
})

test('an engine that breaks off or hangs when it is asked what it did is away', async (t) => {
  for (const events of ['breaks', 'hangs'] as const) {
    const { error } = await fails(t, { code: 2, events })
    t.true(isReason(error, 'EngineUnavailable'), `${events}: ${String(error)}`)
  }
})
