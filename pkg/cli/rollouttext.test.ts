import test from 'ava'
import type { Container, ContainerStatus } from '#pkg/apis/container.ts'
import { restartAnnotation } from '#pkg/apis/wellknown.ts'
import { container } from '#test/helpers/world.ts'
import { historyTable, rolloutState } from './rollouttext.ts'

type Status = ContainerStatus

const condition = (type: string, status: 'True' | 'False', reason = 'R', message = '') => ({
  type,
  status,
  reason,
  message,
  lastTransitionTime: '2026-01-01T12:00:00Z',
  observedGeneration: 2,
})
const good = [condition('UpToDate', 'True'), condition('Ready', 'True')]

function stateOf(status: Status, spec: Record<string, unknown> = {}, metadata: object = {}): string {
  const object: Container = container('web', spec, {
    metadata: { generation: 2, ...metadata },
    status: { observedGeneration: 2, ...status },
  })
  const { state, message } = rolloutState(object)
  return message === '' ? state : `${state}: ${message}`
}

test('a rollout is done when the node has seen the change, made it, and the container is ready', (t) => {
  t.is(stateOf({ conditions: good }), 'done')
  t.is(stateOf({ conditions: good, observedGeneration: 1 }), 'pending: node n1 has not seen the change yet')
  t.is(
    stateOf({ conditions: [condition('UpToDate', 'False', 'Updating', 'spec.image changed')] }),
    'pending: spec.image changed',
  )
  t.is(
    stateOf({
      conditions: [good[0], condition('Ready', 'False', 'HealthStarting', 'it starts')].flatMap(
        (c) => c ?? [],
      ),
    }),
    'pending: it starts',
  )
})

test('a container that is to be stopped, or has done its work, need not be ready', (t) => {
  const upToDate = [condition('UpToDate', 'True'), condition('Ready', 'False')]
  t.is(stateOf({ conditions: upToDate, phase: 'Stopped' }, { state: 'Stopped' }), 'done')
  t.is(stateOf({ conditions: upToDate, phase: 'Succeeded' }, { restartPolicy: 'Never' }), 'done')
  t.is(
    stateOf({ conditions: upToDate, phase: 'Failed', exitCode: 3 }, { restartPolicy: 'Never' }),
    'failed: it ended with exit code 3',
  )
})

test('what was rolled back is told with its reason and the last it wrote', (t) => {
  const failed = {
    fingerprint: 'f',
    generation: 2,
    reason: 'Unhealthy',
    message: '3 checks in a row failed',
    time: '2026-01-01T12:00:00Z',
    log: ['one', 'two'],
    probes: [],
  }
  t.is(
    stateOf({ conditions: good, rollout: { phase: 'RolledBack', failed } }),
    'failed: rolled back: Unhealthy: 3 checks in a row failed\nthe last it wrote:\n  one\n  two',
  )
  const older = { ...failed, generation: 1 }
  t.is(stateOf({ conditions: good, rollout: { phase: 'RolledBack', failed: older } }), 'done')
  t.is(stateOf({ rollout: { phase: 'Held', message: 'it is not good' } }), 'failed: held: it is not good')
})

test('what cannot go on by itself has failed; what is paused or on trial is waited for', (t) => {
  const stalled = [condition('Stalled', 'True', 'Invalid', 'no such device')]
  t.is(stateOf({ conditions: stalled }), 'failed: Invalid: no such device')
  t.is(
    stateOf({ conditions: good, rollout: { phase: 'Progressing', message: 'on trial for 3s more' } }),
    'pending: on trial for 3s more',
  )
})

test('a restart that was asked for is part of the rollout', (t) => {
  const metadata = { annotations: { [restartAnnotation]: 'now' } }
  t.is(stateOf({ conditions: good }, {}, metadata), 'pending: it is to be restarted')
  t.is(stateOf({ conditions: good, restartRequest: 'now' }, {}, metadata), 'done')
})

test('the history is a table with the causes that people gave', (t) => {
  const revision = (number: number, cause?: string) => ({
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision' as const,
    metadata: { name: 'r', ...(cause && { annotations: { 'kubernetes.io/change-cause': cause } }) },
    revision: number,
  })
  t.is(
    historyTable([revision(1), revision(12, 'release 7')]),
    'REVISION   CHANGE-CAUSE\n1          <none>\n12         release 7\n',
  )
})
