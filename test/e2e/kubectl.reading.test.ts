/** Looking at things with the real kubectl: tables, formats, choices, explanations, descriptions, events. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import test from 'ava'
import { servedKinds } from '#pkg/apis/kinds.ts'
import { reviewResources } from '#pkg/apiserver/access/reviews.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { collect, type Kubectl } from '#test/helpers/kubectl.ts'
import { containerText, kubectlWorld } from '#test/helpers/kubectlworld.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'

const world = kubectlWorld(test)

const event = {
  apiVersion: 'v1',
  kind: 'Event',
  metadata: { name: 'web.1' },
  reason: 'Pulled',
  message: 'pulled nginx:1.27',
  type: 'Normal',
  count: 2,
  firstTimestamp: '2026-01-01T00:00:00Z',
  lastTimestamp: '2026-01-01T00:05:00Z',
  source: { component: 'agent' },
}
const rbac = 'rbac.authorization.k8s.io'

/** One object of every kind; those of the cluster are named after the namespace. */
function oneOfEach(namespace: string): string {
  const cove = (kind: string, name: string, more: object = {}) => ({
    apiVersion: 'cove.run/v1',
    kind,
    metadata: { name, labels: { set: namespace } },
    spec: {},
    ...more,
  })
  const role = { apiGroup: rbac, kind: 'ClusterRole', name: 'view' }
  const subjects = [
    { kind: 'User', name: 'joe' },
    { kind: 'Group', name: 'night-shift' },
    { kind: 'ServiceAccount', name: 'sa', namespace },
  ]
  const own = (kind: string, name: string, more: object) => ({
    apiVersion: `${rbac}/v1`,
    kind,
    metadata: { name, labels: { set: namespace } },
    ...more,
  })
  const items = [
    cove('Container', 'web', { spec: { image: 'nginx:1.27', nodeName: 'n1' } }),
    cove('Volume', 'data'),
    cove('Network', 'net'),
    cove('Image', 'app', { spec: { reference: 'app:1', nodeName: 'n1' } }),
    cove('Build', 'made', {
      spec: { context: { empty: {} }, dockerfileInline: 'FROM scratch\nENV A=1\n', nodeName: 'n1' },
    }),
    cove('Registry', namespace, { spec: { server: 'registry.example.com' } }),
    cove('PrunePolicy', namespace),
    cove('Node', namespace),
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 's' },
      stringData: { password: 'not-to-be-shown' },
    },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' }, data: { a: '1', b: '2' } },
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'sa' } },
    {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: 'lead' },
      spec: { holderIdentity: 'one' },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'ControllerRevision',
      metadata: { name: 'kept' },
      data: { spec: { image: 'app:1' } },
      revision: 3,
    },
    own('Role', 'r', { rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }] }),
    own('ClusterRole', namespace, { rules: [] }),
    own('RoleBinding', 'rb', { roleRef: role, subjects }),
    own('ClusterRoleBinding', namespace, { roleRef: role, subjects }),
    { ...event, involvedObject: { apiVersion: 'cove.run/v1', kind: 'Container', name: 'web', namespace } },
  ]
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items })
}

async function filled(namespace: string): Promise<Kubectl> {
  const kubectl = await world().inNamespace(namespace)
  await kubectl.ok(['create', '-f', '-'], oneOfEach(namespace))
  return kubectl
}

/** The columns of a line; they are at least three spaces apart. */
function columns(line = ''): string[] {
  return line.trimEnd().split(/ {2,}/)
}

