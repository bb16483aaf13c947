/** Access as people manage it: the real kubectl, as an administrator and as the colleagues who are given rights. */
import { equal, match } from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import test from 'ava'
import { silentLogger, systemClock, systemRandom } from '#pkg/apimachinery/ambient.ts'
import { RoleAggregator } from '#pkg/controller/aggregation.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { collect, type Kubectl, makeKubectl, type Output } from '#test/helpers/kubectl.ts'
import { startServer, type TestServing } from '#test/helpers/server.ts'

const started: { kubectl?: Kubectl; server?: TestServing } = {}
const teardowns: (() => Promise<void>)[] = []

test.before(async () => {
  const server: TestServing = await startServer({ teardown: (run) => teardowns.unshift(run) })
  const stop = new AbortController()
  const ambient = { clock: systemClock(), random: systemRandom(), log: silentLogger }
  const controllers = new RoleAggregator({ client: server.client, ambient }).run(stop.signal)
  teardowns.unshift(async () => {
    stop.abort()
    await controllers
  })
  started.kubectl = makeKubectl(server)
  started.server = server
})

test.after.always(async () => {
  for (const run of teardowns) await run()
})

function kubectl(): Kubectl {
  if (started.kubectl === undefined) throw new Error('the server has not started')
  return started.kubectl
}

/** Commands take their time on a machine that does other things. */
const patiently = { timeoutMs: 20_000 }

/** One line as a shell takes it, by the administrator, in a directory of the test. */
function shell(line: string): Promise<Output> {
  if (started.server === undefined) throw new Error('the server has not started')
  const { dir, kubeconfigPath } = started.server
  const env = { ...process.env, KUBECONFIG: kubeconfigPath, HOME: dir }
  return collect(spawn('sh', ['-c', line], { env, cwd: dir }), '')
}

/** The words of a command line, without what a shell would do to them. */
const words = (line: string) => line.split(' ').filter((word) => word !== '')
const ok = (line: string, input?: string) => kubectl().ok(words(line), input)
const run = (line: string, input?: string) => kubectl().run(words(line), input)

const container = (name: string, namespace: string) =>
  JSON.stringify({
    apiVersion: 'cove.run/v1',
    kind: 'Container',
    metadata: { name, namespace },
    spec: { image: 'app:1' },
  })

test('a right within a namespace holds there and nowhere else, for lists and watches too', async (t) => {
  await ok('create namespace red')
  await ok('create namespace blue')
  await ok('create -f -', container('web', 'red'))
  await ok('create role reader --verb=get,list,watch --resource=containers.cove.run -n red')
  await ok('create rolebinding readers --role=reader --user=bob -n red')
  t.regex(await ok('get containers -n red --as bob'), /^web /m)
  t.regex(await ok('get containers web -n red -o yaml --as bob'), /image: app:1/)
  const elsewhere = await run('get containers -n blue --as bob')
  t.is(elsewhere.code, 1)
  t.is(
    elsewhere.stderr,
    'Error from server (Forbidden): containers.cove.run is forbidden: User "bob" cannot list resource "containers" in API group "cove.run" in the namespace "blue"\n',
  )
  t.regex((await run('get containers -A --as bob')).stderr, /"cove.run" at the cluster scope/)
  const watch = '/apis/cove.run/v1/namespaces/blue/containers?watch=1'
  t.regex((await run(`get --raw ${watch} --as bob`)).stderr, /cannot watch resource "containers"/)
  t.regex((await run('delete container web -n red --as bob')).stderr, /"web" is forbidden: .* cannot delete/)
  const watching = kubectl().start(words('get containers -n red -w --output-watch-events --as bob'))
  const lines: string[] = []
  watching.stdout?.on('data', (data: Buffer) => lines.push(String(data)))
  await eventually(() => match(lines.join(''), /ADDED +web/), patiently)
  await ok('delete container web -n red')
  await eventually(() => match(lines.join(''), /DELETED +web/), patiently)
  watching.kill()
})

test('resourceNames limit a right to objects of these names', async (t) => {
  await ok('create namespace names')
  await ok('create secret generic db --from-literal=a=b -n names')
  await ok('create secret generic tls --from-literal=a=b -n names')
  await ok('create role db --verb=get,list,watch --resource=secrets --resource-name=db -n names')
  await ok('create rolebinding db --role=db --serviceaccount=names:robot -n names')
  const as = '-n names --as system:serviceaccount:names:robot'
  await ok(`get secret db ${as}`)
  t.regex(await ok(`get secrets --field-selector metadata.name=db ${as}`), /^db /m)
  t.is((await run(`get secret tls ${as}`)).code, 1)
  t.is((await run(`get secrets ${as}`)).code, 1)
})

