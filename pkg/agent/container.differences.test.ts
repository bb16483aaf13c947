import test from 'ava'
import type { ObservedContainer } from '#pkg/engine/port.ts'
import type { ImageConfig, ObservedSettings } from '#pkg/engine/settings.ts'
import {
  configMap,
  container,
  observed,
  plainImage,
  plainSettings,
  secret,
  world,
} from '#test/helpers/world.ts'
import { differences } from './container.differences.ts'
import { whyRecreate } from './container.drift.ts'
import { tell } from './difference.ts'
import { type Resolved, resolve } from './resolve.ts'

type Spec = Record<string, unknown>

const data = { token: Buffer.from('hush').toString('base64') }
const objects = [secret('creds', data), configMap('conf', { a: '1' })]

function resolved(spec: Spec, config: Partial<ImageConfig> = {}): Resolved {
  const web = container('web', spec)
  const images = { imageConfigs: { 'sha256:app:1': config } }
  const found = resolve({ container: web, ...world({ objects: [web, ...objects], ...images }) })
  if ('missing' in found) throw new Error(found.missing.message)
  return found
}

/** A container as an engine tells of it; `labels` of a stranger are its own. */
function seen(settings: Partial<ObservedSettings>, more: Partial<ObservedContainer> = {}): ObservedContainer {
  return observed(container('web', {}), 'another', {
    settings: { ...plainSettings, logging: usual, ...settings },
    ...more,
  })
}

const usual = { driver: 'json-file', options: { 'max-size': '10m', 'max-file': '3' } }

function told(spec: Spec, found: ObservedContainer, config: Partial<ImageConfig> = {}): string[] {
  return differences(resolved(spec, config), found).map(tell)
}

test('what the image brings and what stands for an engine default is no difference', (t) => {
  const healthcheck = { disabled: false, test: ['CMD', 'ok'], interval: 30_000, timeout: 30_000 } as const
  const image: ImageConfig = {
    ...plainImage,
    user: 'app',
    env: { PATH: '/bin', A: '1' },
    entrypoint: ['/run'],
    cmd: ['serve'],
    workingDir: '/srv/',
    volumes: ['/data'],
    exposedPorts: ['80/tcp'],
    stopSignal: 'SIGQUIT',
    healthcheck: { ...healthcheck, retries: 3, startPeriod: 0 },
  }
  const { labels: _, ...own } = image
  const found = seen(
    { ...own, workingDir: '/srv', stopSignal: 'QUIT', ulimits: [] },
    { mounts: [{ type: 'volume', source: 'a'.repeat(64), target: '/data', readOnly: false }] },
  )
  t.deepEqual(told({}, found, image), [])
  t.deepEqual(told({ args: ['other'] }, found, image), ['spec.args: want ["other"], found ["serve"]'])
  t.deepEqual(told({ command: ['/run'] }, found, image), ['spec.args: want none, found ["serve"]'])
  t.deepEqual(told({ args: [] }, found, image), [], 'an empty list is none')
})

test('every field that differs is named with both values', (t) => {
  const spec = {
    image: 'app:2',
    env: [
      { name: 'A', value: '2' },
      { name: 'dotted.name', value: 'x' },
    ],
    workingDir: '/tmp',
    user: '7',
    hostname: 'inside',
    init: true,
    stopSignal: 'TERM',
    ports: [{ containerPort: 80, hostPort: 8080, hostIP: '127.0.0.1' }],
    publishAll: true,
    mounts: [{ hostPath: '/etc/', mountPath: '/etc-of-the-node', readOnly: true }],
    extraHosts: ['db:10.0.0.9'],
    dns: { servers: ['10.0.0.53'] },
    healthcheck: { shell: 'true', interval: '5s' },
    resources: { limits: { memory: '64Mi' } },
    devices: ['/dev/null'],
    ulimits: { nofile: '10:20' },
    sysctls: { 'net.core.somaxconn': '10' },
    shmSize: '1Mi',
    logging: { driver: 'local' },
    securityContext: { privileged: true },
    tty: true,
  }
  t.deepEqual(told(spec, seen({ env: { A: '1' } }, { labels: {} })), [
    'spec.image: want app:2, found app:1',
    'spec.env.A: want 2, found another value',
    'spec.env[dotted.name]: want x, found none',
    'spec.workingDir: want /tmp, found /',
    'spec.user: want 7, found none',
    'spec.tty: want true, found false',
    'spec.init: want true, found none',
    'spec.stopSignal: want TERM, found none',
    'spec.ports: want ["127.0.0.1:8080->80/tcp"], found none',
    'spec.publishAll: want true, found false',
    'spec.mounts[/etc-of-the-node]: want bind /etc, read-only, found none',
    'spec.hostname: want inside, found id-web',
    'spec.extraHosts: want ["db:10.0.0.9"], found none',
    'spec.dns.servers: want ["10.0.0.53"], found none',
    'spec.healthcheck: want {"shell":"true","interval":"5s","timeout":"30s","retries":3,"startPeriod":"0s"}, found none',
    'spec.securityContext.privileged: want true, found false',
    'spec.devices: want ["/dev/null:/dev/null:rwm"], found none',
    'spec.ulimits: want ["nofile=10:20"], found none',
    'spec.sysctls[net.core.somaxconn]: want 10, found none',
    'spec.shmSize: want 1048576, found 67108864',
    'spec.logging.driver: want local, found json-file',
    'spec.logging.options.max-file: want none, found 3',
    'spec.logging.options.max-size: want none, found 10m',
    'spec.resources.limits.memory: want 67108864, found none',
  ])
})

