import test from 'ava'
import fc from 'fast-check'
import { ManualClock } from '#pkg/apimachinery/ambient.ts'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import type { LogChunk, ObservedContainer } from '#pkg/engine/port.ts'
import { SimEngine } from '#pkg/engine/sim.ts'
import { clusterID, container, observed, world } from '#test/helpers/world.ts'
import { LastLines, LogTails, longestLine, tailsWanted } from './logtails.ts'

const signal = new AbortController().signal
const web = container('web')
const finishedAt = '2026-01-01T11:30:00Z'

function ended(more: Partial<ObservedContainer> = {}): ObservedContainer {
  return observed(web, 'f', { state: 'exited', exitCode: 1, finishedAt, ...more })
}

/** An engine whose logs are what `read` gives. */
function engineOf(read: () => AsyncIterable<LogChunk>) {
  const engine = new SimEngine({ clock: new ManualClock() })
  const asked: { container: string; tail: number | undefined; since: string | undefined }[] = []
  engine.containerLogs = (id, { tail, since }) => {
    asked.push({ container: id, tail, since })
    return read() as AsyncGenerator<LogChunk>
  }
  return { engine, asked }
}

async function* chunks(...texts: string[]): AsyncGenerator<LogChunk> {
  for (const text of texts) yield { stream: 'stdout', data: Buffer.from(text) }
}

test('the last lines of an end are asked for once, and again when there are more to be had or it ended again', async (t) => {
  const { engine, asked } = engineOf(() => chunks('a\nb', 'c\n'))
  const tails = new LogTails(engine)
  const look = (observed: ObservedContainer, count: number) =>
    tails.of([observed], new Map([[observed.id, count]]), signal)
  t.deepEqual([...(await look(ended(), 20))], [['id-web', ['a', 'bc']]])
  await look(ended(), 20)
  t.deepEqual(asked, [{ container: 'id-web', tail: 20, since: '2026-01-01T11:00:00.750Z' }])
  await look(ended(), 200)
  await look(ended(), 20)
  t.is(asked.length, 2)
  await look(ended({ finishedAt: '2026-01-01T11:40:00Z' }), 20)
  t.is(asked.length, 3)
})

test('what was read stays until the container is gone from the engine', async (t) => {
  const { engine } = engineOf(() => chunks('a\n'))
  const tails = new LogTails(engine)
  await tails.of([ended()], new Map([['id-web', 20]]), signal)
  t.is((await tails.of([ended()], new Map(), signal)).size, 1)
  t.is((await tails.of([], new Map(), signal)).size, 0)
})

test('a log that cannot be read says so and fails no look; an engine that is away does', async (t) => {
  let error = new StatusError('EngineError', 'configured logging driver does not support reading')
  const { engine } = engineOf(async function* () {
    yield* chunks('lost')
    throw error
  })
  const tails = new LogTails(engine)
  const wanted = new Map([['id-web', 20]])
  t.deepEqual((await tails.of([ended()], wanted, signal)).get('id-web'), [
    '(the log cannot be read: configured logging driver does not support reading)',
  ])
  error = new StatusError('NotFound', 'no such container')
  t.is((await new LogTails(engine).of([ended()], wanted, signal)).size, 0)
  error = new StatusError('EngineUnavailable', 'away')
  await t.throwsAsync(new LogTails(engine).of([ended()], wanted, signal), { message: 'away' })
})

test('lines of the two streams stay whole, long ones are cut, and what is no UTF-8 is replaced', (t) => {
  const lines = new LastLines(20)
  lines.take('stdout', Buffer.from('out '))
  lines.take('stderr', Buffer.from('err\r\n'))
  lines.take('stdout', Buffer.from('put\n'))
  lines.take('stdout', Buffer.from([0x61, 0xff, 0x62, 0x0a]))
  lines.take('stdout', Buffer.from(`${'x'.repeat(3000)}\n`))
  t.deepEqual(lines.end(), ['err', 'out put', 'a\ufffdb', `${'x'.repeat(longestLine)}...`])
})

test('however output is cut into pieces, the last lines of it are kept, within 64 KiB', (t) => {
  const line = fc.string({ maxLength: 30 }).map((text) => text.replaceAll(/[\r\n]/g, ''))
  fc.assert(
    fc.property(
      fc.array(line),
      fc.array(fc.nat(40)),
      fc.integer({ min: 1, max: 10 }),
      (written, cuts, count) => {
        const bytes = Buffer.from(written.map((text) => `${text}\n`).join(''))
        const lines = new LastLines(count)
        let at = 0
        for (const cut of cuts) {
          lines.take('stdout', bytes.subarray(at, at + cut))
          at += cut
        }
        lines.take('stdout', bytes.subarray(at))
        t.deepEqual(lines.end(), written.slice(-count))
      },
    ),
  )
  const many = new LastLines(200)
  for (let index = 0; index < 300; index++) many.take('stdout', Buffer.from(`${index} ${'y'.repeat(900)}\n`))
  const kept = many.end()
  t.true(kept.at(-1)?.startsWith('299 '))
  t.true(Buffer.byteLength(kept.join('\n')) <= 65_536)
  t.true(kept.length > 60)
})

test('those are asked that ended and were not to; those that failed a replacement for more', (t) => {
  const stopped = container('idle', { state: 'Stopped' })
  const { desired } = world({ objects: [web, stopped] })
  const asked = tailsWanted(
    [
      ended(),
      ended({ id: 'failed', name: 'web_failed-a1b2c3' }),
      observed(web, 'f', { id: 'runs' }),
      observed(stopped, 'f', { state: 'exited' }),
      ended({ id: 'stranger', labels: {} }),
    ],
    { desired, clusterID },
  )
  t.deepEqual(
    [...asked],
    [
      ['id-web', 20],
      ['failed', 200],
    ],
  )
})
