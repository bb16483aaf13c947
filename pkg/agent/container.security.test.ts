import test from 'ava'
import { usualSecurity } from '#pkg/engine/port.ts'
import { container, image, observed, print, world } from '#test/helpers/world.ts'
import { imagesInQuestion, resolveSecurity, securityDrift } from './container.security.ts'
import { planContainer } from './container.ts'
import { resolve } from './resolve.ts'

const id = 'sha256:app:1'
const nonRoot = { securityContext: { runAsNonRoot: true } }

function decide(spec: Record<string, unknown>, users: Record<string, string> = {}) {
  const web = container('web', spec)
  const imageConfigs = Object.fromEntries(Object.entries(users).map(([image, user]) => [image, { user }]))
  return planContainer(web, world({ objects: [web], imageConfigs }))
}

test('an image that would run as root is not made a container where that is forbidden', (t) => {
  for (const user of ['', '0', 'root', '0:1000']) {
    const { plan, waiting } = decide(nonRoot, { [id]: user })
    t.is(print(plan), '')
    t.is(waiting?.reason, 'CreateContainerConfigError')
    t.is(
      waiting?.message,
      'spec.securityContext.runAsNonRoot: container has runAsNonRoot and image will run as root; set spec.user to a number other than 0',
    )
  }
})

test('a user by name cannot be told from root', (t) => {
  t.regex(
    decide(nonRoot, { [id]: 'nginx' }).waiting?.message ?? '',
    /image has non-numeric user \(nginx\), cannot verify/,
  )
  t.regex(decide({ ...nonRoot, user: 'app' }).waiting?.message ?? '', /spec has non-numeric user \(app\)/)
})

test('nothing is made before the user of the image is known', (t) => {
  const { plan, waiting } = decide(nonRoot)
  t.is(print(plan), '')
  t.regex(waiting?.message ?? '', /the user of image app:1 is not known yet/)
})

test('a user by number may run, from the image or from the spec', (t) => {
  t.regex(print(decide(nonRoot, { [id]: '1000:1000' }).plan), /create container web/)
  t.regex(print(decide({ ...nonRoot, user: '1000' }, { [id]: 'root' }).plan), /create container web/)
  t.regex(print(decide({}, { [id]: '' }).plan), /create container web/)
})

test('what runs is left running when its successor may not be made', (t) => {
  const before = container('web')
  const resolved = resolve({ container: before, ...world() })
  if ('missing' in resolved) throw new Error(resolved.missing.message)
  const after = container('web', nonRoot)
  const running = observed(before, resolved.fingerprint)
  const { plan, waiting } = planContainer(
    after,
    world({ objects: [after], containers: [running], imageConfigs: { [id]: {} } }),
  )
  t.is(print(plan), '')
  t.is(waiting?.reason, 'CreateContainerConfigError')
})

test('images that are wanted or that a container was made from are asked what they bring, others not', (t) => {
  const objects = [container('a1', { image: 'one:1' }), container('b1', { image: 'absent:1' })]
  const images = ['one:1', 'two:1', 'three:1'].map((name) => image(name))
  const made = observed(container('c1', { image: 'two:1' }), 'x')
  const removed = observed(container('d1', { image: 'gone:1' }), 'x')
  t.deepEqual(
    imagesInQuestion(world({ objects }).desired, images, [made, removed]),
    new Set(['sha256:one:1', 'sha256:two:1']),
  )
})

const as = (security: object, networkMode = 'bridge') => ({
  security: { ...usualSecurity, ...security },
  networkMode,
})

test('a container that may do more than it should is named by field', (t) => {
  const drift = (found: ReturnType<typeof as>) => securityDrift({}, found)
  t.is(drift(as({})), undefined)
  t.is(drift(as({ privileged: true })), 'spec.securityContext.privileged: want false, found true')
  t.is(
    drift(as({ seccomp: 'unconfined' })),
    'spec.securityContext.seccompProfile: want default, found unconfined',
  )
  t.is(drift(as({}, 'host')), 'spec.networkMode: want bridge, found host')
  t.is(
    drift(as({ capabilities: { add: ['NET_ADMIN'], drop: [] } })),
    'spec.securityContext.capabilities.add: want none, found NET_ADMIN',
  )
  const wanted = {
    networkMode: 'none' as const,
    security: resolveSecurity({
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'], add: ['CHOWN'] },
    }),
  }
  t.is(securityDrift(wanted, { networkMode: 'none', security: wanted.security }), undefined)
  const found = (more: object) => securityDrift(wanted, as({ ...wanted.security, ...more }, 'none'))
  t.is(
    found({ readOnlyRootFilesystem: false }),
    'spec.securityContext.readOnlyRootFilesystem: want true, found false',
  )
  t.is(
    found({ allowPrivilegeEscalation: true }),
    'spec.securityContext.allowPrivilegeEscalation: want false, found true',
  )
  t.is(
    found({ capabilities: { add: ['CHOWN'], drop: [] } }),
    'spec.securityContext.capabilities.drop: want ALL, found none',
  )
})

test('an engine that lists capabilities in its own way is no reason to make a container anew', (t) => {
  const all = resolveSecurity({ capabilities: { drop: ['ALL'], add: ['CHOWN'] } })
  const told = as({ capabilities: { add: [], drop: ['KILL', 'SETUID', 'SETGID'] } })
  t.is(securityDrift({ security: all }, told), undefined)
  const every = resolveSecurity({ capabilities: { add: ['ALL'] } })
  t.is(
    securityDrift({ security: every }, as({ capabilities: { add: ['CHOWN', 'BPF'], drop: [] } })),
    undefined,
  )
})