test('can-i answers by its exit code, for oneself and for others', async (t) => {
  await ok('create namespace ask')
  await ok('create rolebinding viewers --clusterrole=view --group=guests -n ask')
  const guest = '--as eve --as-group guests -n ask'
  const yes = await run(`auth can-i list containers.cove.run ${guest}`)
  t.deepEqual([yes.stdout, yes.code], ['yes\n', 0])
  const no = await run(`auth can-i delete containers.cove.run ${guest}`)
  t.deepEqual([no.stdout, no.code], ['no\n', 1])
  t.is((await run(`auth can-i get secrets ${guest} -q`)).code, 1)
  t.is((await run(`auth can-i get pods --subresource=log ${guest}`)).code, 0)
  t.is((await run('auth can-i get /metrics --as eve')).code, 1)
  t.is((await run('auth can-i get /apis --as eve')).code, 0)
  t.deepEqual((await run('auth can-i * *')).stdout, 'yes\n')
  const list = await ok(`auth can-i --list ${guest}`)
  t.regex(list, /^containers\.cove\.run +\[\] +\[\] +\[get list watch\]$/m)
  t.regex(list, /^selfsubjectreviews\.authentication\.k8s\.io +\[\] +\[\] +\[create\]$/m)
  t.regex(list, /\[\/apis\/\*\]/)
  t.notRegex(list, /secrets/)
  const who = await ok('auth whoami --as eve --as-group guests --as-uid 42')
  t.regex(who, /^Username +eve$/m)
  t.regex(who, /^Groups +\[guests system:authenticated\]$/m)
  t.regex(who, /^UID +42$/m)
  const spec = {
    user: 'eve',
    groups: ['guests'],
    resourceAttributes: { namespace: 'ask', verb: 'get', resource: 'pods' },
  }
  const review = { apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', spec }
  const answer = JSON.parse(await ok('create -f - -o json --validate=false', JSON.stringify(review)))
  t.true(answer.status.allowed)
  t.regex(answer.status.reason, /^RBAC: allowed by RoleBinding "viewers\/ask" of ClusterRole "view" to Group/)
})

test('view shows everything but Secrets and rights, edit changes it, admin shares it', async (t) => {
  await ok('create namespace market')
  for (const role of ['view', 'edit', 'admin'])
    await ok(`create rolebinding ${role}ers --clusterrole=${role} --user=${role} -n market`)
  await ok('create -f - --as edit', container('web', 'market'))
  await ok('create secret generic key --from-literal=a=b -n market --as edit')
  await ok('get containers,volumes,networks,configmaps,events,pods -n market --as view')
  await ok('get namespace market --as view')
  t.regex(
    (await run('get secrets -n market --as view')).stderr,
    /secrets is forbidden: User "view" cannot list/,
  )
  t.regex((await run('get secret key -n market --as view')).stderr, /secrets "key" is forbidden/)
  t.is((await run('get roles -n market --as edit')).code, 1)
  t.is((await run('delete container web -n market --as view')).code, 1)
  t.is((await run('delete namespace market --as admin')).code, 1)
  t.is((await run('get nodes --as admin')).code, 1)
  await ok('create role helper --verb=get --resource=configmaps -n market --as admin')
  await ok('create rolebinding helpers --role=helper --user=carl -n market --as admin')
  await ok('get configmap none --ignore-not-found -n market --as carl')
  const wide = await ok('get rolebindings helpers viewers -n market -o wide')
  t.regex(wide, /^NAME +ROLE +AGE +USERS +GROUPS +SERVICEACCOUNTS$/m)
  t.regex(wide, /^helpers +Role\/helper +\S+ +carl *$/m)
  t.regex(await ok('get role helper -n market'), /^NAME +CREATED AT\nhelper +20\d\d-/m)
  t.regex(await ok('describe role helper -n market'), /configmaps +\[\] +\[\] +\[get\]/)
  t.regex(await ok('describe rolebinding helpers -n market'), /User +carl/)
})

test('nobody gives more than they hold', async (t) => {
  await ok('create namespace attic')
  await ok('create rolebinding admins --clusterrole=admin --user=dora -n attic')
  const refused = await run(
    'create rolebinding root --clusterrole=cluster-admin --user=dora -n attic --as dora',
  )
  t.is(refused.code, 1)
  t.is(
    refused.stderr,
    `error: failed to create rolebinding: rolebindings.rbac.authorization.k8s.io "root" is forbidden: user "dora" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:
{APIGroups:["*"], Resources:["*"], Verbs:["*"]}
{NonResourceURLs:["*"], Verbs:["*"]}
`,
  )
  const role = await run('create role r --verb=delete,get --resource=nodes.cove.run -n attic --as dora')
  t.regex(role.stderr, /\{APIGroups:\["cove.run"\], Resources:\["nodes"\], Verbs:\["delete" "get"\]\}/)
  await ok('create role r --verb=get --resource=configmaps -n attic --as dora')
  const patch = '[{"op":"add","path":"/rules/0/verbs/-","value":"escalate"}]'
  const patched = await kubectl().run([
    'patch',
    'role',
    'r',
    '-n',
    'attic',
    '--type=json',
    '-p',
    patch,
    '--as',
    'dora',
  ])
  t.regex(patched.stderr, /not currently held/)
  await ok('create clusterrole binder --verb=bind --resource=clusterroles --resource-name=cluster-admin')
  await ok('create rolebinding binders --clusterrole=binder --user=dora -n attic')
  await ok('create rolebinding root --clusterrole=cluster-admin --user=dora -n attic --as dora')
  await ok('delete role r -n attic --as dora')
  t.regex(
    (await run('get containers --as root --as-group system:masters --as-uid 1 -n attic')).stderr,
    /^No resources/,
  )
  t.regex((await run('get nodes --as dora')).stderr, /forbidden/)
})

test('roleRef cannot be changed, and mistakes are told in the words of Kubernetes', async (t) => {
  await ok('create namespace words')
  await ok('create rolebinding b --clusterrole=view --user=x -n words')
  const patch = '{"roleRef":{"name":"edit"}}'
  const changed = await kubectl().run(['patch', 'rolebinding', 'b', '-n', 'words', '-p', patch])
  t.regex(
    changed.stderr,
    /^The RoleBinding "b" is invalid: roleRef: Invalid value: .*: cannot change roleRef$/m,
  )
  const bad = {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    metadata: { name: 'a:b', namespace: 'words' },
  }
  const rules = [{ verbs: [], apiGroups: [''], resources: [] }]
  const refused = await run('create -f -', JSON.stringify({ ...bad, rules }))
  t.regex(refused.stderr, /rules\[0\]\.verbs: Required value: verbs must contain at least one value/)
  t.regex(
    refused.stderr,
    /rules\[0\]\.resources: Required value: resource rules must supply at least one resource/,
  )
  await ok('create -f -', JSON.stringify({ ...bad, rules: [] }))
  t.regex(await ok('get role a:b -n words -o name'), /^role\.rbac\.authorization\.k8s\.io\/a:b$/m)
})

test('auth reconcile adds what is missing, and makes a binding of another role anew', async (t) => {
  await ok('create namespace kept')
  const rules = (verbs: string[]) => [{ verbs, apiGroups: [''], resources: ['configmaps'] }]
  const apiVersion = 'rbac.authorization.k8s.io/v1'
  const role = (verbs: string[]) =>
    JSON.stringify({
      apiVersion,
      kind: 'Role',
      metadata: { name: 'r', namespace: 'kept' },
      rules: rules(verbs),
    })
  const binding = (name: string, user: string) =>
    JSON.stringify({
      apiVersion,
      kind: 'RoleBinding',
      metadata: { name: 'b', namespace: 'kept' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
      subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: user }],
    })
  const clusterRole = JSON.stringify({
    apiVersion,
    kind: 'ClusterRole',
    metadata: { name: 'kept' },
    rules: rules(['get']),
  })
  await ok('auth reconcile -f -', clusterRole)
  await ok('auth reconcile -f -', role(['get']))
  await ok('auth reconcile -f -', role(['list']))
  const both = JSON.parse(await ok('get role r -n kept -o json'))
  t.deepEqual(both.rules.flatMap(({ verbs }: { verbs: string[] }) => verbs).toSorted(), ['get', 'list'])
  await ok('auth reconcile -f -', binding('r', 'ann'))
  await ok('auth reconcile -f -', binding('r', 'bob'))
  t.regex(await ok('get rolebinding b -n kept -o wide'), /Role\/r .*ann, bob/)
  await ok('auth reconcile -f -', binding('other', 'ann'))
  t.regex(await ok('get rolebinding b -n kept'), /Role\/other/)
})

