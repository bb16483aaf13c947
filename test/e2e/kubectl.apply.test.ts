/** Applying with the real kubectl, server-side and client-side, against a server with TLS and storage on disk. */
import test from 'ava'
import type { Kubectl } from '#test/helpers/kubectl.ts'
import { containerText, kubectlWorld } from '#test/helpers/kubectlworld.ts'

const world = kubectlWorld(test)

function configMap(name: string, data: object, metadata: object = {}): string {
  return JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, ...metadata }, data })
}

const env = (...pairs: readonly (readonly [string, string])[]) => ({
  env: pairs.map(([name, value]) => ({ name, value })),
})

async function read(kubectl: Kubectl, ...args: string[]) {
  return JSON.parse(await kubectl.ok(['get', ...args, '-o', 'json', '--show-managed-fields']))
}

const serverSide = ['apply', '--server-side', '-f', '-']

function managers(object: {
  metadata: { managedFields: readonly { manager: string; operation: string }[] }
}) {
  return object.metadata.managedFields.map(({ manager, operation }) => `${manager}/${operation}`)
}

test('apply --server-side makes, changes and takes back, and again changes nothing', async (t) => {
  const kubectl = await world().inNamespace('ssa')
  const first = containerText('web', env(['A', '1'], ['B', '2']))
  t.is(await kubectl.ok(serverSide, first), 'container.cove.run/web serverside-applied\n')
  const before = await read(kubectl, 'ctr/web')
  t.deepEqual(managers(before), ['kubectl/Apply'])
  await kubectl.ok(serverSide, first)
  t.deepEqual(await read(kubectl, 'ctr/web'), before)
  await kubectl.ok(serverSide, containerText('web', env(['B', '3'])))
  t.deepEqual((await read(kubectl, 'ctr/web')).spec.env, [{ name: 'B', value: '3' }])
})

test('a conflict is told in the words that kubectl users know, and --force-conflicts wins it', async (t) => {
  const kubectl = await world().inNamespace('ssa-conflict')
  await kubectl.ok([...serverSide, '--field-manager=one'], containerText('web', env(['A', '1'])))
  const change = containerText('web', env(['A', '2']))
  const refused = await kubectl.run(serverSide, change)
  t.is(refused.code, 1)
  t.regex(
    refused.stderr,
    /^error: Apply failed with 1 conflict: conflict with "one": \.spec\.env\[name="A"\]\.value\nPlease review the fields above/,
  )
  await kubectl.ok(['patch', 'ctr', 'web', '--type=merge', '-p', '{"spec":{"image":"other:1"}}'])
  const both = await kubectl.run(serverSide, change)
  t.regex(
    both.stderr,
    /^error: Apply failed with 2 conflicts: conflicts with "kubectl-patch" using cove\.run\/v1:\n- \.spec\.image\nconflicts with "one":\n- \.spec\.env\[name="A"\]\.value\n/,
  )
  await kubectl.ok([...serverSide, '--force-conflicts'], change)
  const { spec } = await read(kubectl, 'ctr/web')
  t.deepEqual([spec.image, spec.env[0].value], ['nginx:1.27', '2'])
})

test('managers are shown when they are asked for', async (t) => {
  const kubectl = await world().inNamespace('shown')
  await kubectl.ok(serverSide, configMap('conf', { a: '1' }))
  const hidden = await kubectl.ok(['get', 'cm', 'conf', '-o', 'yaml'])
  t.notRegex(hidden, /managedFields/)
  const shown = await kubectl.ok(['get', 'cm', 'conf', '-o', 'yaml', '--show-managed-fields'])
  t.regex(
    shown,
    /managedFields:\n {2}- apiVersion: v1\n {4}fieldsType: FieldsV1\n {4}fieldsV1:\n {6}f:data:\n {8}f:a: \{\}\n/,
  )
})

test('what was applied client-side moves to server-side apply once, and then one PATCH is enough', async (t) => {
  const kubectl = await world().inNamespace('migration')
  const manifest = (value: string) => containerText('web', env(['A', value]))
  await kubectl.ok(['apply', '-f', '-'], manifest('1'))
  t.deepEqual(managers(await read(kubectl, 'ctr/web')), ['kubectl-client-side-apply/Update'])
  const migrated = await kubectl.run([...serverSide, '-v=6'], manifest('2'))
  t.is(migrated.code, 0, migrated.stderr)
  const after = await read(kubectl, 'ctr/web')
  t.false(managers(after).includes('kubectl-client-side-apply/Update'))
  const again = await kubectl.run([...serverSide, '-v=6'], manifest('2'))
  t.is(again.stderr.match(/PATCH /g)?.length, 1)
  t.deepEqual(await read(kubectl, 'ctr/web'), after)
  await kubectl.ok(serverSide, containerText('web'))
  t.deepEqual((await read(kubectl, 'ctr/web')).spec.env ?? [], [])
})

test('client-side apply takes back what it set, and leaves what others set', async (t) => {
  const kubectl = await world().inNamespace('csa')
  await kubectl.ok(
    ['apply', '-f', '-'],
    containerText('web', env(['A', '1'], ['B', '2']), { labels: { a: 'x', b: 'y' } }),
  )
  await kubectl.ok(['label', 'ctr', 'web', 'mine=yes'])
  const patch = JSON.stringify({ spec: env(['C', '3']) })
  await kubectl.ok(['patch', 'ctr', 'web', '-p', patch])
  const next = containerText('web', env(['A', '9']), { labels: { a: 'x' } })
  t.is(await kubectl.ok(['apply', '-f', '-'], next), 'container.cove.run/web configured\n')
  const after = await read(kubectl, 'ctr/web')
  const { spec, metadata } = after
  t.deepEqual(spec.env.toSorted(byName), env(['A', '9'], ['C', '3']).env)
  t.deepEqual(metadata.labels, { a: 'x', mine: 'yes' })
  // kubectl patches the order of a list that has more than it asked for; there is nothing to change in it.
  await kubectl.ok(['apply', '-f', '-'], next)
  t.deepEqual(await read(kubectl, 'ctr/web'), after)
})

