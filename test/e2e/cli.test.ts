/** The CLI against a real API server over HTTPS, beside the real kubectl on the same server. No engine is needed. */
import { deepEqual, match, ok } from 'node:assert/strict'
import { join } from 'node:path'
import test from 'ava'
import type { Transport } from '#pkg/apimachinery/transport.ts'
import { ask } from '#test/helpers/apiserver.ts'
import { type CliServer, makeCove, startCliServer } from '#test/helpers/cli.ts'
import { eventually } from '#test/helpers/eventually.ts'

function container(name: string, spec = ''): string {
  return `apiVersion: cove.run/v1
kind: Container
metadata:
  name: ${name}
  labels: {app: ${name}}
spec:
  image: busybox:1
  command: [sleep, "1000"]
${spec}`
}

const port = '  ports:\n  - containerPort: 80\n    hostPort: 8080\n'
const containers = '/apis/cove.run/v1/namespaces/default/containers'

/** What an agent would write. */
async function report(server: CliServer, name: string, status: unknown): Promise<void> {
  const { status: code } = await ask(server.transport, `PATCH ${containers}/${name}/status`, {
    body: { status },
  })
  deepEqual(code, 200)
}

function condition(type: string, status: 'True' | 'False', message = '') {
  const lastTransitionTime = '2026-01-01T00:00:00Z'
  return { type, status, reason: 'Test', message, lastTransitionTime, observedGeneration: 1 }
}

test('applying twice creates, then leaves alone without a write', async (t) => {
  const server = await startCliServer(t)
  await server.write({
    'web.yaml': `${container('web', port)}---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: "<x&y>"}\n`,
  })
  t.deepEqual(await server.cove('apply -f web.yaml'), {
    code: 0,
    stdout: 'secret/s created\ncontainer.cove.run/web created\n',
    stderr: '',
  })
  server.requests()
  const again = await server.cove('apply -f web.yaml')
  t.is(again.stdout, 'secret/s unchanged\ncontainer.cove.run/web unchanged\n')
  t.true(server.requests().every((request) => request.startsWith('GET ')))
})

test('a changed field is configured, a removed one goes, and what others set stays', async (t) => {
  const server = await startCliServer(t)
  await server.cove('apply -f -', { stdin: container('web', `${port}  workingDir: /tmp\n`) })
  await ask(server.transport, `PATCH ${containers}/web`, { body: { metadata: { labels: { mine: 'yes' } } } })
  const changed = await server.cove('apply -f -', { stdin: container('web', '  workingDir: /srv\n') })
  t.is(changed.stdout, 'container.cove.run/web configured\n')
  const { body } = await ask(server.transport, `GET ${containers}/web`)
  t.deepEqual(
    [body.spec.workingDir, body.spec.ports, body.metadata.labels],
    ['/srv', [], { app: 'web', mine: 'yes' }],
  )
})

test('kubectl and cove take turns on one object, and each sees what the other has applied', async (t) => {
  const server = await startCliServer(t)
  await server.write({ '1.yaml': container('web', port), '2.yaml': container('web', '  workingDir: /tmp\n') })
  const outcome = async (tool: 'cove' | 'kubectl', file: string) => {
    const { stdout, stderr } = await server[tool](`apply -f ${file}`)
    return stdout.trim().split(' ').at(-1) ?? stderr
  }
  t.is(await outcome('kubectl', '1.yaml'), 'created')
  t.is(await outcome('cove', '1.yaml'), 'unchanged')
  t.is(await outcome('cove', '2.yaml'), 'configured')
  t.is(await outcome('kubectl', '2.yaml'), 'unchanged')
  t.is(await outcome('kubectl', '1.yaml'), 'configured')
  t.is(await outcome('cove', '1.yaml'), 'unchanged')
  const { body } = await ask(server.transport, `GET ${containers}/web`)
  t.is(body.spec.workingDir, undefined)
})

test('many objects are compared with one list, and told in the order of the files', async (t) => {
  const server = await startCliServer(t)
  const names = Array.from({ length: 20 }, (_, index) => `web-${String(index).padStart(2, '0')}`)
  const stdin = names.map((name) => container(name)).join('---\n')
  const lines = (word: string) => names.map((name) => `container.cove.run/${name} ${word}\n`).join('')
  t.is((await server.cove('apply -f -', { stdin })).stdout, lines('created'))
  server.requests()
  t.is((await server.cove('apply -f -', { stdin })).stdout, lines('unchanged'))
  t.deepEqual(server.requests(), [`GET ${containers}`])
})