test('a role of one’s own goes into view when its label says so', async (t) => {
  await ok('create namespace grown')
  await ok('create rolebinding viewers --clusterrole=view --user=gina -n grown')
  // No other test asks for this verb.
  await ok('create clusterrole streams --verb=watch --resource=pods/exec')
  const canI = async () => (await run('auth can-i watch pods --subresource=exec -n grown --as gina')).code
  t.is(await canI(), 1)
  await ok('label clusterrole streams rbac.authorization.k8s.io/aggregate-to-view=true')
  await eventually(async () => equal(await canI(), 0), patiently)
  await ok('delete clusterrole streams')
  await eventually(async () => equal(await canI(), 1), patiently)
})

test('the commands of docs/access.md do what it says', async (t) => {
  const text = await readFile(new URL('../../docs/access.md', import.meta.url), 'utf8')
  const blocks = [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = '']) => block)
  const lines = blocks.flatMap((block) => block.trim().split('\n'))
  t.true(lines.length > 10)
  for (const line of lines) {
    const { stdout, stderr, code } = await shell(line)
    const [, answer] = / # (yes|no)$/.exec(line) ?? []
    if (answer === undefined) t.is(code, 0, `${line}: ${stderr}`)
    else t.is(stdout.trim(), answer, `${line}: ${stderr}`)
  }
})
