import test from 'ava'
import { ManualClock } from '#pkg/apimachinery/ambient.ts'
import { parseBuildLogLine } from '#pkg/build/buildlog.ts'
import { BrokenPipe } from '../io.ts'
import { fitted } from './livescreen.ts'
import { makeBuildScreen, makeBuildScreens } from './screen.ts'
import { afterLine, linesOfStatus, noSteps } from './steps.ts'

function output(isTTY: boolean) {
  const written: string[] = []
  return {
    isTTY,
    columns: 40,
    written,
    write: async (text: string | Uint8Array) => {
      written.push(String(text))
    },
  }
}

/** What a terminal shows after all of it: lines, as cursor movements have left them. */
function shown(written: readonly string[]): string[] {
  const lines: string[] = ['']
  let at = 0
  const orders = written.join('').replaceAll('\u001b[', '\u241b')
  for (const part of orders.matchAll(/\u241b(\d*)([AJ])|\n|[^\u241b\n]+/g)) {
    const [text, count, order] = part
    if (order === 'A') at -= Number(count)
    else if (order === 'J') lines.splice(at, lines.length - at, '')
    else if (text === '\n') at += 1
    else lines[at] = text
    lines[at] ??= ''
  }
  return lines.slice(0, -1)
}

const log = [
  '[1/3] FROM bb:1',
  '[1/3] CACHED',
  '[2/3] RUN make',
  '#2 cc a.c',
  '#2 \u001b[31mwarning\u001b[0m',
]

test('on a pipe each line is written once, as it is', async (t) => {
  const out = output(false)
  const screen = makeBuildScreen(out, new ManualClock(), 'build/web')
  await screen.begin()
  for (const line of log) await screen.line(line)
  await screen.finish()
  t.is(out.written.join(''), `${log.join('\n')}\n`)
})

test('on a pipe a wait is told once it lasts', async (t) => {
  const clock = new ManualClock()
  const out = output(false)
  const screen = makeBuildScreen(out, clock, 'build/web')
  await screen.note('it has no node yet')
  await clock.advance(900)
  t.deepEqual(out.written, [])
  await screen.note('it is fetched')
  await screen.note('it is fetched')
  await clock.advance(2000)
  t.deepEqual(out.written, ['build/web: it is fetched\n'])
  await screen.note('soon')
  await screen.begin()
  await clock.advance(5000)
  t.is(out.written.length, 1)
})

test('on a terminal each step has one line, and what runs its last lines below it', async (t) => {
  const clock = new ManualClock()
  const out = output(true)
  const screen = makeBuildScreen(out, clock, 'build/web')
  await screen.begin()
  for (const line of log) await screen.line(line)
  await clock.advance(12_400)
  t.deepEqual(shown(out.written), [
    '[1/3] FROM bb:1                  CACHED',
    '[2/3] RUN make                    12.4s',
    '    cc a.c',
    '    warning',
  ])
  await screen.line('[2/3] DONE 13.1s')
  await screen.line('[3/3] COPY a-rather-long-name-of-a-file /srv/data')
  await screen.finish()
  t.deepEqual(shown(out.written), [
    '[1/3] FROM bb:1                  CACHED',
    '[2/3] RUN make                    13.1s',
  ])
})

test('on a terminal steps beside each other share the room, and no line is wider than it', async (t) => {
  const clock = new ManualClock()
  const out = output(true)
  const screen = makeBuildScreen(out, clock, 'build/web')
  await screen.line('[a 1/9] RUN x')
  await screen.line('[b 2/9] RUN a-rather-long-command with words that go on')
  for (let line = 0; line < 50; line++) await screen.line(`#${1 + (line % 2)} ${line} ${'x'.repeat(80)}`)
  await clock.advance(1000)
  const lines = shown(out.written)
  t.is(lines.length, 8)
  t.true(lines.every((line) => line.length <= 39))
  t.is(lines[4], '[b 2/9] RUN a-rather-long-command… 1.0s')
  await screen.finish()
  t.deepEqual(shown(out.written), [])
})

test('whoever reads no more is no reason to go on', async (t) => {
  const clock = new ManualClock()
  const write = async () => {
    throw new BrokenPipe()
  }
  const screen = makeBuildScreen({ isTTY: true, columns: 80, write }, clock, 'build/web')
  await t.throwsAsync(screen.line('[1/1] FROM x'), { instanceOf: BrokenPipe })
})

test('nothing that a step writes gives orders to the terminal', (t) => {
  t.is(fitted('a\u001b[2Jb\u0007c\td', 80), 'ab^Gc  d')
})