test('a namespace of the set is there before what is in it', async (t) => {
  const server = await startCliServer(t)
  const inside = container('web').replace('name: web', 'name: web\n  namespace: team')
  const stdin = `${inside}---\napiVersion: v1\nkind: Namespace\nmetadata: {name: team}\n`
  t.is((await server.cove('diff -f -', { stdin })).code, 1)
  t.is(
    (await server.cove('apply -f -', { stdin })).stdout,
    'namespace/team created\ncontainer.cove.run/web created\n',
  )
})

test('nothing is sent when anything of the set is wrong, and every error has its place', async (t) => {
  const server = await startCliServer(t)
  await server.write({
    'set/a.yaml': container('web', port),
    'set/b.yaml': `${container('Web_1', '  restartPolicy: Sometimes\n')}---\n${container('db', port.replace('80\n', '99999\n'))}`,
    'set/c.yaml': 'apiVersion: v1\nkind: Sercet\nmetadata: {name: x}\n---\na: [\n',
  })
  server.requests()
  const { code, stdout, stderr } = await server.cove('apply -f set')
  t.deepEqual([code, stdout, server.requests()], [1, '', []])
  t.deepEqual(stderr.split('\n').slice(0, -1), [
    `set/b.yaml: document 1, line 4: metadata.name: Invalid value: "Web_1": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`,
    'set/b.yaml: document 1, line 9: spec.restartPolicy: unsupported value "Sometimes": must be one of "Always", "OnFailure", "Never"',
    'set/b.yaml: document 2, line 20: spec.ports[0].containerPort: must be between 1 and 65535',
    'set/c.yaml: document 2, line 6, column 1: deficient indentation',
  ])
})

test('what only the server can refuse is told at its place, and the others still apply', async (t) => {
  const server = await startCliServer(t)
  const lost = container('lost').replace('name: lost', 'name: lost\n  namespace: nowhere')
  const { code, stdout, stderr } = await server.cove('apply -f -', {
    stdin: `${lost}---\n${container('web')}`,
  })
  t.deepEqual([code, stdout], [1, 'container.cove.run/web created\n'])
  t.is(
    stderr,
    'standard input: document 1, line 1: container.cove.run/lost: Error from server (NotFound): namespaces "nowhere" not found\n',
  )
})

test('a dry run changes nothing', async (t) => {
  const server = await startCliServer(t)
  const run = (words: string) => server.cove(words, { stdin: container('web') })
  t.is((await run('apply -f - --dry-run=client')).stdout, 'container.cove.run/web created (dry run)\n')
  t.is((await run('apply -f - --dry-run=server')).stdout, 'container.cove.run/web created (server dry run)\n')
  t.is((await run('get ctr')).stderr, 'No resources found in default namespace.\n')
})

/** Ages may differ by a second between two calls. */
const ageless = (text: string) => text.replaceAll(/\b\d+s\b/g, 'AGE').replaceAll(/ +/g, ' ')

