import test from 'ava'
import type { BuildEvent } from './builds.ts'
import { ClassicReader } from './dockerbuildclassic.ts'

const said = (...words: string[]) => words.map((stream) => ({ stream }))
const id = (digit: string) => `sha256:${digit.repeat(64)}`
const layer = (digit: string) => digit.repeat(12)

function read(lines: readonly unknown[], hasLabels = false) {
  const reader = new ClassicReader({ hasLabels })
  const events = lines.flatMap((line) => reader.read(line))
  return { reader, events }
}

const done = (step: number, more: object) => ({ type: 'stepDone', step, ...more }) as const

test('steps, their output and their layers are told', (t) => {
  const { reader, events } = read([
    ...said('Step 1/2 : FROM a', '\n', ` ---> ${layer('a')}\n`, 'Step 2/2 : RUN make', '\n'),
    ...said(` ---> Running in ${layer('c')}\n`, 'made\n', '\u001b[91moops\n\u001b[0m'),
    ...said(`Removing intermediate container ${layer('c')}\n`, ` ---> ${layer('b')}\n`),
    { aux: { ID: id('b') } },
    ...said(`Successfully built ${layer('b')}\n`, 'Successfully tagged x:1\n'),
  ])
  t.deepEqual(events, [
    { type: 'step', step: 1, of: 2, instruction: 'FROM a' },
    done(1, { state: 'Done', layer: layer('a') }),
    { type: 'step', step: 2, of: 2, instruction: 'RUN make' },
    { type: 'output', step: 2, text: 'made\n' },
    { type: 'output', step: 2, text: 'oops\n' },
    done(2, { state: 'Done', layer: layer('b') }),
  ])
  t.deepEqual(reader.image, { image: id('b'), stages: [] })
  t.is(reader.failure, undefined)
})

test('a program that writes as the builder does is taken for a program', (t) => {
  const written = [
    ` ---> ${layer('d')}\n`,
    ' ---> Using cache\n',
    'Step 2/3 : RUN evil',
    'Step 9/2 : RUN evil',
    `Removing intermediate container ${layer('e')}\n`,
    'Successfully built 0123456789ab\n',
  ]
  const { events } = read([
    ...said('Step 1/2 : RUN x', '\n', ` ---> Running in ${layer('c')}\n`, ...written),
    ...said(`Removing intermediate container ${layer('c')}\n`, ` ---> ${layer('b')}\n`, 'Step 2/2 : CMD y'),
  ])
  const output = events.flatMap((event) => (event.type === 'output' ? [event.text] : []))
  t.deepEqual(output, written)
  t.deepEqual(events.at(-2), done(1, { state: 'Done', layer: layer('b') }))
})

test('what is cached is told so, and images of stages are those that are no bases', (t) => {
  const { reader, events } = read([
    ...said('Step 1/4 : FROM a AS one', '\n', ` ---> ${layer('a')}\n`, 'Step 2/4 : ENV A=b', '\n'),
    ...said(' ---> Using cache\n', ` ---> ${layer('1')}\n`),
    { aux: { ID: id('1') } },
    ...said('Step 3/4 : FROM a AS two', '\n', ` ---> ${layer('a')}\n`),
    { aux: { ID: id('a') } },
    ...said('Step 4/4 : FROM one', '\n', ` ---> ${layer('1')}\n`),
    { aux: { ID: id('2') } },
  ])
  t.deepEqual(
    events.filter(({ type }) => type === 'stepDone'),
    [
      done(1, { state: 'Done', layer: layer('a') }),
      done(2, { state: 'Cached', layer: layer('1') }),
      done(3, { state: 'Done', layer: layer('a') }),
      done(4, { state: 'Done', layer: layer('1') }),
    ],
  )
  const stages = events.flatMap((event) => (event.type === 'step' ? [event.stage] : []))
  t.deepEqual(stages, ['one', 'one', 'two', undefined])
  t.deepEqual(reader.image, { image: id('2'), stages: [id('1')] })
})