const headers: Readonly<Record<string, readonly [string, string]>> = {
  Container: ['NAME READY STATUS HEALTH RESTARTS IMAGE PORTS AGE', 'NODE IP CONTAINER_ID COMMAND CREATED'],
  Volume: ['NAME STATUS DRIVER RECLAIM NODE AGE', 'USED_BY REASON'],
  Network: ['NAME STATUS DRIVER INTERNAL AGE', 'SUBNETS'],
  Image: ['NAME REFERENCE STATUS IMAGE_ID SIZE NODES UPDATE AGE', 'DIGEST USED_BY REASON'],
  Build: ['NAME STATUS STEPS CACHED IMAGE_ID ATTEMPT FINISHED AGE', 'NODE CAUSE OUTCOME REASON'],
  Registry: ['NAME SERVER SECRET READY AGE', ''],
  PrunePolicy: ['NAME SCHEDULE DISK DRY_RUN RECLAIMED AGE', ''],
  Node: ['NAME STATUS ENGINE CPU MEMORY AGE', 'KERNEL OS'],
  Namespace: ['NAME STATUS AGE', ''],
  Secret: ['NAME TYPE DATA AGE', ''],
  ConfigMap: ['NAME DATA AGE', ''],
  ServiceAccount: ['NAME AGE', ''],
  Role: ['NAME CREATED_AT', ''],
  ClusterRole: ['NAME CREATED_AT', ''],
  RoleBinding: ['NAME ROLE AGE', 'USERS GROUPS SERVICEACCOUNTS'],
  ClusterRoleBinding: ['NAME ROLE AGE', 'USERS GROUPS SERVICEACCOUNTS'],
  Lease: ['NAME HOLDER AGE', ''],
  ControllerRevision: ['NAME CONTROLLER REVISION AGE', ''],
  Pod: ['NAME READY STATUS RESTARTS AGE', 'IP NODE'],
}

test('every kind has a table for people, and more of it with -o wide', async (t) => {
  const kubectl = await filled('tables')
  t.deepEqual(
    Object.keys(headers).toSorted(),
    servedKinds
      .map(({ kind }) => kind)
      .filter((kind) => kind !== 'Event')
      .toSorted(),
  )
  for (const { kind, plural, group } of servedKinds.filter(({ kind }) => headers[kind] !== undefined)) {
    const [narrow = '', more = ''] = headers[kind] ?? []
    const type = group === '' ? plural : `${plural}.${group}`
    const [first] = (await kubectl.ok(['get', type])).split('\n')
    t.is(columns(first).map(underlined).join(' '), narrow)
    const [wide] = (await kubectl.ok(['get', type, '-o', 'wide'])).split('\n')
    t.is(columns(wide).map(underlined).join(' '), `${narrow} ${more}`.trim())
  }
})

function underlined(word: string): string {
  return word.replaceAll(' ', '_')
}