function byName(left: { name: string }, right: { name: string }): number {
  return left.name < right.name ? -1 : 1
}

test('diff --server-side shows the change and no managers, and nothing when nothing changes', async (t) => {
  const kubectl = await world().inNamespace('diff')
  await kubectl.ok(serverSide, containerText('web', env(['A', '1'])))
  const same = await kubectl.run(['diff', '--server-side', '-f', '-'], containerText('web', env(['A', '1'])))
  t.is(same.code, 0, same.stdout)
  const other = await kubectl.run(['diff', '--server-side', '-f', '-'], containerText('web', env(['A', '2'])))
  t.is(other.code, 1)
  t.regex(other.stdout, /^- {4}value: "1"$/m)
  t.regex(other.stdout, /^\+ {4}value: "2"$/m)
  t.notRegex(other.stdout, /managedFields/)
  const plain = await kubectl.run(['diff', '-f', '-'], containerText('web', env(['A', '2'])))
  t.is(plain.code, 1)
  t.notRegex(plain.stdout, /managedFields/)
  t.is((await read(kubectl, 'ctr/web')).spec.env[0].value, '1')
})

test('apply --prune removes what an earlier apply made and this one leaves out', async (t) => {
  const kubectl = await world().inNamespace('prune')
  const labels = { app: 'pruned' }
  const all = ['one', 'two'].map((name) => containerText(name, {}, { labels })).join('\n')
  const prune = ['apply', '-f', '-', '--prune', '-l', 'app=pruned', '--prune-allowlist=cove.run/v1/Container']
  await kubectl.ok(prune, all)
  await kubectl.ok(['create', '-f', '-'], containerText('mine', {}, { labels }))
  const pruned = await kubectl.ok(prune, containerText('one', {}, { labels }))
  t.regex(pruned, /container\.cove\.run\/two pruned/)
  t.is(await kubectl.ok(['get', 'ctr', '-o', 'name']), 'container.cove.run/mine\ncontainer.cove.run/one\n')
})

for (const [name, parent] of [
  ['secret', 'secrets/set'],
  ['configmap', 'configmaps/set'],
] as const) {
  for (const flags of [[], ['--server-side']]) {
    const how = flags.length === 0 ? 'client-side' : 'server-side'
    test(`apply --prune --applyset keeps its set in a ${name}, ${how}`, async (t) => {
      const kubectl = await world().inNamespace(`applyset-${name}-${how}`, { KUBECTL_APPLYSET: 'true' })
      const command = ['apply', ...flags, '-f', '-', '--prune', `--applyset=${parent}`]
      const both = [containerText('one'), configMap('two', { a: '1' })].join('\n')
      await kubectl.ok(command, both)
      const { metadata } = await read(kubectl, parent)
      t.regex(metadata.labels['applyset.kubernetes.io/id'], /^applyset-.*-v1$/)
      const pruned = await kubectl.ok(command, containerText('one'))
      t.regex(pruned, /configmap\/two pruned/)
      t.is((await kubectl.run(['get', 'cm', 'two'])).code, 1)
      const group = (await read(kubectl, parent)).metadata.annotations
      t.is(group['applyset.kubernetes.io/contains-group-kinds'], 'Container.cove.run')
      t.is((await kubectl.run(command, containerText('one'))).code, 0)
    })
  }
}

test('unknown fields are refused, warned of or dropped as --validate says', async (t) => {
  const kubectl = await world().inNamespace('validated')
  const wrong = containerText('web', { imgae: 'x' })
  const strict = await kubectl.run(serverSide, wrong)
  t.is(strict.code, 1)
  t.regex(strict.stderr, /unknown field "spec\.imgae"/)
  const warned = await kubectl.run([...serverSide, '--validate=warn'], wrong)
  t.is(warned.code, 0)
  t.regex(warned.stderr, /^Warning: unknown field "spec\.imgae"/)
  const ignored = await kubectl.run([...serverSide, '--validate=ignore'], wrong)
  t.deepEqual([ignored.code, ignored.stderr], [0, ''])
})

test('a server-side apply that is only tried says what would be and changes nothing', async (t) => {
  const kubectl = await world().inNamespace('tried')
  const command = [...serverSide, '--dry-run=server', '-o', 'jsonpath={.spec.restartPolicy}']
  t.is(await kubectl.ok(command, containerText('web')), 'Always')
  t.is((await kubectl.run(['get', 'ctr', 'web'])).code, 1)
})

test('an edit of the status is managed by its own door', async (t) => {
  const kubectl = await world().inNamespace('status')
  await kubectl.ok(serverSide, containerText('web'))
  const patch = '{"status":{"phase":"Running"}}'
  await kubectl.ok(['patch', 'ctr', 'web', '--subresource=status', '--type=merge', '-p', patch])
  const { metadata } = await read(kubectl, 'ctr/web')
  const entry = metadata.managedFields.find(({ manager }: { manager: string }) => manager === 'kubectl-patch')
  t.is(entry.subresource, 'status')
  t.deepEqual(entry.fieldsV1, { 'f:status': { '.': {}, 'f:phase': {} } })
})