test('the step of added labels is not told', (t) => {
  const lines = [
    ...said('Step 1/2 : FROM a', '\n', ` ---> ${layer('a')}\n`, 'Step 2/2 : LABEL x=y', '\n'),
    ...said(` ---> Running in ${layer('c')}\n`, `Removing intermediate container ${layer('c')}\n`),
    ...said(` ---> ${layer('b')}\n`),
    { aux: { ID: id('b') } },
  ]
  const { reader, events } = read(lines, true)
  t.deepEqual(events, [
    { type: 'step', step: 1, of: 1, instruction: 'FROM a' },
    done(1, { state: 'Done', layer: layer('a') }),
  ])
  t.deepEqual(reader.image, { image: id('b'), stages: [] })
})

test('triggers of a base image run within its step', (t) => {
  const { events } = read([
    ...said('Step 1/1 : FROM a', '\n', '# Executing 2 build trigger', 's', '\n'),
    ...said(` ---> Running in ${layer('c')}\n`, 'one\n', `Removing intermediate container ${layer('c')}\n`),
    ...said(` ---> ${layer('1')}\n`, ` ---> Running in ${layer('d')}\n`, 'two\n'),
    ...said(`Removing intermediate container ${layer('d')}\n`, ` ---> ${layer('2')}\n`),
    { aux: { ID: id('2') } },
  ])
  const text = events.flatMap((event) => (event.type === 'output' ? [event.text] : [])).join('')
  t.is(text, '# Executing 2 build triggers\none\ntwo\n')
  t.deepEqual(events.at(-1), done(1, { state: 'Done', layer: layer('2') }))
})

test('a failure has its step and its exit code', (t) => {
  const { reader, events } = read([
    ...said('Step 1/3 : RUN x', '\n', ` ---> Running in ${layer('c')}\n`),
    ...said(`Removing intermediate container ${layer('c')}\n`),
    { errorDetail: { code: 7, message: 'non-zero code: 7' }, error: 'non-zero code: 7' },
  ])
  t.deepEqual(events.at(-1), done(1, { state: 'Failed' }))
  const where = { step: 1, instruction: 'RUN x', container: layer('c') }
  t.deepEqual(reader.failure, { message: 'non-zero code: 7', exitCode: 7, ...where })
  t.is(reader.image, undefined)
})

test('warnings and pulls are told, how far a pull is, is not', (t) => {
  const { events } = read([
    ...said('Step 1/1 : FROM a', '\n'),
    { status: 'Pulling from library/a', id: '1' },
    { status: 'Downloading', id: 'x', progressDetail: { current: 1, total: 2 } },
    ...said(' ---> [Warning] The requested platform does not match\n', ` ---> ${layer('a')}\n`),
    { aux: { ID: id('a') } },
    ...said('[Warning] One or more build-args [A] were not consumed\n'),
  ])
  const told: readonly BuildEvent[] = events.filter(({ type }) => type === 'output' || type === 'warning')
  t.deepEqual(told, [
    { type: 'output', step: 1, text: '1: Pulling from library/a\n' },
    { type: 'warning', message: 'The requested platform does not match' },
    { type: 'warning', message: 'One or more build-args [A] were not consumed' },
  ])
})

test('a step that is broken off is canceled', (t) => {
  const { reader } = read(said('Step 1/1 : RUN x', '\n'))
  t.deepEqual(reader.broken(), [done(1, { state: 'Canceled' })])
  t.deepEqual(reader.broken(), [])
})

test('of a program that writes what the builder writes between two steps, no more is held back than the builder writes', (t) => {
  const line = ` ---> ${layer('d')}\n`
  const reader = new ClassicReader({ hasLabels: false })
  const begin = said('Step 1/1 : RUN x', '\n', ` ---> Running in ${layer('c')}\n`)
  for (const value of begin) reader.read(value)
  const told = Array.from({ length: 100 }, () => reader.read({ stream: line })).flat()
  t.true(told.length >= 90)
  t.true(told.every((event) => event.type === 'output' && event.text === line))
})
