import test from 'ava'
import fc from 'fast-check'
import { BuildLogLines, type LoggedEvent, parseBuildLogLine } from './buildlog.ts'

function linesOf(events: readonly LoggedEvent[]): string[] {
  const lines = new BuildLogLines()
  return [...events.flatMap((event) => lines.add(event)), ...lines.end()]
}

test('each line says of which step it is', (t) => {
  const lines = linesOf([
    { type: 'step', step: 1, of: 2, instruction: 'FROM bb:1' },
    { type: 'stepDone', step: 1, state: 'Cached', seconds: 0 },
    { type: 'step', step: 2, of: 2, instruction: 'RUN make', stage: 'build' },
    { type: 'output', step: 2, text: 'cc ma' },
    { type: 'output', step: 2, text: 'in.c\n10%\r20%\r100%\r\nno end' },
    { type: 'stepDone', step: 2, state: 'Failed', seconds: 1.25 },
    { type: 'warning', line: 4, message: 'quotes\nare single' },
    { type: 'output', text: 'of the builder' },
  ])
  t.deepEqual(lines, [
    '[1/2] FROM bb:1',
    '[1/2] CACHED',
    '[build 2/2] RUN make',
    '#2 cc main.c',
    '#2 100%',
    '#2 no end',
    '[build 2/2] FAILED 1.3s',
    'warning: line 4: quotes are single',
    'of the builder',
  ])
})

test('what is read is what was written', (t) => {
  const step = fc.integer({ min: 1, max: 500 })
  const word = fc.stringMatching(/^[a-z][a-z0-9-]{0,10}$/)
  const event: fc.Arbitrary<LoggedEvent> = fc.oneof(
    fc
      .record({ step, of: fc.constant(500), instruction: word, stage: word })
      .map((one) => ({ type: 'step' as const, ...one, instruction: `RUN ${one.instruction}` })),
    fc.record({ step, text: word }).map((one) => ({ type: 'output' as const, ...one })),
  )
  fc.assert(
    fc.property(event, (one) => {
      const [line = ''] = linesOf([one])
      t.deepEqual(parseBuildLogLine(line), one)
    }),
  )
  const [begun, done] = linesOf([
    { type: 'step', step: 3, of: 7, instruction: 'RUN x' },
    { type: 'stepDone', step: 3, state: 'Done', seconds: 12.4 },
  ]).map(parseBuildLogLine)
  t.deepEqual(begun, { type: 'step', step: 3, of: 7, instruction: 'RUN x' })
  t.deepEqual(done, { type: 'stepDone', step: 3, state: 'Done', seconds: 12.4 })
})

test('output that never ends its line is broken, and nothing of it is lost', (t) => {
  const lines = new BuildLogLines()
  const told = [...Array(20)].flatMap(() => lines.add({ type: 'output', step: 1, text: 'x'.repeat(1000) }))
  const text = [...told, ...lines.end()].map((line) => line.replace('#1 ', '')).join('')
  t.true(told.length > 0)
  t.is(text.length, 20_000)
})

test('lines of any text are read', (t) => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      t.truthy(parseBuildLogLine(text).type)
    }),
  )
})

test('many lines at once are the same lines', (t) => {
  const text = fc.stringMatching(/^[ab\r\n]{0,12}$/)
  const step = fc.option(fc.integer({ min: 1, max: 2 }), { nil: undefined })
  const event = fc.record({ text, step }).map(({ text, step }): LoggedEvent => {
    return { type: 'output', text, ...(step !== undefined && { step }) }
  })
  fc.assert(
    fc.property(fc.array(event, { maxLength: 8 }), (events) => {
      const [one, other] = [new BuildLogLines(), new BuildLogLines()]
      for (const each of events) t.is(one.text(each), joined(other.add(each)))
      t.deepEqual(one.end(), other.end())
    }),
  )
})

function joined(lines: readonly string[]): string | undefined {
  return lines.length === 0 ? undefined : lines.join('\n')
}