test('get prints what kubectl prints', async (t) => {
  const server = await startCliServer(t)
  const odd = `apiVersion: v1
kind: ConfigMap
metadata:
  name: odd
data: {a: "true", b: "1", c: "", d: "yes", e: "x: y", f: "two\\nlines\\n", g: "- x", h: " lead", i: "#c", j: "1.5", k: "null", l: "~",
  m: "it's", n: "\\"q\\"", o: "2026-01-01", p: "a#b", q: "tab\\there", r: "no newline\\nat end", s: "0x1F", t: "é", u: "*a", v: "{}", w: "@x", x: "x:"}
`
  await server.cove('apply -f -', { stdin: `${container('web', port)}---\n${container('db')}---\n${odd}` })
  await report(server, 'web', { phase: 'Running', ip: '172.17.0.2', restartCount: 3 })
  const commands = [
    'get containers',
    'get ctr -o wide',
    'get container web',
    'get ctr web db nosuch',
    'get ctr -A',
    'get ctr,cm',
    'get all',
    'get ctr/web cm/odd',
    'get ctr --show-labels',
    'get ctr --no-headers',
    'get ctr -l app=web',
    'get ctr -l app!=web -o name',
    'get ctr --field-selector status.phase=Running -o name',
    'get ns',
    'get nodes',
    'get ctr web -o yaml',
    'get ctr web -o json',
    'get ctr -o yaml',
    'get ctr -o json',
    'get cm odd -o yaml',
    'get cm odd web -o name',
    'get ctr -o name',
    'get ctr --ignore-not-found nosuch',
    "get ctr -o jsonpath='{.items[*].metadata.name}'",
    'get ctr -o jsonpath=\'{range .items[*]}{.metadata.name}{"\\t"}{.spec.image}{"\\n"}{end}\'',
    'get ctr -o jsonpath=\'{.items[?(@.metadata.name=="web")].status.ip}\'',
    "get ctr -o jsonpath='{.items[0].spec}'",
    "get ctr -o jsonpath='{..restartCount}'",
    "get ctr -o jsonpath='{.items[-1:].metadata.name} and {.kind}'",
    'get ctr web -o jsonpath=\'{.metadata.labels.app}{"!"}{.nosuch}\'',
    "get ctr web -o jsonpath='{.metadata.annotations.kubectl\\.kubernetes\\.io/last-applied-configuration}'",
  ]
  for (const command of commands) {
    const [cove, kubectl] = await Promise.all([server.cove(command), server.kubectl(command)])
    t.deepEqual(
      [cove.code, ageless(cove.stdout), cove.stderr],
      [kubectl.code, ageless(kubectl.stdout), kubectl.stderr],
      command,
    )
  }
})

test('explain says what kubectl says', async (t) => {
  const server = await startCliServer(t)
  for (const path of [
    'ctr',
    'ctr.spec',
    'ctr --recursive',
    'ctr.spec.restartPolicy',
    'secret.data',
    'node.status',
  ]) {
    const [cove, kubectl] = await Promise.all([
      server.cove(`explain ${path}`),
      server.kubectl(`explain ${path}`),
    ])
    t.is(cove.stdout, kubectl.stdout, path)
  }
})

test('a short list costs one request', async (t) => {
  const server = await startCliServer(t)
  server.requests()
  await server.cove('get containers')
  t.deepEqual(server.requests(), [`GET ${containers}`])
})

test('a watch prints what is, then each change in the same columns, and ends with Ctrl-C', async (t) => {
  const server = await startCliServer(t)
  await server.cove('apply -f -', { stdin: container('web') })
  const interrupt = new AbortController()
  let stdout = ''
  const watching = server.cove('get ctr -w', {
    signal: interrupt.signal,
    onOutput: (text) => (stdout = text),
  })
  await eventually(() => match(stdout, /Pending/))
  await report(server, 'web', { phase: 'Running' })
  await eventually(() => match(stdout, /Running/))
  interrupt.abort(new DOMException('stopped', 'AbortError'))
  t.is((await watching).code, 0)
  const [header, before, after] = stdout.split('\n')
  t.is(header?.indexOf('STATUS'), before?.indexOf('Pending'))
  t.is(header?.indexOf('STATUS'), after?.indexOf('Running'))
})

test('diff tells fields, hides secrets, and says by its exit code whether there are differences', async (t) => {
  const server = await startCliServer(t)
  const secret = (value: string) =>
    `apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: ${value}}\n`
  await server.cove('apply -f -', { stdin: `${container('web', port)}---\n${secret('one')}` })
  t.deepEqual(await server.cove('diff -f -', { stdin: container('web', port) }), {
    code: 0,
    stdout: '',
    stderr: '',
  })
  const changed = `${container('web', '  workingDir: /tmp\n').replace('busybox:1', 'busybox:2')}---\n${secret('two')}`
  const { code, stdout } = await server.cove('diff -f -', { stdin: changed })
  t.is(code, 1)
  t.deepEqual(stdout.split('\n').slice(0, -1).sort(), [
    'container.cove.run/web: spec.image: "busybox:1" -> "busybox:2"  (recreate)',
    'container.cove.run/web: spec.ports[0]: removed {"containerPort":80,"hostPort":8080,"protocol":"TCP"}  (recreate)',
    'container.cove.run/web: spec.workingDir: added "/tmp"  (recreate)',
    'secret/s: data.a: (hidden) -> (hidden)',
  ])
  t.is((await server.cove('diff -f nosuch.yaml')).code, 2)
  t.is((await server.cove('diff -f -', { stdin: 'kind: X\n' })).code, 2)
})

