/** What `kubectl create` makes out of words and files, tokens, and questions about rights and identity. */
import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { ask } from '#test/helpers/https.ts'
import type { Kubectl } from '#test/helpers/kubectl.ts'
import { kubectlWorld } from '#test/helpers/kubectlworld.ts'
import { adminUser } from '#test/helpers/request.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'

const world = kubectlWorld(test, { controllers: true })
const stdin = ['-f', '-']

async function read(kubectl: Kubectl, ...args: string[]) {
  return JSON.parse(await kubectl.ok(['get', ...args, '-o', 'json']))
}

/** Files by name, in a directory of the test's own. */
async function files(t: ExecutionContext, contents: Readonly<Record<string, string | Uint8Array>>) {
  const dir = await makeTempDir(t, 'files')
  for (const [name, content] of Object.entries(contents)) await writeFile(join(dir, name), content)
  return dir
}

test('configmaps are made from words, files, directories and files of variables', async (t) => {
  const kubectl = await world().inNamespace('configmaps')
  const bytes = Buffer.from([0, 255, 1])
  const dir = await files(t, { 'a.txt': 'text\n', 'b.bin': bytes, vars: '# comment\nONE=1\nTWO=zwei = 2\n' })
  await kubectl.ok([
    'create',
    'configmap',
    'files',
    `--from-file=${dir}`,
    `--from-file=key=${join(dir, 'a.txt')}`,
  ])
  const made = await read(kubectl, 'cm', 'files')
  t.deepEqual(Object.keys(made.data).toSorted(), ['a.txt', 'key', 'vars'])
  t.is(made.binaryData['b.bin'], bytes.toString('base64'))
  t.regex(await kubectl.ok(['get', 'cm', 'files']), /^files +4 /m)
  await kubectl.ok(['create', 'cm', 'vars', `--from-env-file=${join(dir, 'vars')}`])
  t.deepEqual((await read(kubectl, 'cm', 'vars')).data, { ONE: '1', TWO: 'zwei = 2' })
  await kubectl.ok(['create', 'cm', 'words', '--from-literal=a=1', '--from-literal=b='])
  t.deepEqual((await read(kubectl, 'cm', 'words')).data, { a: '1', b: '' })
  const twice = await kubectl.run(['create', 'cm', 'words'])
  t.is(twice.stderr, 'error: failed to create configmap: configmaps "words" already exists\n')
})

test('secrets of every type are made with the fields that their type asks for', async (t) => {
  const kubectl = await world().inNamespace('secrets')
  const dir = await files(t, { password: 'hü' })
  await kubectl.ok(['create', 'secret', 'generic', 'plain', `--from-file=${dir}`, '--from-literal=user=me'])
  const plain = await read(kubectl, 'secret', 'plain')
  t.is(plain.type, 'Opaque')
  t.deepEqual(plain.data, { password: Buffer.from('hü').toString('base64'), user: 'bWU=' })
  const login = ['--docker-server=registry.example', '--docker-username=me', '--docker-password=pw']
  await kubectl.ok(['create', 'secret', 'docker-registry', 'login', ...login])
  const registry = await read(kubectl, 'secret', 'login')
  t.is(registry.type, 'kubernetes.io/dockerconfigjson')
  const { auths } = JSON.parse(Buffer.from(registry.data['.dockerconfigjson'], 'base64').toString())
  t.is(auths['registry.example'].username, 'me')
  const [cert, key] = [join(dir, 'tls.crt'), join(dir, 'tls.key')]
  const openssl = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-subj',
    '/CN=x',
  ]
  await promisify(execFile)('openssl', [...openssl, '-keyout', key, '-out', cert])
  await kubectl.ok(['create', 'secret', 'tls', 'pair', `--cert=${cert}`, `--key=${key}`])
  const pair = await read(kubectl, 'secret', 'pair')
  t.is(pair.type, 'kubernetes.io/tls')
  t.is(Buffer.from(pair.data['tls.crt'], 'base64').toString(), await readFile(cert, 'utf8'))
  const table = await kubectl.ok(['get', 'secrets'])
  for (const row of [
    /^plain +Opaque +2 /m,
    /^login +kubernetes\.io\/dockerconfigjson +1 /m,
    /^pair +kubernetes\.io\/tls +2 /m,
  ])
    t.regex(table, row)
})

test('accounts get tokens, and whoever shows one is that account', async (t) => {
  const kubectl = await world().inNamespace('tokens')
  const { server } = world()
  t.is(await kubectl.ok(['create', 'serviceaccount', 'ci']), 'serviceaccount/ci created\n')
  const token = (await kubectl.ok(['create', 'token', 'ci', '--duration=20m'])).trim()
  const own = [
    '--kubeconfig=/dev/null',
    `--server=${server.url}`,
    '--insecure-skip-tls-verify',
    `--token=${token}`,
  ]
  t.regex(await kubectl.ok([...own, 'auth', 'whoami']), /Username +system:serviceaccount:tokens:ci\n/)
  const short = await kubectl.run(['create', 'token', 'ci', '--duration=1s'])
  t.regex(short.stderr, /may not specify a duration less than 10 minutes/)
  const none = await kubectl.run(['create', 'token', 'none'])
  t.is(none.stderr, 'error: failed to create token: serviceaccounts "none" not found\n')
  const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token } }
  const path = 'jsonpath={.status.user.username}'
  const reviewed = await kubectl.ok(['create', ...stdin, '-o', path], JSON.stringify(review))
  t.is(reviewed, 'system:serviceaccount:tokens:ci')
})

