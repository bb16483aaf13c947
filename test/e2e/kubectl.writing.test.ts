/** Changing things with the real kubectl: patch, edit, replace, label, dry runs, scale, kustomize, and what is refused. */
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { type Kubectl, makeKubectl } from '#test/helpers/kubectl.ts'
import { otherKubectls } from '#test/helpers/kubectls.ts'
import { containerText, kubectlWorld } from '#test/helpers/kubectlworld.ts'
import { makeTempDir, type Teardown } from '#test/helpers/tempdir.ts'

const world = kubectlWorld(test, { controllers: true })
const stdin = ['-f', '-']

async function withWeb(namespace: string, spec: object = {}): Promise<Kubectl> {
  const kubectl = await world().inNamespace(namespace)
  await kubectl.ok(['create', ...stdin], containerText('web', spec))
  return kubectl
}

/** One field of an object. */
function field(kubectl: Kubectl, name: string, path: string): Promise<string> {
  return kubectl.ok(['get', name, '-o', `jsonpath={${path}}`])
}

test('patch knows JSON patches, merge patches and strategic ones, and says why one does not fit', async (t) => {
  const kubectl = await withWeb('patching', { env: [{ name: 'A', value: '1' }] })
  const patch = (type: string, change: unknown, ...flags: string[]) =>
    kubectl.run(['patch', 'ctr', 'web', `--type=${type}`, '-p', JSON.stringify(change), ...flags])
  const image = [{ op: 'replace', path: '/spec/image', value: 'nginx:2' }]
  t.is((await patch('json', image)).stdout, 'container.cove.run/web patched\n')
  t.is((await patch('json', image)).stdout, 'container.cove.run/web patched (no change)\n')
  await patch('merge', { spec: { user: 'app' } })
  await patch('strategic', { spec: { env: [{ name: 'B', value: '2' }] } })
  t.is(await field(kubectl, 'ctr/web', '.spec.image'), 'nginx:2')
  t.is(await field(kubectl, 'ctr/web', '.spec.user'), 'app')
  t.deepEqual((await field(kubectl, 'ctr/web', '.spec.env[*].name')).split(' ').toSorted(), ['A', 'B'])
  const refused: readonly (readonly [string, unknown, RegExp])[] = [
    [
      'json',
      [{ op: 'test', path: '/spec/image', value: 'x' }],
      /^The request is invalid: .*[Tt]est operation failed/,
    ],
    ['json', [{ op: 'remove', path: '/spec/none' }], /^The request is invalid: .*path that does not exist/],
    ['merge', { spec: { image: 7 } }, /^The Container "web" is invalid: spec\.image: .*string/],
    [
      'merge',
      { spec: { none: 7 } },
      /^Error from server \(BadRequest\): .*strict decoding error: unknown field "spec\.none"/,
    ],
    [
      'merge',
      { metadata: { resourceVersion: '1' } },
      /^Error from server \(Conflict\): Operation cannot be fulfilled on containers\.cove\.run "web": the object has been modified/,
    ],
    [
      'merge',
      { metadata: { name: 'other' } },
      /^Error from server \(BadRequest\): the name of the object \(other\) does not match/,
    ],
  ]
  for (const [type, change, why] of refused) {
    const { code, stderr } = await patch(type, change)
    t.is(code, 1)
    t.regex(stderr, why)
  }
  const tried = await patch(
    'merge',
    { spec: { image: 'nginx:3' } },
    '--dry-run=server',
    '-o',
    'jsonpath={.spec.image}',
  )
  t.is(tried.stdout, 'nginx:3')
  const locally = await patch(
    'merge',
    { spec: { image: 'nginx:4' } },
    '--dry-run=client',
    '-o',
    'jsonpath={.spec.image}',
  )
  t.is(locally.stdout, 'nginx:4')
  t.is(await field(kubectl, 'ctr/web', '.spec.image'), 'nginx:2')
})