test('a warning is printed once, with its line where it is known', async (t) => {
  const server = await startCliServer(t)
  const manifest = container('web').replace('busybox:1', 'busybox:latest')
  const { stderr } = await server.cove('apply -f -', { stdin: manifest })
  const warnings = stderr.split('\n').filter((line) => line.startsWith('Warning: '))
  t.is(warnings.length, 1)
  t.regex(warnings[0] ?? '', /line 7: spec\.image: "busybox:latest" names the moving tag/)
})

test('what the server warns of is printed on stderr by every command, once', async (t) => {
  const server = await startCliServer(t)
  const path = join(server.directory, 'kubeconfig')
  const warning = '299 - "Containers are \\"old\\""'
  const transport: Transport = async (request) => {
    const response = await server.transport(request)
    return { ...response, headers: { ...response.headers, warning } }
  }
  const cove = makeCove({ transport, kubeconfig: path, directory: server.directory })
  for (const [words, stdin] of [
    ['apply -f -', container('web')],
    ['get ctr'],
    ['get ctr web -o yaml'],
    ['describe ctr web'],
    ['delete ctr web'],
  ] as const) {
    const { stderr } = await cove(words, stdin === undefined ? {} : { stdin })
    t.deepEqual(stderr.match(/^Warning: .*$/gm), ['Warning: Containers are "old"'], words)
  }
})

test('delete says how long there is to end, and what becomes of what is owned', async (t) => {
  const server = await startCliServer(t)
  const held = container('web').replace('metadata:', 'metadata:\n  finalizers: [test.example/hold]')
  await server.cove('apply -f -', { stdin: held })
  t.is((await server.cove('delete ctr web --wait=false --cascade=foreground --now')).code, 0)
  const read = async () => (await ask(server.transport, `GET ${containers}/web`)).body.metadata
  t.like(await read(), {
    deletionGracePeriodSeconds: 1,
    finalizers: ['test.example/hold', 'foregroundDeletion'],
  })
  t.is((await server.cove('delete ctr web --wait=false --cascade=orphan --force')).code, 0)
  t.like(await read(), { deletionGracePeriodSeconds: 0, finalizers: ['test.example/hold', 'orphan'] })
  t.is((await server.cove('delete ctr web --force --grace-period=3')).code, 2)
  t.is((await server.cove('delete ctr web --cascade=sideways')).code, 2)
})

test('delete waits until finalizers are done, unless told not to', async (t) => {
  const server = await startCliServer(t)
  const held = container('web').replace('metadata:', 'metadata:\n  finalizers: [test.example/hold]')
  await server.cove('apply -f -', { stdin: held })
  const timedOut = await server.cove('delete ctr web --timeout=1500ms')
  t.deepEqual([timedOut.code, timedOut.stdout], [1, 'container.cove.run "web" deleted\n'])
  t.regex(
    timedOut.stderr,
    /timed out waiting for the condition on containers\/web \(waits for test\.example\/hold\)/,
  )
  t.is((await server.cove('delete ctr web --wait=false')).code, 0)
  const applied = await server.cove('apply -f -', { stdin: held })
  t.regex(applied.stderr, /^Warning: container\.cove\.run\/web is being deleted; apply it again/)
  server.requests()
  const waiting = server.cove('delete -f -', { stdin: held })
  await eventually(() => ok(server.requests().some((request) => request.startsWith('DELETE'))))
  const body = { metadata: { finalizers: null } }
  await ask(server.transport, `PATCH ${containers}/web`, { body })
  t.deepEqual(await waiting, { code: 0, stdout: 'container.cove.run "web" deleted\n', stderr: '' })
})

test('delete says what is not there, and does the rest', async (t) => {
  const server = await startCliServer(t)
  await server.cove('apply -f -', { stdin: container('web') })
  const { code, stdout, stderr } = await server.cove('delete ctr nosuch web')
  t.deepEqual([code, stdout], [1, 'container.cove.run "web" deleted\n'])
  t.is(stderr, 'Error from server (NotFound): containers.cove.run "nosuch" not found\n')
  t.is((await server.cove('delete ctr nosuch --ignore-not-found')).code, 0)
  t.is((await server.cove('delete ctr')).code, 2)
})

