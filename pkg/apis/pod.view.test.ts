import test from 'ava'
import { timestamp } from '#pkg/apimachinery/meta.ts'
import { container } from '#test/helpers/world.ts'
import type { Container, ContainerStatus } from './container.ts'
import { podKind } from './pod.kind.ts'
import { podOf } from './pod.view.ts'
import { validate } from './validate.ts'

const now = Date.parse('2026-01-01T12:00:00Z')
const started = timestamp(now - 60_000)
const finished = timestamp(now - 30_000)

function withStatus(status: ContainerStatus, spec: Partial<Container['spec']> = {}): Container {
  return { ...container('web', spec, { metadata: { creationTimestamp: started, uid: 'u1' } }), status }
}

function ready(status: 'True' | 'False', reason: string, message = '') {
  return [{ type: 'Ready', status, reason, message, lastTransitionTime: started }]
}

/** READY, STATUS and RESTARTS as kubectl prints them. */
function row(object: Container): unknown[] {
  return podKind.columns.slice(0, 3).map(({ cell }) => cell(podOf(object), now))
}

const ended = { exitCode: 3, reason: 'Error', startedAt: started, finishedAt: finished }

test('a running Container is a ready Pod with its name, uid, address and container id', (t) => {
  const running: ContainerStatus = {
    phase: 'Running',
    conditions: ready('True', 'Running'),
    containerID: 'abc',
    ip: '172.17.0.2',
    startedAt: started,
    restartCount: 2,
    image: { reference: 'app:1', digest: 'app@sha256:1' },
    lastTermination: ended,
  }
  const pod = podOf(withStatus(running))
  t.like(pod.metadata, { name: 'web', uid: 'u1' })
  t.deepEqual(pod.metadata.ownerReferences, [
    { apiVersion: 'cove.run/v1', kind: 'Container', name: 'web', uid: 'u1', controller: true },
  ])
  t.like(pod.status, { phase: 'Running', podIP: '172.17.0.2', startTime: started, qosClass: 'BestEffort' })
  t.deepEqual(pod.status.containerStatuses, [
    {
      name: 'web',
      state: { running: { startedAt: started } },
      lastState: { terminated: { ...ended, containerID: 'docker://abc' } },
      ready: true,
      started: true,
      restartCount: 2,
      image: 'app:1',
      imageID: 'app@sha256:1',
      containerID: 'docker://abc',
    },
  ])
  t.deepEqual(
    pod.status.conditions?.map(({ type, status }) => `${type}=${status}`),
    ['PodScheduled=True', 'Initialized=True', 'ContainersReady=True', 'Ready=True'],
  )
  t.deepEqual(row(withStatus(running)), ['1/1', 'Running', '2 (30s ago)'])
})

test('the phase and the state tell what Kubernetes tells of such a container', (t) => {
  const told = (object: Container) => {
    const { phase, containerStatuses } = podOf(object).status
    const state = containerStatuses?.[0]?.state ?? {}
    return [phase, state.waiting?.reason ?? state.terminated?.reason ?? Object.keys(state)[0]]
  }
  t.deepEqual(told(withStatus({})), ['Pending', 'ContainerCreating'])
  t.deepEqual(told(withStatus({ phase: 'Pulling', conditions: ready('False', 'Pulling') })), [
    'Pending',
    'Pulling',
  ])
  const crashed: ContainerStatus = {
    phase: 'Failed',
    conditions: ready('False', 'CrashLoopBackOff'),
    lastTermination: ended,
  }
  t.deepEqual(told(withStatus(crashed)), ['Running', 'CrashLoopBackOff'])
  t.deepEqual(told(withStatus(crashed, { restartPolicy: 'Never' })), ['Failed', 'Error'])
  t.deepEqual(
    told(withStatus({ phase: 'Succeeded', lastTermination: { exitCode: 0, reason: 'Completed' } })),
    ['Succeeded', 'Completed'],
  )
  t.deepEqual(told(withStatus({ phase: 'Stopped', lastTermination: ended })), ['Succeeded', 'Error'])
  t.deepEqual(told(withStatus({ phase: 'Paused', startedAt: started })), ['Running', 'running'])
  t.deepEqual(told(withStatus({ phase: 'Starting', lastTermination: ended })), [
    'Running',
    'ContainerCreating',
  ])
})

