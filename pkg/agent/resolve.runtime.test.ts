import test from 'ava'
import { fingerprint } from '#pkg/apimachinery/hash.ts'
import { container, world } from '#test/helpers/world.ts'
import { whyEngineCannot } from './container.engine.ts'
import { resolveHealthcheck, resolveRuntime, usualLogging } from './resolve.runtime.ts'
import { resolve } from './resolve.ts'

const runtime = (spec: Record<string, unknown>) => resolveRuntime(container('web', spec).spec)

function resolved(spec: Record<string, unknown>) {
  const found = resolve({ container: container('web', spec), ...world() })
  if ('missing' in found) throw new Error(found.missing.message)
  return found
}

test('what a spec leaves out is left to the engine, but for the log', (t) => {
  t.deepEqual(runtime({}), {})
  const empty = { extraHosts: [], devices: [], ulimits: {}, sysctls: {}, dns: {}, publishAll: false }
  t.deepEqual(runtime(empty), {})
  t.is(resolved({}).create.logging, usualLogging)
})

test('what is absent is not in the fingerprint, so that fields learnt later change no container that is there', (t) => {
  const image = 'docker.io/library/app:1'
  t.is(resolved({}).fingerprint, fingerprint({ image, env: {}, ports: [], mounts: [] }))
  const usual = { driver: 'json-file', options: { 'max-size': '10m', 'max-file': '3' } }
  t.not(resolved({ logging: usual }).fingerprint, resolved({}).fingerprint)
})

test('short forms are written out, and the order of limits says nothing', (t) => {
  const rwm = { permissions: 'rwm' }
  t.deepEqual(runtime({ devices: ['/dev/a', '/dev/a:/dev/b', '/dev/a:/dev/b:r'] }).devices, [
    { hostPath: '/dev/a', containerPath: '/dev/a', ...rwm },
    { hostPath: '/dev/a', containerPath: '/dev/b', ...rwm },
    { hostPath: '/dev/a', containerPath: '/dev/b', permissions: 'r' },
  ])
  const limits = [
    { name: 'core', soft: -1, hard: -1 },
    { name: 'nofile', soft: 10, hard: 20 },
    { name: 'nproc', soft: 5, hard: 5 },
  ]
  t.deepEqual(runtime({ ulimits: { nproc: 5, nofile: '10:20', core: -1 } }).ulimits, limits)
  t.deepEqual(runtime({ ulimits: { core: '-1', nofile: '10:20', nproc: '5:5' } }).ulimits, limits)
  t.is(runtime({ shmSize: '1Mi' }).shmBytes, 1024 ** 2)
  t.deepEqual(runtime({ dns: { searches: ['a'] } }).dns, { servers: [], searches: ['a'], options: [] })
})

test('a log that is asked for has the options that are asked for, and no others', (t) => {
  t.deepEqual(runtime({ logging: {} }).logging, { driver: 'json-file', options: {} })
  t.deepEqual(runtime({ logging: { driver: 'local' } }).logging, { driver: 'local', options: {} })
})

test('a start interval waits for an engine that knows it, and only where the engine checks', (t) => {
  const check = { startPeriod: '10s', startInterval: '2s' }
  const web = container('web', { healthcheck: { shell: 'true', ...check } })
  const { healthcheck } = web.spec
  t.like(healthcheck && resolveHealthcheck(healthcheck), { startInterval: 2000, startPeriod: 10_000 })
  const why = (engineApi: string, of = web) => whyEngineCannot(of, { engineApi })?.reason
  t.is(why('1.41'), 'EngineTooOld')
  t.is(why('1.43'), 'EngineTooOld')
  t.is(why('1.44'), undefined)
  t.is(why('1.51'), undefined)
  t.is(why('1.41', container('web', { healthcheck: { tcp: { port: 80 }, ...check } })), undefined)
  t.is(why('1.41', container('web', { healthcheck: { shell: 'true' } })), undefined)
})
