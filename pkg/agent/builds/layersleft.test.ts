import test from 'ava'
import { BuildError } from '#pkg/engine/builds.ts'
import { mustFit } from './layersleft.ts'

const runs = (count: number) => Array.from({ length: count }, (_, index) => `RUN : ${index}`)

const judge = (lines: readonly string[], layers: Readonly<Record<string, number>>, more = {}) =>
  mustFit(
    { builder: 'Classic', args: {}, dockerfile: lines.join('\n'), dockerfileName: 'Dockerfile', ...more },
    new Map(
      Object.entries(layers).map(([reference, count]) => [
        reference,
        { RootFS: { Layers: Array.from({ length: count }, (_, index) => `sha256:${index}`) } },
      ]),
    ),
  )

test('layers of the base count: as many as an engine mounts are built, one more is refused with its line', (t) => {
  t.notThrows(() => judge(['FROM bb:1', ...runs(123)], { 'bb:1': 2 }))
  const error = t.throws(() => judge(['FROM bb:1', ...runs(124)], { 'bb:1': 2 }), { instanceOf: BuildError })
  t.is(
    error?.message,
    'Dockerfile: the image would have 126 layers, 124 of its own and 2 of bb:1, and may have 125: join RUNs by &&',
  )
  t.deepEqual(error?.failure, { line: 125 })
})

test('only the stages that the image lies upon count, and the base that their arguments name', (t) => {
  const lines = [
    'ARG BASE=small:1',
    'FROM big:1 AS tools',
    ...runs(20),
    'FROM $BASE AS first',
    ...runs(3),
    'FROM first',
    ...runs(3),
  ]
  const layers = { 'big:1': 120, 'small:1': 119, 'other:1': 120 }
  t.notThrows(() => judge(lines, layers))
  t.throws(() => judge(lines, layers, { args: { BASE: 'other:1' } }), { instanceOf: BuildError })
  t.throws(() => judge(lines, layers, { target: 'tools' }), { instanceOf: BuildError })
  t.notThrows(() => judge(lines, layers, { target: 'first', args: { BASE: 'other:1' } }))
  t.notThrows(() => judge(['FROM scratch', 'COPY a /a'], {}))
})