test('a Container without a node has no container to speak of, and says why', (t) => {
  const { nodeName: _placed, ...spec } = container('web').spec
  const object: Container = {
    ...container('web'),
    spec,
    status: { phase: 'Pending', conditions: ready('False', 'Unschedulable', 'no node fits') },
  }
  const { status } = podOf(object)
  t.is(status.containerStatuses, undefined)
  t.like(status.conditions?.[0], { type: 'PodScheduled', status: 'False', reason: 'Unschedulable' })
  t.deepEqual(row(object), ['0/1', 'Pending', '0'])
})

test('values that come from Secrets stay references; mounts become volumes of the right kind', (t) => {
  const object = container('web', {
    env: [
      { name: 'PLAIN', value: 'x' },
      { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 's', key: 'k', optional: false } } },
    ],
    mounts: [
      { mountPath: '/data', readOnly: false, volume: 'data' },
      { mountPath: '/more', readOnly: true, volume: 'data' },
      { mountPath: '/tmp', readOnly: false, tmpfs: { sizeLimit: '1Mi' } },
      { mountPath: '/etc/x', readOnly: true, secret: 's' },
    ],
    resources: { limits: { cpu: 1, memory: '64Mi', pids: 5 } },
    healthcheck: {
      shell: 'true',
      disabled: false,
      interval: '30s',
      timeout: '1500ms',
      retries: 3,
      startPeriod: '0s',
      onUnhealthy: 'Restart',
    },
  })
  const [shown] = podOf(object).spec.containers
  t.deepEqual(shown?.env, [
    { name: 'PLAIN', value: 'x' },
    { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 's', key: 'k', optional: false } } },
  ])
  t.deepEqual(
    podOf(object).spec.volumes?.map(({ name }) => name),
    ['volume-data', 'mount-2', 'secret-s'],
  )
  t.deepEqual(
    shown?.volumeMounts?.map(({ name, mountPath }) => `${name}:${mountPath}`),
    ['volume-data:/data', 'volume-data:/more', 'mount-2:/tmp', 'secret-s:/etc/x'],
  )
  t.deepEqual(shown?.resources, { limits: { cpu: '1', memory: '64Mi' } })
  t.like(shown?.livenessProbe, { exec: { command: ['/bin/sh', '-c', 'true'] }, timeoutSeconds: 2 })
  t.is(podOf(object).status.qosClass, 'Guaranteed')
})

test('what is shown is a Pod as the schema has it, without the marks of who wrote the Container', (t) => {
  const object = withStatus({ phase: 'Running', conditions: ready('True', 'Running'), startedAt: started })
  const { annotations = {} } = object.metadata
  const marked: Container = {
    ...object,
    metadata: {
      ...object.metadata,
      finalizers: ['node.cove.run/n1'],
      annotations: { ...annotations, 'kubectl.kubernetes.io/last-applied-configuration': '{}' },
    },
  }
  const pod = podOf(marked)
  t.deepEqual(validate(podKind.schema, pod, ''), [])
  t.is(pod.metadata.finalizers, undefined)
  t.is(pod.metadata.annotations, undefined)
})

test('what a Container may do to its node is told as of a Pod, a user by name not at all', (t) => {
  const capabilities = { drop: ['ALL'] }
  const rights = { runAsNonRoot: true, capabilities }
  const view = (spec: object) => podOf(container('web', { ...spec }))
  const { spec } = view({ user: '1000:2000', networkMode: 'host', securityContext: rights })
  t.true(spec.hostNetwork)
  t.deepEqual(spec.containers[0]?.securityContext, { ...rights, runAsUser: 1000, runAsGroup: 2000 })
  const named = view({ user: 'app', networkMode: 'none' }).spec
  t.is(named.hostNetwork, undefined)
  t.is(named.containers[0]?.securityContext, undefined)
})

test('what of placement, pulling and variables Kubernetes has a word for is told in it', (t) => {
  const envFrom = [{ prefix: 'A_', secretRef: { name: 's', optional: true } }]
  const spec = {
    envFrom,
    imagePullSecrets: [{ name: 'login' }],
    tolerations: [{ key: 'gpu', operator: 'Exists' }],
    mounts: [{ mountPath: '/c', readOnly: false, configMap: 'c', optional: true }],
  }
  const pod = podOf(container('web', spec))
  t.deepEqual(pod.spec.containers[0]?.envFrom, envFrom)
  t.deepEqual(pod.spec.imagePullSecrets, spec.imagePullSecrets)
  t.deepEqual(pod.spec.tolerations, spec.tolerations)
  t.deepEqual(pod.spec.volumes?.[0]?.configMap, { name: 'c', optional: true })
})