test('replace wants the object to be there, --force makes it anew, and a stale copy is refused', async (t) => {
  const kubectl = await withWeb('replacing', { user: 'app' })
  const before = JSON.parse(await kubectl.ok(['get', 'ctr', 'web', '-o', 'json']))
  t.is(await kubectl.ok(['replace', ...stdin], containerText('web')), 'container.cove.run/web replaced\n')
  t.is(await field(kubectl, 'ctr/web', '.spec.user'), '')
  const stale = await kubectl.run(['replace', ...stdin], JSON.stringify(before))
  t.regex(
    stale.stderr,
    /^Error from server \(Conflict\): .*the object has been modified; please apply your changes/,
  )
  const none = await kubectl.run(['replace', ...stdin], containerText('none'))
  t.regex(none.stderr, /^Error from server \(NotFound\): .*containers\.cove\.run "none" not found/)
  const forced = await kubectl.ok(['replace', '--force', ...stdin], containerText('web'))
  t.is(forced, 'container.cove.run "web" deleted\ncontainer.cove.run/web replaced\n')
  t.not(await field(kubectl, 'ctr/web', '.metadata.uid'), before.metadata.uid)
})

async function editor(t: Teardown, script: string): Promise<string> {
  const path = join(await makeTempDir(t, 'editor'), 'edit.sh')
  await writeFile(path, `#!/bin/sh\n${script}\n`)
  await chmod(path, 0o755)
  return path
}

test('edit saves what the editor leaves, nothing when it leaves nothing, and keeps what was refused', async (t) => {
  const kubectl = await withWeb('editing')
  const edit = async (script: string, ...flags: string[]) => {
    const own = makeKubectl(world().server, {
      KUBE_EDITOR: await editor(t, script),
      TMPDIR: await makeTempDir(t, 'edits'),
    })
    return own.run(['-n', 'editing', 'edit', 'ctr/web', ...flags])
  }
  t.is((await edit("sed -i 's/nginx:1.27/nginx:1.28/' $1")).stdout, 'container.cove.run/web edited\n')
  t.is(await field(kubectl, 'ctr/web', '.spec.image'), 'nginx:1.28')
  t.is((await edit('true')).stderr, 'Edit cancelled, no changes made.\n')
  const wrong = await edit(
    "grep -q 'is invalid' $1 || sed -i 's/restartPolicy: Always/restartPolicy: Never2/' $1",
  )
  t.is(wrong.code, 1)
  t.regex(
    wrong.stderr,
    /^error: containers\.cove\.run "web" is invalid\nA copy of your changes has been stored to/,
  )
  // The scheduler writes the status too: what was sent is looked at, not what is left of it.
  const change = "sed -i '/^status:/,$d' $1; echo 'status: {phase: Running}' >> $1"
  const status = await edit(change, '--subresource=status', '--output-patch')
  t.is(status.code, 0, status.stderr)
  t.regex(status.stdout, /^Patch: .*"phase":"Running".*\ncontainer\.cove\.run\/web edited\n$/)
})

test('labels and annotations are put on, kept, changed, taken off and listed', async (t) => {
  const kubectl = await withWeb('marking')
  for (const command of ['label', 'annotate']) {
    const done = command === 'label' ? 'labeled' : 'annotated'
    t.is(await kubectl.ok([command, 'ctr', 'web', 'tier=a']), `container.cove.run/web ${done}\n`)
    const kept = await kubectl.run([command, 'ctr', 'web', 'tier=b'])
    t.regex(kept.stderr, /already has a value \(a\), and --overwrite is false|--overwrite is false but found/)
    await kubectl.ok([command, 'ctr', '--all', 'tier=b', '--overwrite'])
    t.is(await kubectl.ok([command, 'ctr', 'web', '--list']), 'tier=b\n')
    await kubectl.ok([command, 'ctr', 'web', 'tier-'])
    t.is(await kubectl.ok([command, 'ctr', 'web', '--list']), '')
  }
  await kubectl.ok(['label', 'ctr', '-l', '!tier', 'chosen=yes'])
  t.is(await field(kubectl, 'ctr/web', '.metadata.labels.chosen'), 'yes')
  const { stderr } = await kubectl.run(['label', 'ctr', 'web', 'not good=1'])
  t.regex(stderr, /metadata\.labels: Invalid value: "not good": name part must consist of alphanumeric/)
  const stale = await kubectl.run(['label', 'ctr', 'web', 'a=b', '--resource-version=1'])
  t.regex(stale.stderr, /the object has been modified/)
})

