import test from 'ava'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { type Goal, judge, parseGoal } from './readiness.ts'

function container(status: Record<string, unknown>, spec: Record<string, unknown> = {}): KubeObject {
  return {
    apiVersion: 'cove.run/v1',
    kind: 'Container',
    metadata: { name: 'web', generation: 2 },
    spec: { restartPolicy: 'Always', ...spec },
    status,
  }
}

function condition(type: string, status: string, observedGeneration = 2) {
  const lastTransitionTime = '2026-01-01T00:00:00Z'
  return { type, status, reason: 'Why', message: 'because', lastTransitionTime, observedGeneration }
}

const ready: Goal = { kind: 'ready' }
const state = (object: KubeObject | undefined, goal: Goal) => judge(object, goal).state

test('a container is ready when the condition of its current spec says so', (t) => {
  t.is(state(container({ conditions: [condition('Ready', 'True')] }), ready), 'met')
  t.deepEqual(judge(container({ conditions: [condition('Ready', 'False')] }), ready), {
    state: 'pending',
    message: 'Why: because',
  })
  t.is(state(container({ conditions: [condition('Ready', 'True', 1)] }), ready), 'pending')
  t.is(state(container({}), ready), 'pending')
})

test('a container that runs once is ready when it has succeeded, and hopeless when it has failed', (t) => {
  const once = (phase: string, restartPolicy: string, observedGeneration = 2) =>
    state(container({ phase, observedGeneration, exitCode: 3 }, { restartPolicy }), ready)
  t.is(once('Succeeded', 'Never'), 'met')
  t.is(once('Succeeded', 'OnFailure'), 'met')
  t.is(once('Succeeded', 'Always'), 'pending')
  t.is(once('Succeeded', 'Never', 1), 'pending')
  t.is(once('Failed', 'Never'), 'hopeless')
  t.is(once('Failed', 'OnFailure'), 'pending')
})

test('a container that is not wanted to run is ready when it is as wanted', (t) => {
  const wanted = (spec: string, phase: string, observedGeneration = 2) =>
    state(container({ phase, observedGeneration }, { state: spec }), ready)
  for (const one of ['Stopped', 'Paused', 'Created']) {
    t.is(wanted(one, one), 'met')
    t.is(wanted(one, one, 1), 'pending')
    t.is(wanted(one, 'Running'), 'pending')
  }
  t.is(wanted('Running', 'Stopped'), 'pending')
})

test('what is stalled is hopeless, but only for its current spec', (t) => {
  const stalled = (generation: number) =>
    judge(
      container({ conditions: [condition('Ready', 'False'), condition('Stalled', 'True', generation)] }),
      ready,
    )
  t.deepEqual(stalled(2), { state: 'hopeless', message: 'because' })
  t.is(stalled(1).state, 'pending')
})

test('an Image and a Registry are ready when their conditions say so, not by being there', (t) => {
  for (const kind of ['Image', 'Registry']) {
    const having = (status: object) => ({
      apiVersion: 'cove.run/v1',
      kind,
      metadata: { name: 'x', generation: 2 },
      status,
    })
    t.is(state(having({}), ready), 'pending', kind)
    t.is(state(having({ conditions: [condition('Ready', 'True', 1)] }), ready), 'pending', kind)
    t.is(state(having({ conditions: [condition('Ready', 'True')] }), ready), 'met', kind)
  }
})

test('kinds without conditions are ready by being there', (t) => {
  t.is(state({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' } }, ready), 'met')
  t.is(state(undefined, ready), 'hopeless')
})

test('goals are read as kubectl reads them', (t) => {
  const object = container({ phase: 'Running', conditions: [condition('Healthy', 'False')] })
  const says = (goal: string) => state(object, parseGoal(goal))
  t.is(says('condition=Healthy'), 'pending')
  t.is(says('condition=Healthy=false'), 'met')
  t.is(says('jsonpath={.status.phase}=Running'), 'met')
  t.is(says("jsonpath='{.status.phase}'=Running".replaceAll("'", '')), 'met')
  t.is(says('jsonpath=.status.phase=Stopped'), 'pending')
  t.is(says('jsonpath={.status.phase}'), 'met')
  t.is(says('jsonpath={.status.conditions[?(@.type=="Healthy")].status}=False'), 'met')
  t.is(says('delete'), 'pending')
  t.is(state(undefined, parseGoal('delete')), 'met')
  for (const goal of ['', 'condition', 'condition=', 'jsonpath={', 'ready'])
    t.throws(() => parseGoal(goal), { name: 'UsageError' }, goal)
})