test('steps that are only told by the object are told once each', (t) => {
  const steps = [
    { number: 1, instruction: 'FROM x', state: 'Done' as const, seconds: 1 },
    { number: 2, instruction: 'RUN make', state: 'Running' as const },
  ]
  const first = linesOfStatus(noSteps, steps)
  t.deepEqual(first, ['[1/2] FROM x', '[1/2] DONE 1.0s', '[2/2] RUN make'])
  const told = first.reduce((known, line) => afterLine(known, parseBuildLogLine(line), 0), noSteps)
  t.deepEqual(linesOfStatus(told, steps), [])
  const [from, make] = steps
  if (from === undefined || make === undefined) return t.fail()
  t.deepEqual(linesOfStatus(told, [from, { ...make, state: 'Failed' as const, seconds: 2 }]), [
    '[2/2] FAILED 2.0s',
  ])
})

test('nothing that a step writes, or is called, gives orders to the terminal', async (t) => {
  const clock = new ManualClock()
  const out = output(true)
  const screen = makeBuildScreen(out, clock, 'build/web')
  const evil = '\u0000\u001b]0;mine\u0007\u009b2J'
  await screen.begin()
  await screen.note(`waits${evil}`)
  await screen.line(`[${evil} 1/2] RUN ${evil}`)
  await screen.line(`#1 text${evil}`)
  await clock.advance(300)
  await screen.line(`[${evil} 1/2] DONE 1.0s`)
  await screen.line(`built${evil}`)
  await screen.finish()
  const redrawn = /\u241b\[\d*[AJ]/g
  const rest = out.written.join('').replaceAll('\u001b', '\u241b').replace(redrawn, '')
  t.notRegex(rest, /(?!\n)\p{Cc}|\u241b/u)
  t.true(out.written.join('').includes('text'))
})

test('on a pipe the lines of several builds say whose they are, whatever order they come in', async (t) => {
  const clock = new ManualClock()
  const out = output(false)
  const [web, worker] = makeBuildScreens(out, clock, ['web', 'worker'])
  await web?.begin()
  await worker?.begin()
  await web?.line('[1/2] FROM bb:1')
  await worker?.line('[1/1] FROM bb:1')
  await web?.note('it waits')
  await clock.advance(1000)
  await worker?.tell('built')
  await web?.finish()
  await worker?.finish()
  t.deepEqual(out.written, [
    'web    | [1/2] FROM bb:1\n',
    'worker | [1/1] FROM bb:1\n',
    'web    | it waits\n',
    'worker | built\n',
  ])
})

test('on a terminal several builds share one block, and what has ended stays above it', async (t) => {
  const clock = new ManualClock()
  const out = output(true)
  const [web, worker] = makeBuildScreens(out, clock, ['web', 'worker'])
  await web?.line('[1/2] FROM bb:1')
  await web?.line('[1/2] CACHED')
  await web?.line('[2/2] RUN make')
  await worker?.note('it has no node yet')
  for (let line = 0; line < 9; line++) await web?.line(`#2 cc ${line}.c`)
  await clock.advance(2000)
  const above = 'web    | [1/2] FROM bb:1         CACHED'
  t.deepEqual(shown(out.written).slice(0, 2), [above, 'web    | [2/2] RUN make            2.0s'])
  t.deepEqual(shown(out.written).slice(-2), [
    'web    |     cc 8.c',
    'worker | it has no node yet        2.0s',
  ])
  await worker?.line('[1/1] RUN x')
  await web?.aside(async () => await out.write('Warning: look here\n'))
  await web?.line('[2/2] DONE 2.0s')
  await web?.finish()
  await web?.tell('built')
  t.deepEqual(shown(out.written), [
    above,
    'Warning: look here',
    'web    | [2/2] RUN make            2.0s',
    'web    | built',
    'worker | [1/1] RUN x               0.0s',
  ])
  await worker?.finish()
  t.is(shown(out.written).length, 4)
})

test('a block is never higher than a small terminal', async (t) => {
  const clock = new ManualClock()
  const out = output(true)
  const screens = makeBuildScreens(
    out,
    clock,
    Array.from({ length: 30 }, (_, index) => `b${index}`),
  )
  for (const screen of screens.slice(0, 15)) {
    await screen.line('[1/1] RUN x')
    await screen.line('#1 words')
  }
  await clock.advance(1000)
  t.is(shown(out.written).length, 15)
  for (const screen of screens.slice(15)) await screen.line('[1/1] RUN x')
  t.is(shown(out.written).length, 20)
  t.is(shown(out.written).at(-1), '... and 11 more')
})