test('what is only tried leaves nothing, on either side', async (t) => {
  const kubectl = await world().inNamespace('trying')
  const create = (how: string) => kubectl.ok(['create', `--dry-run=${how}`, ...stdin], containerText('web'))
  t.is(await create('client'), 'container.cove.run/web created (dry run)\n')
  t.is(await create('server'), 'container.cove.run/web created (server dry run)\n')
  const applied = await kubectl.ok(['apply', '--dry-run=server', ...stdin], containerText('web'))
  t.is(applied, 'container.cove.run/web created (server dry run)\n')
  const wrong = await kubectl.run(
    ['create', '--dry-run=server', ...stdin],
    containerText('web', { image: 'Not Good' }),
  )
  t.regex(wrong.stderr, /^The Container "web" is invalid: spec\.image: /)
  t.is(await kubectl.ok(['get', 'ctr', '-o', 'name']), '')
  await kubectl.ok(['create', ...stdin], containerText('web'))
  t.is(
    await kubectl.ok(['delete', 'ctr/web', '--dry-run=server']),
    'container.cove.run "web" deleted (server dry run)\n',
  )
  t.is(
    await kubectl.ok(['delete', 'ctr/web', '--dry-run=client']),
    'container.cove.run "web" deleted (dry run)\n',
  )
  t.regex(await kubectl.ok(['label', 'ctr/web', 'a=b', '--dry-run=server']), /labeled \(server dry run\)$/m)
  t.is(await field(kubectl, 'ctr/web', '.metadata.labels'), '')
})

test('unknown fields are refused, warned of or dropped as --validate says, and all of them are told', async (t) => {
  const kubectl = await world().inNamespace('validating')
  const wrong = containerText('web', { imgae: 'x', ports: [{ containerPort: 80, prot: 'TCP' }] })
  const strict = await kubectl.run(['create', '--validate=strict', ...stdin], wrong)
  t.is(strict.code, 1)
  t.regex(
    strict.stderr,
    /^Error from server \(BadRequest\): .*Container in version "v1" cannot be handled as a Container: strict decoding error: unknown field "spec\.imgae".*, unknown field "spec\.ports\[0\]\.prot"/,
  )
  const warned = await kubectl.run(['create', '--validate=warn', '--dry-run=server', ...stdin], wrong)
  t.deepEqual([warned.code, warned.stderr.match(/^Warning: unknown field /gm)?.length], [0, 2])
  const ignored = await kubectl.run(['create', '--validate=ignore', ...stdin], wrong)
  t.deepEqual([ignored.code, ignored.stderr], [0, ''])
  t.is(await field(kubectl, 'ctr/web', '.spec.imgae'), '')
})

test('kinds, names and namespaces that are not there are told in the words of Kubernetes', async (t) => {
  const kubectl = await withWeb('mistaken')
  const refused = async (args: readonly string[], input: string, why: RegExp) => {
    const { code, stderr } = await kubectl.run(args, input)
    t.is(code, 1)
    t.regex(stderr, why)
  }
  const create = ['create', ...stdin]
  const typed = (apiVersion: string, kind: string) =>
    JSON.stringify({ apiVersion, kind, metadata: { name: 'x' } })
  const noMatch = (kind: string, version: string) =>
    new RegExp(
      `resource mapping not found for name: "x" .* no matches for kind "${kind}" in version "${version}"`,
    )
  await refused(create, typed('cove.run/v1', 'Containr'), noMatch('Containr', 'cove.run/v1'))
  await refused(create, typed('cove.run/v7', 'Container'), noMatch('Container', 'cove.run/v7'))
  await refused(['apply', ...stdin], typed('apps/v1', 'Deployment'), noMatch('Deployment', 'apps/v1'))
  await refused(
    create,
    containerText('web'),
    /\(AlreadyExists\): .*containers\.cove\.run "web" already exists/,
  )
  await refused(
    create,
    containerText('Bad_'),
    /The Container "Bad_" is invalid: metadata\.name: Invalid value: "Bad_": a lowercase RFC 1123 subdomain/,
  )
  await refused(
    create,
    containerText('x', {}, { namespace: 'other' }),
    /the namespace from the provided object "other" does not match the namespace "mistaken"/,
  )
  await refused(
    ['create', '-n', 'nowhere', ...stdin],
    containerText('web'),
    /\(NotFound\): .*namespaces "nowhere" not found/,
  )
  await refused(
    ['apply', '-n', 'nowhere', ...stdin],
    containerText('web'),
    /\(NotFound\): .*namespaces "nowhere" not found/,
  )
})