test('delete by selector takes what matches and nothing else', async (t) => {
  const server = await startCliServer(t)
  await server.cove('apply -f -', { stdin: ['aa', 'bb'].map((name) => container(name)).join('---\n') })
  t.is((await server.cove('delete ctr -l app=aa')).stdout, 'container.cove.run "aa" deleted\n')
  t.is((await server.cove('get ctr -o name')).stdout, 'container.cove.run/bb\n')
})

test('wait ends when the condition is met, when time is up, and when it never will be', async (t) => {
  const server = await startCliServer(t)
  await server.cove('apply -f -', { stdin: container('web') })
  const waiting = server.cove('wait ctr/web --for=condition=Ready --timeout=20s')
  await report(server, 'web', {
    phase: 'Running',
    observedGeneration: 1,
    conditions: [condition('Ready', 'True')],
  })
  const met = await waiting
  t.deepEqual([met.code, met.stdout], [0, 'container.cove.run/web condition met\n'])
  const late = await server.cove('wait ctr/web --for=condition=Healthy --timeout=50ms')
  t.is(late.code, 1)
  t.regex(late.stderr, /timed out waiting for the condition on containers\/web/)
  const conditions = [condition('Ready', 'False'), condition('Stalled', 'True', 'no such image')]
  await report(server, 'web', { conditions })
  const hopeless = await server.cove('wait ctr/web --for=condition=Ready --timeout=20s')
  t.is(hopeless.code, 1)
  t.regex(hopeless.stderr, /error: containers\/web: no such image\n$/)
  const missing = await server.cove('wait ctr/nosuch --for=condition=Ready')
  t.is(missing.stderr, 'Error from server (NotFound): containers.cove.run "nosuch" not found\n')
})

test('apply --wait shows the way of each object and ends when all are ready', async (t) => {
  const server = await startCliServer(t)
  const applying = server.cove('apply -f - --wait --timeout=20s', { stdin: container('web') })
  await eventually(() => report(server, 'web', { phase: 'Starting' }))
  await report(server, 'web', {
    phase: 'Running',
    observedGeneration: 1,
    conditions: [condition('Ready', 'True')],
  })
  const { code, stdout } = await applying
  t.deepEqual([code, stdout], [0, 'container.cove.run/web created\n'])
})

test('an interrupted wait exits with 130', async (t) => {
  const server = await startCliServer(t)
  await server.cove('apply -f -', { stdin: container('web') })
  const interrupt = new AbortController()
  server.requests()
  const waiting = server.cove('wait ctr/web --for=condition=Ready', { signal: interrupt.signal })
  await eventually(() => ok(server.requests().length > 0))
  interrupt.abort(new DOMException('stopped', 'AbortError'))
  t.is((await waiting).code, 130)
})

test('describe tells spec, conditions, health, the last action with its cause, and events', async (t) => {
  const server = await startCliServer(t)
  await server.cove('apply -f -', { stdin: container('web', port) })
  await report(server, 'web', {
    phase: 'Running',
    conditions: [condition('Ready', 'False', 'it is unhealthy')],
    lastAction: { time: '2026-01-01T00:00:00Z', action: 'Restart', cause: 'unhealthy 3 times' },
    health: {
      status: 'unhealthy',
      failingStreak: 3,
      log: [{ start: '2026-01-01T00:00:00Z', end: '2026-01-01T00:00:01Z', exitCode: 1, output: 'refused\n' }],
    },
  })
  const { body } = await ask(server.transport, `GET ${containers}/web`)
  const involvedObject = {
    apiVersion: 'cove.run/v1',
    kind: 'Container',
    namespace: 'default',
    name: 'web',
    uid: body.metadata.uid,
  }
  for (const [reason, lastTimestamp] of [
    ['Second', '2026-01-02T00:00:00Z'],
    ['First', '2026-01-01T00:00:00Z'],
  ]) {
    const event = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: `e-${reason?.toLowerCase()}` },
      involvedObject,
      reason,
      message: 'm',
      type: 'Normal',
      firstTimestamp: lastTimestamp,
      lastTimestamp,
      count: 1,
    }
    const { status } = await ask(server.transport, 'POST /api/v1/namespaces/default/events', { body: event })
    t.is(status, 201)
  }
  const { stdout } = await server.cove('describe ctr web')
  for (const text of [
    'Last action:   Restart (2026-01-01T00:00:00Z',
    '  because:     unhealthy 3 times',
    'hostPort: 8080',
    'it is unhealthy',
    'unhealthy (3 failures in a row)',
    'refused',
  ])
    t.true(stdout.includes(text), text)
  t.regex(stdout, /Events:\n.*\n {2}Normal +First .*\n {2}Normal +Second /)
  const events = await server.cove('events --for ctr/web')
  t.regex(events.stdout, /^LAST SEEN.*\n.* First .*Container\/web.*\n.* Second /)
  const kubectl = await server.kubectl('events --for containers.cove.run/web')
  t.is(ageless(events.stdout), ageless(kubectl.stdout))
})