test('roles and bindings are made from words, and can-i answers by them', async (t) => {
  const kubectl = await world().inNamespace('rights')
  const role = ['create', 'role', 'reader', '--verb=get,list', '--resource=containers.cove.run,pods/log']
  t.is(await kubectl.ok(role), 'role.rbac.authorization.k8s.io/reader created\n')
  await kubectl.ok([
    'create',
    'rolebinding',
    'readers',
    '--role=reader',
    '--user=joe',
    '--serviceaccount=rights:ci',
  ])
  await kubectl.ok(['create', 'clusterrole', 'rights-nodes', '--verb=get', '--resource=nodes.cove.run'])
  const wide = await kubectl.ok([
    'create',
    'clusterrolebinding',
    'rights-nodes',
    '--clusterrole=rights-nodes',
    '--group=ops',
  ])
  t.is(wide, 'clusterrolebinding.rbac.authorization.k8s.io/rights-nodes created\n')
  const can = async (...words: string[]) => (await kubectl.run(['auth', 'can-i', ...words])).stdout.trim()
  t.is(await can('list', 'ctr', '--as=joe'), 'yes')
  t.is(await can('get', 'pods', '--subresource=log', '--as=joe'), 'yes')
  t.regex(await can('delete', 'ctr', '--as=joe'), /^no/)
  t.is(await can('get', 'no', '--as=ann', '--as-group=ops'), 'yes')
  const unknown = await kubectl.run(['auth', 'can-i', 'list', 'ctr', '--as=system:anonymous'])
  t.regex(unknown.stderr, /User "system:anonymous" cannot create resource "selfsubjectaccessreviews"/)
  const list = await kubectl.ok(['auth', 'can-i', '--list', '--as=joe'])
  t.regex(list, /^containers\.cove\.run +\[\] +\[\] +\[get list\]$/m)
  const missing = await kubectl.run(['create', 'role', 'x', '--verb=get', '--resource=frobs'])
  t.regex(missing.stderr, /the server doesn't have a resource type "frobs"/)
})

test('--as acts as somebody else with their rights, and shows in whoami', async (t) => {
  const kubectl = await world().inNamespace('acting')
  const as = ['--as=joe', '--as-group=dev', '--as-uid=u-1']
  const who = await kubectl.ok(['auth', 'whoami', '-o', 'json', ...as])
  t.deepEqual(JSON.parse(who).status.userInfo, {
    username: 'joe',
    uid: 'u-1',
    groups: ['dev', 'system:authenticated'],
  })
  const refused = await kubectl.run(['get', 'ctr', ...as])
  t.is(refused.code, 1)
  t.is(
    refused.stderr,
    'Error from server (Forbidden): containers.cove.run is forbidden: User "joe" cannot list resource "containers" in API group "cove.run" in the namespace "acting"\n',
  )
  const twice = await kubectl.run(['get', 'ctr', '--as=system:anonymous'])
  t.regex(twice.stderr, /^Error from server \(Forbidden\): .*User "system:anonymous" cannot list resource/)
})

test('reviews are created from files like any object, and nothing is stored of them', async (t) => {
  const kubectl = await world().inNamespace('reviewing')
  const create = (kind: string, spec: object, metadata: object = {}) =>
    kubectl.ok(
      ['create', ...stdin, '-o', 'jsonpath={.status.allowed}'],
      JSON.stringify({ apiVersion: 'authorization.k8s.io/v1', kind, metadata, spec }),
    )
  const resourceAttributes = { verb: 'get', resource: 'secrets', namespace: 'reviewing' }
  t.is(await create('SelfSubjectAccessReview', { resourceAttributes }), 'true')
  t.is(await create('SubjectAccessReview', { user: 'joe', resourceAttributes }), 'false')
  const namespace = { namespace: 'reviewing' }
  t.is(await create('LocalSubjectAccessReview', { user: 'joe', resourceAttributes }, namespace), 'false')
  const wrong = { apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', spec: { usr: 'joe' } }
  const strict = await kubectl.run(['create', ...stdin], JSON.stringify(wrong))
  t.regex(
    strict.stderr,
    /cannot be handled as a SubjectAccessReview: strict decoding error: unknown field "spec\.usr"/,
  )
  const listed = await kubectl.run(['get', 'subjectaccessreviews'])
  t.is(listed.code, 1)
  t.regex(
    listed.stderr,
    /^Error from server \(MethodNotAllowed\): the server does not allow this method on the requested resource/,
  )
})

test('--raw takes paths and bodies as they are, without a kind where the path names it', async (t) => {
  const kubectl = await world().inNamespace('raw')
  const path = '/api/v1/namespaces/raw/configmaps'
  const untyped = (a: string) => JSON.stringify({ metadata: { name: 'c' }, data: { a } })
  const made = JSON.parse(await kubectl.ok(['create', '--raw', path, ...stdin], untyped('1')))
  t.deepEqual([made.kind, made.apiVersion], ['ConfigMap', 'v1'])
  await kubectl.ok(['replace', '--raw', `${path}/c`, ...stdin], untyped('2'))
  t.deepEqual(JSON.parse(await kubectl.ok(['get', '--raw', `${path}/c`])).data, { a: '2' })
  const secret = JSON.stringify({ kind: 'Secret', metadata: { name: 'd' } })
  const wrong = await kubectl.run(['create', '--raw', path, ...stdin], secret)
  t.regex(
    wrong.stderr,
    /\(BadRequest\): the kind in the data \(Secret\) does not match the expected kind \(ConfigMap\)/,
  )
  t.is(JSON.parse(await kubectl.ok(['delete', '--raw', `${path}/c`])).status, 'Success')
  t.regex(
    (await kubectl.run(['get', '--raw', '/nowhere'])).stderr,
    /\(NotFound\): the server could not find the requested resource/,
  )
})

const only: readonly (readonly [string, string, string])[] = [
  ['GET', '/apis/authorization.k8s.io/v1/subjectaccessreviews', 'POST'],
  ['GET', '/apis/authorization.k8s.io/v1/namespaces/default/localsubjectaccessreviews', 'POST'],
  ['DELETE', '/apis/authentication.k8s.io/v1/tokenreviews', 'POST'],
  ['PUT', '/apis/authentication.k8s.io/v1/selfsubjectreviews', 'POST'],
  ['GET', '/api/v1/namespaces/default/serviceaccounts/sa/token', 'POST'],
  ['GET', '/apis/cove.run/v1/nodes/n1/certificate', 'POST'],
  ['POST', '/apis/cove.run/v1/namespaces/default/containers/web/log', 'GET'],
  ['POST', '/api/v1/namespaces/default/pods/web/log', 'GET'],
  ['PUT', '/api/v1/namespaces/default/pods/web/status', 'GET, HEAD'],
  ['POST', '/api/v1/namespaces/default/services', 'GET, HEAD'],
  ['POST', '/api/v1/namespaces/default/configmaps/c', 'GET, HEAD, PUT, PATCH, DELETE'],
  ['PATCH', '/apis/cove.run/v1/namespaces/default/containers', 'GET, HEAD, POST, DELETE'],
  ['POST', '/version', 'GET, HEAD'],
  ['POST', '/openapi/v3', 'GET, HEAD'],
  ['POST', '/livez', 'GET, HEAD'],
]

test('what is not allowed is answered with what is', async (t) => {
  const { handler } = world().server
  const signal = new AbortController().signal
  for (const [method, path, allow] of only) {
    const query = new URLSearchParams()
    const { status, headers } = await handler({ method, path, query, headers: {}, signal }, adminUser)
    t.deepEqual([status, headers['allow']], [405, allow], `${method} ${path}`)
  }
})

test('who shows nothing is anonymous, and is refused as such; who shows something wrong is not let in', async (t) => {
  const { server, kubectl } = world()
  const peer = { port: Number(new URL(server.url).port), ca: server.pki.ca.cert }
  for (const open of ['/livez', '/readyz', '/healthz', '/version'])
    t.is((await ask(peer, open)).status, 200, open)
  const closed = [
    '/api/v1/secrets',
    '/apis/cove.run/v1/nodes',
    '/api',
    '/apis',
    '/openapi/v3',
    '/metrics',
    '/nowhere',
  ]
  for (const path of closed) {
    const { status, body } = await ask(peer, path)
    t.is(status, 403, path)
    t.regex(JSON.parse(String(body)).message, /User "system:anonymous" cannot (list|get) (resource|path)/)
  }
  const elsewhere = ['--kubeconfig=/dev/null', `--server=${server.url}`, '--insecure-skip-tls-verify']
  const wrong = await kubectl.run([...elsewhere, '--token=wrong', 'get', 'ctr'])
  t.regex(wrong.stderr, /You must be logged in to the server/)
})

test('what everybody is given by a binding, nobody needs a name for', async (t) => {
  const kubectl = await world().inNamespace('public')
  const { server } = world()
  await kubectl.ok(['create', 'configmap', 'notice', '--from-literal=a=1'])
  await kubectl.ok([
    'create',
    'role',
    'notices',
    '--verb=get',
    '--resource=configmaps',
    '--resource-name=notice',
  ])
  await kubectl.ok(['create', 'rolebinding', 'notices', '--role=notices', '--group=system:unauthenticated'])
  const peer = { port: Number(new URL(server.url).port), ca: server.pki.ca.cert }
  t.is((await ask(peer, '/api/v1/namespaces/public/configmaps/notice')).status, 200)
  t.is((await ask(peer, '/api/v1/namespaces/public/configmaps')).status, 403)
})