test('a name is made up for generateName', async (t) => {
  const kubectl = await world().inNamespace('generating')
  const text = containerText('', {}, { name: undefined, generateName: 'job-' })
  const made = [await kubectl.ok(['create', ...stdin], text), await kubectl.ok(['create', ...stdin], text)]
  for (const line of made) t.regex(line, /^container\.cove\.run\/job-[a-z0-9]{5} created\n$/)
  t.not(made[0], made[1])
})

test('scale answers as for any kind that has no scale', async (t) => {
  const kubectl = await withWeb('scaling')
  const notThere = 'Error from server (NotFound): the server could not find the requested resource\n'
  for (const args of [
    ['scale', 'ctr/web', '--replicas=2'],
    ['get', 'ctr/web', '--subresource=scale'],
  ])
    t.deepEqual(await kubectl.run(args), { code: 1, stdout: '', stderr: notThere })
  const { stderr } = await kubectl.run(['autoscale', 'ctr/web', '--max=2'])
  t.regex(stderr, /^error: cannot autoscale a Container: could not find scale subresource/)
})

test('wait ends for conditions, fields, creations and deletions, and when time is up', async (t) => {
  const kubectl = await withWeb('waited')
  const wait = (...args: string[]) => kubectl.run(['wait', ...args, '--timeout=20s'])
  const phase = wait('--for=jsonpath={.status.phase}=Running', 'ctr/web')
  const ready = wait('--for=condition=Ready', 'ctr', '--all')
  const condition = {
    type: 'Ready',
    status: 'True',
    reason: 'Running',
    message: '',
    lastTransitionTime: '2026-01-01T00:00:00Z',
  }
  const status = { status: { phase: 'Running', observedGeneration: 1, conditions: [condition] } }
  await kubectl.ok(['patch', 'ctr/web', '--subresource=status', '--type=merge', '-p', JSON.stringify(status)])
  t.is((await phase).stdout, 'container.cove.run/web condition met\n')
  t.is((await ready).stdout, 'container.cove.run/web condition met\n')
  t.is((await wait('--for=jsonpath={.spec.image}', 'ctr/web')).code, 0)
  const created = wait('--for=create', 'cm/late')
  await kubectl.ok(['create', 'configmap', 'late'])
  t.is((await created).stdout, 'configmap/late condition met\n')
  const deleted = wait('--for=delete', 'ctr/web')
  await kubectl.ok(['delete', 'ctr', 'web'])
  t.is((await deleted).code, 0)
  const never = await kubectl.run(['wait', '--for=condition=Ready', 'cm/late', '--timeout=1s'])
  t.deepEqual(
    [never.code, never.stderr],
    [1, 'error: timed out waiting for the condition on configmaps/late\n'],
  )
  t.regex(
    (await wait('--for=condition=Ready', 'ctr/none')).stderr,
    /\(NotFound\): containers\.cove\.run "none" not found/,
  )
})

