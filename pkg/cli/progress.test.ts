import test from 'ava'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { blockLines, makeProgress, type ProgressItem } from './progress.ts'
import type { Verdict } from './readiness.ts'

function item(phase: string, state: Verdict['state'], status: Record<string, unknown> = {}): ProgressItem {
  const object: KubeObject = {
    apiVersion: 'cove.run/v1',
    kind: 'Container',
    metadata: { name: 'web' },
    status: { phase, ...status },
  }
  return {
    name: 'container/web',
    object,
    verdict: { state, message: state === 'pending' ? 'Pulling: a:1' : '' },
  }
}

function record(isTTY: boolean) {
  const written: string[] = []
  const write = async (text: string | Uint8Array) => {
    written.push(String(text))
  }
  return { written, progress: makeProgress({ isTTY, columns: 60, write }) }
}

test('without a terminal there is a line when a state changes, and only then', async (t) => {
  const { written, progress } = record(false)
  await progress.update([item('Pulling', 'pending')])
  await progress.update([item('Pulling', 'pending')])
  await progress.update([item('Starting', 'pending')])
  await progress.update([item('Running', 'met', { health: { status: 'healthy' } })])
  await progress.finish()
  t.deepEqual(written, [
    'container/web: Pulling  Pulling: a:1\n',
    'container/web: Pulling -> Starting  Pulling: a:1\n',
    'container/web: Starting -> Running (healthy)\n',
  ])
})

test('on a terminal the block takes the place of the one before, and goes in the end', async (t) => {
  const { written, progress } = record(true)
  await progress.update([item('Starting', 'pending')])
  await progress.update([item('Running', 'met')])
  await progress.finish()
  t.deepEqual(written, [
    '· container/web  Starting  Pulling: a:1\n',
    '\u001b[1A\u001b[J✓ container/web  Running\n',
    '\u001b[1A\u001b[J',
  ])
})

test('layers that are being pulled have bars, and no line is wider than the terminal', (t) => {
  const layers = [{ id: 'abc123', state: 'Downloading', currentBytes: 50, totalBytes: 100 }]
  const lines = blockLines([item('Pulling', 'pending', { image: { layers } })], 80)
  t.is(lines[1], '    abc123  Downloading        [============            ] 50%')
  t.true(
    blockLines([item('Pulling', 'pending', { image: { layers } })], 20).every((line) => line.length < 20),
  )
})

test('layers of an Image have bars on each of its nodes', (t) => {
  const of = (layer: string) => ({
    state: 'Pulling',
    layers: [{ layer, state: 'Downloading', currentBytes: 1, totalBytes: 4 }],
  })
  const nodes = { a: of('abc123'), b: { state: 'Ready' }, c: of('def456') }
  const [, ...lines] = blockLines([item('Pulling', 'pending', { nodes })], 80)
  t.deepEqual(lines, [
    '    abc123  Downloading        [======                  ] 25%',
    '    def456  Downloading        [======                  ] 25%',
  ])
})

test('of a Build there is a line for the step that it is at', (t) => {
  const steps = [
    { number: 1, instruction: 'FROM x', state: 'Done' },
    { number: 2, instruction: 'RUN make', state: 'Running' },
  ]
  const object = {
    apiVersion: 'cove.run/v1',
    kind: 'Build',
    metadata: { name: 'web' },
    status: { phase: 'Building', steps },
  }
  const item = { name: 'build/web', object, verdict: { state: 'pending' as const, message: 'so' } }
  t.deepEqual(blockLines([item], 80), ['· build/web  Building  so', '    step 2: RUN make'])
})
