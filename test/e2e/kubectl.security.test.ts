/** Security levels of namespaces as people of Kubernetes set and meet them: with the real kubectl. */
import test from 'ava'
import { type Kubectl, makeKubectl } from '#test/helpers/kubectl.ts'
import { startServer } from '#test/helpers/server.ts'

const teardowns: (() => Promise<void>)[] = []
const started: { kubectl?: Kubectl } = {}

test.before(async () => {
  started.kubectl = makeKubectl(await startServer({ teardown: (run) => teardowns.unshift(run) }))
})

test.after.always(async () => {
  for (const run of teardowns) await run()
})

function kubectl(): Kubectl {
  if (started.kubectl === undefined) throw new Error('the server has not started')
  return started.kubectl
}

const words = (line: string) => line.split(' ')
const ok = (line: string, input?: string) => kubectl().ok(words(line), input)
const run = (line: string, input?: string) => kubectl().run(words(line), input)

const manifest = (namespace: string, name: string, spec: object = {}) =>
  JSON.stringify({
    apiVersion: 'cove.run/v1',
    kind: 'Container',
    metadata: { name, namespace },
    spec: { image: 'app:1', ...spec },
  })
const privileged = { securityContext: { privileged: true } }
const careful = {
  user: '1000',
  securityContext: {
    runAsNonRoot: true,
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
    seccompProfile: { type: 'RuntimeDefault' },
  },
}

test('a level refuses what violates it, whichever way kubectl writes', async (t) => {
  await ok('create namespace strict')
  await ok('label namespace strict cove.run/enforce=restricted')
  for (const how of [
    'create -f -',
    'apply -f -',
    'apply --server-side -f -',
    'apply --dry-run=server -f -',
  ]) {
    const { code, stderr } = await run(how, manifest('strict', 'web', privileged))
    t.is(code, 1, how)
    t.regex(
      stderr,
      /containers\.cove\.run "web" is forbidden: violates PodSecurity "restricted:latest": privileged \(spec\.securityContext\.privileged must not be true\), unrestricted capabilities \(spec\.securityContext\.capabilities\.drop must include "ALL"\), /,
      how,
    )
  }
  t.is(await ok('get containers -n strict -o name'), '')
  await ok('apply -f -', manifest('strict', 'web', careful))
  const patch = `patch container web -n strict --type=merge -p ${JSON.stringify({ spec: { networkMode: 'host' } })}`
  t.regex((await run(patch)).stderr, /host network \(spec\.networkMode must not be "host"\)/)
  t.is((await run(`${patch} --dry-run=server`)).code, 1)
  t.regex(await ok('apply -f -', manifest('strict', 'web', { ...careful, image: 'app:2' })), /configured/)
})

test('a stricter label names who violates it and touches nobody', async (t) => {
  await ok('create namespace grown')
  await ok('apply -f -', manifest('grown', 'web', privileged))
  await ok('apply -f -', manifest('grown', 'good', careful))
  const dry = await run('label --dry-run=server namespace grown cove.run/enforce=baseline')
  const { code, stderr } = await run('label namespace grown cove.run/enforce=baseline')
  t.is(code, 0)
  t.is(
    stderr,
    [
      'Warning: existing containers in namespace "grown" violate the new PodSecurity enforce level "baseline:latest"',
      'Warning: web: privileged',
      '',
    ].join('\n'),
  )
  t.is(dry.stderr, stderr)
  t.regex(await ok('get containers -n grown -o name'), /good\n.*web\n/)
})

test('a level that is warned of prints what it would refuse', async (t) => {
  await ok('create namespace warned')
  await ok('label namespace warned cove.run/warn=baseline')
  const { code, stderr } = await run('apply -f -', manifest('warned', 'web', privileged))
  t.is(code, 0)
  t.regex(stderr, /^Warning: would violate PodSecurity "baseline:latest": privileged \(/)
})

test('a level that there is not is refused, and one of Kubernetes is said to do nothing', async (t) => {
  await ok('create namespace odd')
  const { code, stderr } = await run('label namespace odd cove.run/enforce=strict')
  t.is(code, 1)
  t.regex(stderr, /Unsupported value: "strict": supported values: "privileged", "baseline", "restricted"/)
  const theirs = await run('label namespace odd pod-security.kubernetes.io/enforce=baseline')
  t.is(theirs.code, 0)
  t.regex(
    theirs.stderr,
    /Warning: .*has no effect in Cove, whose labels are cove\.run\/enforce and cove\.run\/warn/,
  )
})

test('explain tells the rights of a container', async (t) => {
  const text = await ok('explain container.spec.securityContext')
  for (const field of ['privileged', 'readOnlyRootFilesystem', 'runAsNonRoot', 'seccompProfile']) {
    t.true(text.includes(field), field)
  }
})
