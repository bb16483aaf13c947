import test from 'ava'
import type { ContainerStatus } from '#pkg/apis/container.ts'
import { container } from '#test/helpers/world.ts'
import { statusNotes } from './status.notes.ts'

const web = container('web')
const lastTransitionTime = '2026-01-01T12:00:00Z'

function told(before: ContainerStatus | undefined, after: ContainerStatus, object = web): string[] {
  return statusNotes(object, before, after).map(
    ({ type, reason, message }) => `${type} ${reason}: ${message}`,
  )
}

test('an end is told once, with what was written last', (t) => {
  const lastTermination = {
    exitCode: 1,
    reason: 'Error',
    finishedAt: '2026-01-01T11:59:00Z',
    log: ['one', '', 'two', 'three', 'four', 'five', 'six'],
  }
  const after = { lastTermination }
  const line = 'Warning Exited: ended with exit code 1; it wrote last:\ntwo\nthree\nfour\nfive\nsix'
  t.deepEqual(told(undefined, after), [line])
  t.deepEqual(told(after, after), [])
  const again = { lastTermination: { ...lastTermination, finishedAt: '2026-01-01T11:59:30Z' } }
  t.deepEqual(told(after, again), [line])
})

test('an end for memory, one that was fine, and one that was asked for are told apart', (t) => {
  const end = (exitCode: number, reason: string, message?: string) => ({
    lastTermination: { exitCode, reason, ...(message !== undefined && { message }) },
  })
  t.deepEqual(told(undefined, end(137, 'OOMKilled', 'limit of 64Mi')), [
    'Warning OOMKilled: ended with exit code 137: limit of 64Mi',
  ])
  t.deepEqual(told(undefined, end(0, 'Completed')), ['Normal Completed: ended with exit code 0'])
  t.deepEqual(told(undefined, end(0, 'Completed', 'in the foreground')), [
    'Warning Exited: ended with exit code 0: in the foreground',
  ])
  const job = container('web', { restartPolicy: 'Never' })
  t.deepEqual(told(undefined, end(0, 'Completed', 'in the foreground'), job), [
    'Normal Completed: ended with exit code 0: in the foreground',
  ])
  t.deepEqual(told(undefined, end(143, 'Error'), container('web', { state: 'Stopped' })), [])
})

test('turning unhealthy, waiting for a restart and a spent budget are told when they begin', (t) => {
  const sick: ContainerStatus = {
    health: { status: 'unhealthy', failingStreak: 3, log: [] },
    conditions: [
      {
        type: 'Healthy',
        status: 'False',
        reason: 'CheckFailed',
        message: '3 checks failed',
        lastTransitionTime,
      },
      {
        type: 'Stalled',
        status: 'True',
        reason: 'HealingBudgetSpent',
        message: 'tried 5 times',
        lastTransitionTime,
      },
    ],
  }
  t.deepEqual(told({}, sick), [
    'Warning Unhealthy: 3 checks failed',
    'Warning HealingBudgetSpent: tried 5 times',
  ])
  t.deepEqual(told(sick, sick), [])
  const waits: ContainerStatus = {
    nextRestartAt: '2026-01-01T12:00:10Z',
    conditions: [
      {
        type: 'Ready',
        status: 'False',
        reason: 'CrashLoopBackOff',
        message: 'back-off 10s',
        lastTransitionTime,
      },
    ],
  }
  t.deepEqual(told({}, waits), ['Warning BackOff: back-off 10s'])
  t.deepEqual(told(waits, waits), [])
})