test('what can be mended as it runs is told apart from what cannot', (t) => {
  const found = seen({}, { restartPolicy: 'always', networks: [] })
  const all = differences(resolved({ resources: { limits: { pids: 5 } }, tty: true }), found)
  t.deepEqual(
    all.map(({ field, change }) => [field, change]),
    [
      ['spec.tty', 'recreate'],
      ['spec.networks[bridge]', 'in place'],
      ['spec.resources.limits.pids', 'in place'],
      ["the engine's restart policy", 'in place'],
    ],
  )
})

test('what a Secret holds, or held, is not told', (t) => {
  const env = [{ name: 'TOKEN', valueFrom: { secretKeyRef: { name: 'creds', key: 'token' } } }]
  const of = (spec: Spec, found: Record<string, string>, labels: Record<string, string>) => {
    const container = seen({ env: found })
    return told(spec, { ...container, labels: { ...container.labels, ...labels } })
  }
  const secrets = { 'cove.run/secret-variables': 'TOKEN' }
  t.deepEqual(of({ env }, { TOKEN: 'old hush' }, secrets), [
    'spec.env.TOKEN: want the value of a Secret, found another value',
  ])
  t.deepEqual(of({ envFrom: [{ secretRef: { name: 'creds' }, prefix: 'P_' }] }, {}, secrets), [
    'spec.env.P_token: want the value of a Secret, found none',
  ])
  t.deepEqual(of({ env: [{ name: 'TOKEN', value: 'plain' }] }, { TOKEN: 'hush', B: '1' }, secrets), [
    'spec.env.B: want none, found 1',
    'spec.env.TOKEN: want plain, found another value',
  ])
  t.deepEqual(of({}, { TOKEN: 'hush' }, {}), ['spec.env.TOKEN: want none, found another value'])
  t.is(resolved({ env }).create.labels['cove.run/secret-variables'], 'TOKEN')
})

test('changed files are told as their content, by what they are mounted at', (t) => {
  const spec = { mounts: [{ configMap: 'conf', mountPath: '/conf' }] }
  const source = resolved(spec).create.mounts.map((mount) => ('source' in mount ? mount.source : ''))[0]
  const mount = { type: 'bind', target: '/conf', readOnly: true } as const
  t.deepEqual(told(spec, seen({}, { mounts: [{ ...mount, source: source ?? '' }] })), [])
  const earlier = `${source?.split('/').slice(0, -1).join('/')}/earlier`
  t.deepEqual(told(spec, seen({}, { mounts: [{ ...mount, source: earlier }] })), [
    'spec.mounts[/conf]: want its content now, found earlier content',
  ])
  const one = { mounts: [{ configMap: 'conf', subPath: 'a', mountPath: '/conf/a' }] }
  const file = { ...mount, target: '/conf/a', source: `${earlier}/a` }
  t.deepEqual(told(one, seen({}, { mounts: [file] })), [
    'spec.mounts[/conf/a]: want its content now, found earlier content',
  ])
  t.deepEqual(told(one, seen({}, { mounts: [{ ...file, source: '/etc/a' }] })).length, 1)
})

test('without the configuration of the image what it may bring is left out', (t) => {
  const found = seen({ env: { A: '1', B: '2' }, user: 'app', cmd: ['serve'] }, { imageID: 'gone' })
  t.deepEqual(told({ env: [{ name: 'A', value: '2' }] }, found), ['spec.env.A: want 2, found another value'])
})

test('what the engine adds to a container that was made for this very wish is no difference', (t) => {
  const wish = resolved({})
  const added = {
    ulimits: [{ name: 'nofile', soft: 1, hard: 2 }],
    shmBytes: 1,
    logging: { driver: 'journald', options: {} },
  }
  const fitting = observed(container('web', {}), wish.fingerprint, {
    settings: { ...plainSettings, ...added },
  })
  t.deepEqual(differences(wish, fitting), [])
  t.deepEqual(
    differences(wish, { ...fitting, labels: {} }).map(({ field }) => field),
    [
      'spec.ulimits',
      'spec.shmSize',
      'spec.logging.driver',
      'spec.logging.options.max-file',
      'spec.logging.options.max-size',
    ],
  )
})

test('a container is made anew because of the fields that differ, five of them named', (t) => {
  const found = seen({ env: {} }, {})
  const env = ['A', 'B', 'C', 'D', 'E', 'F'].map((name) => ({ name, value: '1' }))
  t.is(whyRecreate(resolved({ env: env.slice(0, 1) }), found), 'spec.env.A: want 1, found none')
  t.regex(whyRecreate(resolved({ env }), found) ?? '', /; spec\.env\.E: want 1, found none; and 1 more$/)
  t.regex(whyRecreate(resolved({}), found) ?? '', /^the resolved spec changed: fingerprint another is now /)
})