test('kustomize builds what apply, diff, get and delete take with -k', async (t) => {
  const kubectl = await world().inNamespace('kustomized')
  const dir = await makeTempDir(t, 'kustomize')
  const overlay = join(dir, 'overlay')
  await mkdir(overlay)
  await mkdir(join(dir, 'base'))
  await writeFile(join(dir, 'base', 'web.json'), containerText('web'))
  await writeFile(
    join(dir, 'base', 'kustomization.yaml'),
    'resources: [web.json]\nconfigMapGenerator: [{name: conf, literals: [a=1]}]\n',
  )
  const patch = '- op: replace\n        path: /spec/image\n        value: nginx:1.28'
  const lines = [
    'resources: [../base]',
    'namePrefix: dev-',
    'labels: [{pairs: {stage: dev}}]',
    'patches:',
    '  - target: {kind: Container}',
    `    patch: |\n      ${patch}`,
  ]
  await writeFile(join(overlay, 'kustomization.yaml'), `${lines.join('\n')}\n`)
  t.regex(await kubectl.ok(['kustomize', overlay]), /image: nginx:1\.28/)
  t.is((await kubectl.run(['diff', '-k', overlay])).code, 1)
  t.regex(await kubectl.ok(['apply', '-k', overlay]), /^container\.cove\.run\/dev-web created$/m)
  t.is(await field(kubectl, 'ctr/dev-web', '.metadata.labels.stage'), 'dev')
  t.is((await kubectl.run(['diff', '-k', overlay])).code, 0)
  t.is((await kubectl.ok(['get', '-k', overlay, '-o', 'name'])).trim().split('\n').length, 2)
  t.is((await kubectl.ok(['delete', '-k', overlay])).trim().split('\n').length, 2)
  t.is(await kubectl.ok(['get', 'ctr,cm', '-o', 'name']), '')
})

test('commands for kinds that Cove does not have, and about what does not run, fail, change nothing and say why', async (t) => {
  const kubectl = await withWeb('lacking')
  const before = await kubectl.ok(['get', 'all,cm,secret', '-o', 'yaml'])
  const notRegistered = /no kind "Container" is registered for version "cove\.run\/v1"/
  const notThere = /the server could not find the requested resource/
  const readOnly = /pods only show containers\.cove\.run: write those instead/
  const refused: readonly (readonly [readonly string[], RegExp])[] = [
    [['rollout', 'status', 'ctr/web'], notRegistered],
    [['logs', 'ctr/web'], notRegistered],
    [['expose', 'ctr/web', '--port=1'], notRegistered],
    [['set', 'image', 'ctr/web', 'web=x'], notRegistered],
    [['create', 'deployment', 'd', '--image=x'], notThere],
    [['create', 'job', 'j', '--image=x'], notThere],
    [['create', 'quota', 'q'], notThere],
    [['create', 'service', 'clusterip', 's', '--tcp=80'], /does not allow this method/],
    [['run', 'x', '--image=y'], readOnly],
    [['label', 'pod', 'web', 'a=b'], readOnly],
    [['delete', 'pod', 'web'], readOnly],
    [['delete', 'pods', '--all'], readOnly],
    [['top', 'pod'], /metrics not available yet/],
  ]
  for (const [args, why] of refused) {
    const { code, stderr } = await kubectl.run(args)
    t.is(code, 1, args.join(' '))
    t.regex(stderr, why, args.join(' '))
  }
  t.is(await kubectl.ok(['get', 'all,cm,secret', '-o', 'yaml']), before)
})

for (const [version, program] of otherKubectls()) {
  test(`kubectl ${version} creates, applies, replaces and deletes, and checks fields on the way`, async (t) => {
    const kubectl = await world().inNamespace(`version-${version.replace('.', '-')}`)
    const { kubeconfigPath, dir } = world().server
    const own = makeKubectl({ kubeconfigPath, dir: join(dir, version) }, {}, program)
    const run = (args: readonly string[], input: string) =>
      own.run(['-n', `version-${version.replace('.', '-')}`, ...args], input)
    for (const [command, text] of [
      ['create', containerText('web')],
      ['apply', containerText('web', { user: 'app' })],
      ['replace', containerText('web')],
    ] as const) {
      const { code, stderr } = await run([command, ...stdin], text)
      t.is(code, 0, stderr)
    }
    const strict = await run(['create', ...stdin], containerText('two', { imgae: 'x' }))
    t.regex(strict.stderr, /unknown field "spec\.imgae"/)
    t.is((await run(['delete', ...stdin], containerText('web'))).code, 0)
    t.is(await kubectl.ok(['get', 'ctr', '-o', 'name']), '')
  })
}
