import test from 'ava'
import { asContainer } from '../containerstate.ts'
import { verbs } from './state.ts'

function container(spec: Record<string, unknown>, status: Record<string, unknown> = {}) {
  const object = {
    apiVersion: 'cove.run/v1',
    kind: 'Container',
    metadata: { name: 'web', generation: 1 },
    spec: { state: 'Running', restartPolicy: 'Always', ...spec },
    status: { observedGeneration: 1, ...status },
  }
  return asContainer(object)
}

const anew = { metadata: { annotations: { 'cove.run/restartedAt': 'now' } } }

test('start sets the state, and begins anew what its policy would leave ended', (t) => {
  const { patch } = verbs.start
  t.is(patch(container({}, { phase: 'Running' }), 'now'), undefined)
  t.deepEqual(patch(container({ state: 'Created' }), 'now'), { spec: { state: 'Running' } })
  t.deepEqual(patch(container({ state: 'Stopped' }, { startedAt: 'x' }), 'now'), {
    spec: { state: 'Running' },
  })
  const once = container({ restartPolicy: 'Never' }, { phase: 'Succeeded', startedAt: 'x' })
  t.deepEqual(patch(once, 'now'), { spec: { state: 'Running' }, ...anew })
  t.throws(() => patch(container({ state: 'Paused' }), 'now'), { message: /is paused: `cove unpause`/ })
})

test('stop of what is stopped changes nothing', (t) => {
  t.is(verbs.stop.patch(container({ state: 'Stopped' })), undefined)
  t.deepEqual(verbs.stop.patch(container({})), { spec: { state: 'Stopped' } })
})

test('only what runs is paused, and only what is paused goes on', (t) => {
  t.deepEqual(verbs.pause.patch(container({}, { phase: 'Running' })), { spec: { state: 'Paused' } })
  t.throws(() => verbs.pause.patch(container({ state: 'Stopped' }, { phase: 'Stopped' })), {
    message: /container web is not running/,
  })
  t.throws(() => verbs.pause.patch(container({ state: 'Paused' }, { phase: 'Paused' })), {
    message: /is paused already/,
  })
  t.throws(() => verbs.unpause.patch(container({}, { phase: 'Running' })), { message: /is not paused/ })
})

test('a restart is done when the request was acted on, not when the old run still shows', (t) => {
  const asked = (status: Record<string, unknown>) => {
    const { metadata, ...rest } = container({}, status)
    return verbs.restart.isDone({ ...rest, metadata: { ...metadata, ...anew.metadata } })
  }
  t.false(asked({ phase: 'Running' }))
  t.false(asked({ phase: 'Running', restartRequest: 'earlier' }))
  t.true(asked({ phase: 'Running', restartRequest: 'now' }))
  t.true(asked({ phase: 'Succeeded', restartRequest: 'now' }))
  t.false(asked({ phase: 'Running', restartRequest: 'now', observedGeneration: 0 }))
})
