/** Containers that finish, and whole Secrets and ConfigMaps as their variables. */
import assert from 'node:assert/strict'
import test from 'ava'
import { sharedCove } from '#test/helpers/cove.ts'
import { makeScene } from '#test/helpers/scene.ts'

const cove = sharedCove(test)

test('a finished Container goes when its time is over, with what the engine has of it', async (t) => {
  const scene = await makeScene(cove())
  const restartPolicy = 'Never'
  await scene.run('at-once', { command: ['true'], restartPolicy, ttlSecondsAfterFinished: 0 })
  await scene.run('failed', { command: ['false'], restartPolicy, ttlSecondsAfterFinished: 2 })
  await scene.run('kept', { command: ['true'], restartPolicy })
  await scene.until('kept', { phase: 'Succeeded' })
  await scene.gone('Container', 'at-once')
  await scene.gone('Container', 'failed')
  await scene.vanished('failed')
  t.is((await scene.get('Container', 'kept')).status.phase, 'Succeeded')
})

test('one that fails and is to be run again is not finished', async (t) => {
  const scene = await makeScene(cove())
  await scene.run('job', { command: ['false'], restartPolicy: 'OnFailure', ttlSecondsAfterFinished: 0 })
  await scene.notReady('job', 'CrashLoopBackOff')
  await scene.patchSpec('job', { command: ['true'] })
  await scene.gone('Container', 'job')
  t.pass()
})

test('all keys of Secrets and ConfigMaps become variables; those that are no names are left out and told', async (t) => {
  const scene = await makeScene(cove())
  await scene.create('Secret', 'login', { stringData: { USER: 'a', PASSWORD: 'b' } })
  await scene.create('ConfigMap', 'settings', { data: { USER: 'c', MODE: 'fast', '1st': 'x' } })
  const envFrom = [
    { secretRef: { name: 'login' } },
    { configMapRef: { name: 'settings' } },
    { prefix: 'DB_', secretRef: { name: 'login' } },
    { configMapRef: { name: 'gone', optional: true } },
  ]
  const id = await scene.running('web', { envFrom, env: [{ name: 'MODE', value: 'slow' }] })
  const lines = (await scene.exec('web', ['env'])).split('\n')
  for (const line of ['USER=c', 'PASSWORD=b', 'MODE=slow', 'DB_USER=a', 'DB_PASSWORD=b'])
    t.true(lines.includes(line), lines.join(', '))
  t.false(lines.some((line) => line.startsWith('1st')))
  const key = `${scene.namespace}/settings`
  await scene.told(
    'web',
    `Keys [1st] from the EnvFrom configMap ${key} were skipped since they are considered invalid environment variable names.`,
  )
  await scene.patch('ConfigMap', 'settings', { data: { MODE: 'other', EXTRA: '1' } })
  await scene.replaced('web', id)
  t.true((await scene.exec('web', ['env'])).includes('EXTRA=1'))
})

test('a source that is not there is waited for, unless it is optional', async (t) => {
  const scene = await makeScene(cove())
  await scene.run('web', { envFrom: [{ secretRef: { name: 'login' } }] })
  t.regex(await scene.notReady('web', 'SecretNotFound'), /spec\.envFrom wants Secret/)
  await scene.create('Secret', 'login', { stringData: { USER: 'a' } })
  await scene.ready('web')
  const mounts = [{ mountPath: '/c', configMap: 'gone', optional: true }]
  await scene.running('other', { mounts })
  t.is(await scene.exec('other', ['ls', '-A', '/c']), '')
})

test('what a node has no room for waits, and says of what there is not enough', async (t) => {
  const scene = await makeScene(cove())
  await scene.run('web', { resources: { requests: { memory: '1Ei', cpu: '100m' } } })
  await scene.eventually('its reason', async () => {
    const { status } = await scene.get('Container', 'web')
    const { reason, message } = status.conditions[0]
    assert.equal(`${reason}: ${message}`, 'Unschedulable: 0/1 nodes are available: 1 Insufficient memory')
  })
  await scene.patchSpec('web', { resources: { requests: { memory: '1Mi' } } })
  t.truthy(await scene.ready('web'))
})