test('describe shows sizes of secrets, never their data', async (t) => {
  const server = await startCliServer(t)
  await server.cove('apply -f -', {
    stdin: 'apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {key: hunter2}\n',
  })
  const { stdout } = await server.cove('describe secret s')
  t.regex(stdout, /key: 7 bytes/)
  t.notRegex(stdout, /hunter2|aHVudGVyMg/)
})

test('logs of a container come from the server, errors in its words', async (t) => {
  const server = await startCliServer(t)
  const { code, stderr } = await server.cove('logs nosuch')
  t.is(code, 1)
  t.regex(stderr, /^Error from server \(NotFound\)/)
  t.is((await server.cove('logs volume/x')).code, 1)
  t.is((await server.cove('logs web --tail many')).code, 2)
})

test('the way the command line is wrong is told with exit 2 and where the help is', async (t) => {
  const server = await startCliServer(t)
  t.deepEqual(await server.cove('gte ctr'), {
    code: 2,
    stdout: '',
    stderr: 'error: unknown command "gte" (did you mean "get"?)\nSee \'cove --help\'.\n',
  })
  t.deepEqual(await server.cove('get ctr --otput json'), {
    code: 2,
    stdout: '',
    stderr: "error: unknown flag: --otput (did you mean --output?)\nSee 'cove get --help'.\n",
  })
  for (const words of [
    'get',
    'apply',
    'wait',
    'wait volume/x',
    'get ctr -o xml',
    'delete ctr x --grace-period=soon',
  ])
    t.is((await server.cove(words)).code, 2, words)
  for (const words of ['get -h', 'help get', 'help', '--help', 'apply --help'])
    t.is((await server.cove(words)).code, 0)
})

test('a reader that has gone ends the command quietly', async (t) => {
  const server = await startCliServer(t)
  await server.cove('apply -f -', { stdin: container('web') })
  t.deepEqual(await server.cove('get ctr', { breakAfter: 0 }), { code: 141, stdout: '', stderr: '' })
})

test('a server that is away is told with what to do', async (t) => {
  const server = await startCliServer(t)
  await server.write({
    away: JSON.stringify({
      'current-context': 'c',
      contexts: [{ name: 'c', context: { cluster: 'c' } }],
      clusters: [{ name: 'c', cluster: { server: 'https://127.0.0.1:1' } }],
    }),
    'web.yaml': container('web'),
  })
  const stderr =
    'error: cannot reach the server at https://127.0.0.1:1 (connection refused): is `cove up` running?\n'
  for (const words of [
    'get ctr',
    'apply -f web.yaml',
    'delete ctr web',
    'logs web',
    'wait ctr/web --for=delete',
  ])
    t.deepEqual(await server.cove(`${words} --kubeconfig away`), { code: 1, stdout: '', stderr }, words)
  t.is((await server.cove('diff -f web.yaml --kubeconfig away')).code, 2)
  const none = await server.cove('get ctr --kubeconfig nosuch')
  t.deepEqual([none.code, none.stderr], [1, 'error: there is no kubeconfig at "nosuch"\n'])
})

test('a server whose certificate is not the one of the kubeconfig is not trusted', async (t) => {
  const [one, other] = [await startCliServer(t), await startCliServer(t)]
  const own = JSON.parse(await one.kubeconfig())
  const foreign = JSON.parse(await other.kubeconfig())
  const key = 'certificate-authority-data'
  own.clusters[0].cluster[key] = foreign.clusters[0].cluster[key]
  await one.write({ mixed: JSON.stringify(own) })
  const { code, stderr } = await one.cove('get ctr --kubeconfig mixed')
  t.is(code, 1)
  t.regex(stderr, /^error: cannot reach the server .*not signed by the authority in the kubeconfig/)
})