test('events are told as kubectl users know them: without names, unless they ask', async (t) => {
  const kubectl = await filled('told')
  const [header, row] = (await kubectl.ok(['get', 'events'])).split('\n')
  t.deepEqual(columns(header), ['LAST SEEN', 'TYPE', 'REASON', 'OBJECT', 'MESSAGE'])
  t.deepEqual(columns(row).slice(1), ['Normal', 'Pulled', 'container/web', 'pulled nginx:1.27'])
  const [wide, told] = (await kubectl.ok(['get', 'ev', '-o', 'wide'])).split('\n')
  t.deepEqual(columns(wide).slice(4), ['SOURCE', 'MESSAGE', 'FIRST SEEN', 'COUNT', 'NAME'])
  t.deepEqual(columns(told).slice(-2), ['2', 'web.1'])
  t.is(await kubectl.ok(['get', 'ev', '-o', 'name']), 'event/web.1\n')
  t.regex(
    await kubectl.ok(['events', '--for', 'ctr/web']),
    / \(x2 over .*Normal +Pulled +Container\/web +pulled/,
  )
  t.regex(await kubectl.ok(['events', '--types=Normal']), /Pulled/)
  t.regex((await kubectl.run(['events', '--types=Warning'])).stderr, /^No events found in told namespace/)
  t.regex((await kubectl.run(['events', '--for', 'ctr/other'])).stderr, /^No events found/)
  const watching = kubectl.start(['events', '--watch', '--no-headers'])
  const lines = createInterface({ input: watching.stdout ?? process.stdin })[Symbol.asyncIterator]()
  t.regex((await lines.next()).value ?? '', /pulled nginx/)
  const next = { ...event, metadata: { name: 'web.2' }, reason: 'Started', message: 'started it' }
  const involvedObject = { apiVersion: 'cove.run/v1', kind: 'Container', name: 'web', namespace: 'told' }
  await kubectl.ok(['create', '-f', '-'], JSON.stringify({ ...next, involvedObject }))
  t.regex((await lines.next()).value ?? '', /Started +Container\/web +started it/)
  watching.kill()
  await once(watching, 'close')
})

test('every kind is explained down to its leaves, with a sentence for each field', async (t) => {
  const { kubectl } = world()
  const named = [...servedKinds, ...reviewResources].map(({ plural, group }) =>
    group === '' ? plural : `${plural}.${group}`,
  )
  for (const type of [...named, 'services']) {
    const text = await kubectl.ok(['explain', type])
    t.regex(text, /DESCRIPTION:\n {4}\w/, type)
    t.notRegex(text, /<empty>|<no description>/, type)
    t.regex(await kubectl.ok(['explain', type, '--recursive']), /metadata\t<ObjectMeta>/, type)
  }
  t.regex(
    await kubectl.ok(['explain', 'ctr.spec.env.valueFrom.secretKeyRef']),
    /FIELD: secretKeyRef <Object>/,
  )
  t.regex(await kubectl.ok(['explain', 'containers', '--api-version=cove.run/v1']), /KIND: +Container/)
  const { code, stderr } = await kubectl.run(['explain', 'ctr.spec.nope'])
  t.deepEqual([code, stderr], [1, 'error: field "nope" does not exist\n'])
})

const described: readonly (readonly [string, RegExp])[] = [
  ['ctr/web', /Kind: +Container\n[\s\S]*Image: +nginx:1\.27[\s\S]*Events:/],
  ['vol/data', /Kind: +Volume\n[\s\S]*Reclaim Policy: +Retain/],
  ['net/net', /Kind: +Network\n[\s\S]*Driver: +bridge/],
  ['img/app', /Kind: +Image\n[\s\S]*Reference: +app:1/],
  ['bld/made', /Kind: +Build\n[\s\S]*Dockerfile Inline: +FROM scratch/],
  ['reg/described', /Kind: +Registry\n[\s\S]*Server: +registry\.example\.com/],
  ['prune/described', /Kind: +PrunePolicy\n[\s\S]*Dry Run: +false/],
  ['no/described', /Kind: +Node\n[\s\S]*Unschedulable: +false/],
  ['ns/described', /^Name: +described\n[\s\S]*Status: +Active/],
  ['secret/s', /Type: +Opaque\n\nData\n====\npassword: +15 bytes/],
  ['cm/c', /Data\n====\n[\s\S]*\ba:\n----\n1\n/],
  ['sa/sa', /^Name: +sa\n[\s\S]*Tokens: +<none>/],
  ['lease/lead', /Holder Identity: +one/],
  ['controllerrevision/kept', /Image: +app:1\n[\s\S]*Revision: +3/],
  ['role/r', /pods +\[\] +\[\] +\[get\]/],
  ['clusterrole/view', /containers\.cove\.run +\[\] +\[\] +\[get list watch\]/],
  ['rolebinding/rb', /Role:\n {2}Kind: +ClusterRole\n {2}Name: +view\n[\s\S]*User +joe/],
  ['clusterrolebinding/described', /Group +night-shift/],
  ['ev/web.1', /Reason: +Pulled\n/],
  ['pod/web', /Controlled By: +Container\/web\n[\s\S]*Image: +nginx:1\.27/],
]

test('every kind is described, and the data of a Secret is not', async (t) => {
  const kubectl = await filled('described')
  const kindsDescribed = new Set<string>()
  for (const [name, sensible] of described) {
    const text = await kubectl.ok(['describe', name])
    t.regex(text, sensible, name)
    t.false(text.includes('not-to-be-shown'), name)
    t.false(text.includes(Buffer.from('not-to-be-shown').toString('base64')), name)
    kindsDescribed.add(await kubectl.ok(['get', name, '-o', 'jsonpath={.kind}']))
  }
  t.deepEqual([...kindsDescribed].toSorted(), servedKinds.map(({ kind }) => kind).toSorted())
})

test('one command gets several types, names and files, under every name that a type has', async (t) => {
  const kubectl = await filled('several')
  const web = 'container.cove.run/web\n'
  const types = ['ctr', 'container', 'containers', 'containers.cove.run', 'container.v1.cove.run']
  for (const type of types) t.is(await kubectl.ok(['get', type, '-o', 'name']), web, type)
  t.is(await kubectl.ok(['get', 'ctr,vol', '-o', 'name']), `${web}volume.cove.run/data\n`)
  t.is(await kubectl.ok(['get', 'ctr/web', 'cm/c', '-o', 'name']), `${web}configmap/c\n`)
  t.is(
    await kubectl.ok(['get', 'all', '-o', 'name']),
    `${web}volume.cove.run/data\nnetwork.cove.run/net\nimage.cove.run/app\nbuild.cove.run/made\n`,
  )
  t.true((await kubectl.ok(['get', 'cove', '-o', 'name'])).includes('node.cove.run/several\n'))
  const tables = await kubectl.ok(['get', 'all'])
  t.regex(tables, /^container\.cove\.run\/web +Unknown/m)
  t.regex(tables, /^volume\.cove\.run\/data +Pending/m)
  const file = join(await makeTempDir(t, 'files'), 'all.json')
  await writeFile(file, oneOfEach('several'))
  t.is((await kubectl.ok(['get', '-f', file, '-o', 'name'])).trim().split('\n').length, 18)
  const unknown = await kubectl.run(['get', 'frobs'])
  t.deepEqual(
    [unknown.code, unknown.stderr],
    [1, 'error: the server doesn\'t have a resource type "frobs"\n'],
  )
  const version = await kubectl.run(['get', 'containers.v7.cove.run'])
  t.regex(version.stderr, /the server doesn't have a resource type "containers"/)
  const missing = await kubectl.run(['get', 'ctr', 'web', 'none', '-o', 'name'])
  t.deepEqual([missing.code, missing.stdout], [1, web])
  t.is(missing.stderr, 'Error from server (NotFound): containers.cove.run "none" not found\n')
  const ignored = await kubectl.run(['get', 'ctr', 'none', '--ignore-not-found'])
  t.deepEqual(ignored, { code: 0, stdout: '', stderr: '' })
})

test('what is shown of an object can be chosen in every form', async (t) => {
  const kubectl = await filled('forms')
  const row = await kubectl.ok(['get', 'ctr', '--show-labels', '-L', 'set', '--show-kind', '--no-headers'])
  t.regex(row, /^container\.cove\.run\/web +Unknown +Pending .* forms +set=forms\n$/)
  t.is(await kubectl.ok(['get', 'ctr', '-o', 'jsonpath={.items[*].spec.image}']), 'nginx:1.27')
  const custom = 'custom-columns=NAME:.metadata.name,IMAGE:.spec.image,NONE:.spec.nope'
  t.deepEqual((await kubectl.ok(['get', 'ctr', '-o', custom])).split('\n').map(columns), [
    ['NAME', 'IMAGE', 'NONE'],
    ['web', 'nginx:1.27', '<none>'],
    [''],
  ])
  const template = 'go-template={{range .items}}{{.kind}} {{.metadata.name}}{{end}}'
  t.is(await kubectl.ok(['get', 'ctr', '-o', template]), 'Container web')
  t.regex(await kubectl.ok(['get', 'ctr/web', '-o', 'yaml']), /^apiVersion: cove\.run\/v1\nkind: Container\n/)
  t.is(JSON.parse(await kubectl.ok(['get', 'ctr,cm', '-o', 'json'])).kind, 'List')
  const status = await kubectl.ok([
    'get',
    'pod',
    'web',
    '--subresource=status',
    '-o',
    'jsonpath={.status.phase}',
  ])
  t.is(status, 'Pending')
})

const selections: readonly (readonly [string, string, string])[] = [
  ['ctr', 'metadata.name=web', 'container.cove.run/web'],
  ['ctr', 'metadata.name!=web', ''],
  ['ctr', 'spec.nodeName=n1,metadata.namespace=selected', 'container.cove.run/web'],
  ['ctr', 'spec.nodeName=n2', ''],
  ['vol', 'metadata.name==data', 'volume.cove.run/data'],
  ['secrets', 'type=Opaque', 'secret/s'],
  ['secrets', 'type=kubernetes.io/tls', ''],
  ['events', 'involvedObject.kind=Container,involvedObject.name=web,type=Normal', 'event/web.1'],
  ['events', 'reason=Killed', ''],
  ['pods', 'status.phase=Pending,spec.nodeName=n1', 'pod/web'],
  ['pods', 'status.phase!=Pending', ''],
]

test('objects are selected by the fields that can be selected by, and by no others', async (t) => {
  const kubectl = await filled('selected')
  for (const [type, selector, found] of selections)
    t.is(
      (await kubectl.ok(['get', type, '-o', 'name', '--field-selector', selector])).trim(),
      found,
      selector,
    )
  const { code, stderr } = await kubectl.run(['get', 'cm', '--field-selector', 'data.a=1'])
  t.is(code, 1)
  t.regex(stderr, /^Error from server \(BadRequest\): .*field label not supported: data\.a\n$/)
  const labels = await kubectl.run(['get', 'ctr', '-l', 'a in (b'])
  t.is(labels.code, 1)
})

test('lists are sorted as asked, and come whole in pages of any size', async (t) => {
  const kubectl = await world().inNamespace('sorted')
  for (const [name, image] of [
    ['aa', 'c:1'],
    ['bb', 'a:1'],
    ['cc', 'b:1'],
  ] as const)
    await kubectl.ok(['create', '-f', '-'], containerText(name, { image }))
  const names = async (...flags: string[]) =>
    (await kubectl.ok(['get', 'ctr', '--no-headers', ...flags]))
      .split('\n')
      .flatMap((line) => columns(line)[0] || [])
  t.deepEqual(await names('--sort-by=.spec.image'), ['bb', 'cc', 'aa'])
  t.deepEqual(await names('--sort-by=.metadata.name', '-o', 'wide'), ['aa', 'bb', 'cc'])
  t.deepEqual(await names('--chunk-size=1'), ['aa', 'bb', 'cc'])
  t.deepEqual(await names('--chunk-size=0'), ['aa', 'bb', 'cc'])
  const { stderr } = await kubectl.run(['get', 'ctr', '--chunk-size=1', '-v=6'])
  t.is(stderr.match(/containers\?(continue=[^&]*&)?limit=1 200/g)?.length, 3)
})

test('--watch-only leaves out what is there, and shows changes as rows', async (t) => {
  const kubectl = await world().inNamespace('watched')
  await kubectl.ok(['create', '-f', '-'], containerText('before'))
  const child = kubectl.start(['get', 'ctr', '--watch-only', '--no-headers', '--output-watch-events'])
  const lines = createInterface({ input: child.stdout ?? process.stdin })[Symbol.asyncIterator]()
  // Nothing tells that the watch has begun: another change follows until one is seen.
  let seen = false
  const first = lines.next().then(({ value }) => {
    seen = true
    return value
  })
  for (let turn = 0; !seen; turn++)
    await kubectl.ok(['label', 'ctr', 'before', '--overwrite', `turn=${turn}`])
  t.regex((await first) ?? '', /^MODIFIED +before +Unknown +Pending/)
  await kubectl.ok(['delete', 'ctr', 'before'])
  for (;;) {
    const { value } = await lines.next()
    if (value?.startsWith('DELETED') !== false) {
      t.regex(value ?? '', /^DELETED +before/)
      break
    }
  }
  child.kill()
  await once(child, 'close')
})

test('names are completed by the shell', async (t) => {
  await filled('completed')
  const { kubeconfigPath, dir } = world().server
  const env = { ...process.env, KUBECONFIG: kubeconfigPath, HOME: dir }
  const complete = async (command: string, ...words: string[]) => {
    const args = ['__complete', command, '-n', 'completed', ...words]
    // It waits five seconds for the server and then offers nothing, which is what people want of it.
    return await eventually(
      async () => {
        const { stdout, stderr } = await collect(spawn('kubectl', args, { env }), '')
        if (stdout.startsWith(':')) throw new Error(stderr)
        return stdout.split('\n')
      },
      { timeoutMs: 60_000, what: args.join(' ') },
    )
  }
  t.deepEqual((await complete('get', 'containers', '')).slice(0, 2), ['web', ':4'])
  t.true((await complete('get', 'con')).includes('containers.cove.run'))
  t.true((await complete('describe', 'ctr/')).includes('ctr/web'))
  t.true((await complete('logs', '')).includes('web'))
  t.true((await complete('get', 'ctr', '-n', 'compl')).includes('completed'))
})

test('cluster-info and version tell what there is, api-resources chooses by group and verb', async (t) => {
  const { kubectl, server } = world()
  t.true((await kubectl.ok(['cluster-info'])).includes(server.url))
  const version = JSON.parse(await kubectl.ok(['version', '-o', 'json']))
  t.is(version.serverVersion.gitVersion, 'v1.32.0+cove.0.1.0')
  const cluster = await kubectl.ok([
    'api-resources',
    '--api-group=cove.run',
    '--namespaced=false',
    '-o',
    'name',
  ])
  t.is(cluster, ['nodes', 'prunepolicies', 'registries'].map((plural) => `${plural}.cove.run\n`).join(''))
  const creatable = await kubectl.ok(['api-resources', '--verbs=create', '-o', 'name'])
  t.true(creatable.includes('subjectaccessreviews.authorization.k8s.io\n'))
  t.false(creatable.includes('pods\n'))
})

test('the configuration of kubectl itself: contexts, namespaces, and no key in what is shown', async (t) => {
  const { kubectl: shared, server } = world()
  // kubectl empties the file for a moment as it writes it, which others would read.
  const file = join(await makeTempDir(t, 'config'), 'config')
  await writeFile(file, server.kubeconfig)
  const kubectl = {
    ok: (words: readonly string[], input?: string) => shared.ok([`--kubeconfig=${file}`, ...words], input),
  }
  await kubectl.ok(['create', 'namespace', 'configured'])
  await kubectl.ok(['create', '-n', 'configured', '-f', '-'], containerText('here'))
  const context = (await kubectl.ok(['config', 'current-context'])).trim()
  const view = await kubectl.ok(['config', 'view'])
  t.regex(view, /client-key-data: DATA\+OMITTED/)
  const cluster = await kubectl.ok(['config', 'view', '-o', 'jsonpath={.contexts[0].context.cluster}'])
  const user = await kubectl.ok(['config', 'view', '-o', 'jsonpath={.contexts[0].context.user}'])
  await kubectl.ok([
    'config',
    'set-context',
    'other',
    `--cluster=${cluster}`,
    `--user=${user}`,
    '--namespace=configured',
  ])
  t.is(await kubectl.ok(['--context=other', 'get', 'ctr', '-o', 'name']), 'container.cove.run/here\n')
  t.regex(await kubectl.ok(['config', 'get-contexts', 'other']), /configured/)
  t.regex(await kubectl.ok(['config', 'use-context', context]), /Switched to context/)
  await kubectl.ok(['config', 'delete-context', 'other'])
})

test('what -v prints of requests holds no key and no token', async (t) => {
  const kubectl = await filled('verbose')
  const { server } = world()
  const [, key = ''] = /client-key-data\W+([A-Za-z0-9+/=]+)/.exec(server.kubeconfig) ?? []
  t.true(key.length > 100)
  const token = (await kubectl.ok(['create', 'token', 'sa'])).trim()
  for (const level of [6, 7, 8]) {
    const { stderr, code } = await kubectl.run(['get', 'ctr', `-v=${level}`])
    t.is(code, 0)
    t.regex(stderr, /GET https:\/\/.*\/containers\?limit=500/)
    t.false(stderr.includes(key))
    const own = [
      '--kubeconfig=/dev/null',
      `--server=${server.url}`,
      '--insecure-skip-tls-verify',
      `--token=${token}`,
    ]
    const withToken = await kubectl.run([...own, 'get', 'ctr', `-v=${level}`])
    t.regex(withToken.stderr, /\/containers\?limit=500 200|Response Status: 200 OK/)
    t.false(withToken.stderr.includes(token))
  }
})
