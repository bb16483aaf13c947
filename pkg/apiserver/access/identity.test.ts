import { createPublicKey, X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { LogFields } from '#pkg/apimachinery/ambient.ts'
import { ManualClock, seededRandom, silentLogger } from '#pkg/apimachinery/ambient.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { inProcess, type UserInfo } from '#pkg/apimachinery/transport.ts'
import { bootstrapKeys, bootstrapTokenType } from '#pkg/apis/bootstraptoken.ts'
import { openInProcessStorage } from '#pkg/storage/inprocess.ts'
import { admin, ask } from '#test/helpers/apiserver.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { makeApiServer } from '../server.ts'
import { nodeUser, type Peer } from './authenticate.ts'
import { makeRequest } from './certificate.ts'
import { type Identity, makeIdentity } from './identity.ts'
import { signToken } from './jwt.ts'
import { ensurePki } from './pki.ts'
import { ensureTokenKeys } from './tokenkeys.ts'

const hour = 3_600_000
const stranger: Peer = { authorized: false, getPeerCertificate: () => Object.create(null) }

async function start(t: ExecutionContext, more: { lifetimeMs?: number } = {}) {
  const clock = new ManualClock()
  const logged: (LogFields | undefined)[] = []
  const log = { ...silentLogger, info: (_message: string, fields?: LogFields) => void logged.push(fields) }
  const ambient = { clock, random: seededRandom(7), log }
  const dir = join(await makeTempDir(t, 'identity'), 'pki')
  const pki = await ensurePki(dir, { hosts: [], now: clock.now(), random: ambient.random })
  const keys = await ensureTokenKeys(dir)
  const identity: Identity = makeIdentity({
    ca: pki.ca,
    keys,
    ambient,
    cache: () => server.cache,
    handler: () => server.handler,
    nodeCertificateMs: more.lifetimeMs,
  })
  const storage = openInProcessStorage()
  const server = makeApiServer({ storage, ambient, surfaces: identity.surfaces })
  await server.start(new AbortController().signal)
  t.teardown(async () => {
    await server.close()
    await storage.close()
  })
  const as = (user: UserInfo) => (line: string, body?: unknown) =>
    ask(inProcess(server.handler, user), line, body === undefined ? {} : { body })
  const call = as(admin)
  const who = (token: string) => identity.authenticate(stranger, { authorization: `Bearer ${token}` })
  const reason = (token: string): string => {
    const error = t.throws(() => who(token))
    t.true(isReason(error, 'Unauthorized'))
    t.is(error?.message, 'Unauthorized')
    const said = JSON.stringify(logged.at(-1))
    t.false(said.includes(token), 'the log holds the token')
    return said
  }
  return { call, as, clock, keys, pki, who, reason, identity }
}

type World = Awaited<ReturnType<typeof start>>

async function makeAccount({ call }: World, name = 'ci') {
  const path = '/api/v1/namespaces/default/serviceaccounts'
  const { status, body } = await call(`POST ${path}`, {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name },
  })
  if (status !== 201) throw new Error(JSON.stringify(body))
  return body.metadata as { uid: string }
}

async function request({ call }: World, spec: unknown = {}, name = 'ci') {
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec }
  return call(`POST /api/v1/namespaces/default/serviceaccounts/${name}/token`, body)
}

async function makeToken(world: World, spec: unknown = {}): Promise<string> {
  const { status, body } = await request(world, spec)
  if (status !== 201) throw new Error(JSON.stringify(body))
  return body.status.token
}

test('a token of a ServiceAccount says who shows it, as Kubernetes names it', async (t) => {
  const world = await start(t)
  const { uid } = await makeAccount(world)
  const { body } = await request(world)
  t.is(Date.parse(body.status.expirationTimestamp) - world.clock.now(), hour)
  const { extra, ...user } = world.who(body.status.token)
  t.deepEqual(user, {
    name: 'system:serviceaccount:default:ci',
    uid,
    groups: ['system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated'],
  })
  t.regex(extra?.['authentication.kubernetes.io/credential-id']?.[0] ?? '', /^JTI=[0-9a-f-]{36}$/)
})

test('a token is good from its first to its last second', async (t) => {
  const world = await start(t)
  await makeAccount(world)
  const token = await makeToken(world, { expirationSeconds: 600 })
  await world.clock.advance(599_000)
  t.notThrows(() => world.who(token))
  await world.clock.advance(1000)
  t.regex(world.reason(token), /has expired/)
})

test('a token from a clock that is ahead is not valid yet', async (t) => {
  const world = await start(t)
  await makeAccount(world)
  const now = Math.floor(world.clock.now() / 1000)
  const claims = { iss: 'https://kubernetes.default.svc.cluster.local', exp: now + 600, nbf: now + 60 }
  t.regex(world.reason(signToken(claims, world.keys.signing)), /not valid yet/)
  t.regex(world.reason(signToken({ ...claims, exp: undefined }, world.keys.signing)), /has expired/)
})

test('a token for another audience is no token for this server, and a review says for whom it is', async (t) => {
  const world = await start(t)
  await makeAccount(world)
  const token = await makeToken(world, { audiences: ['vault'] })
  t.regex(world.reason(token), /another audience/)
  const review = (spec: unknown) =>
    world.call('POST /apis/authentication.k8s.io/v1/tokenreviews', {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      spec,
    })
  const { body } = await review({ token, audiences: ['vault', 'other'] })
  t.true(body.status.authenticated)
  t.deepEqual(body.status.audiences, ['vault'])
  t.is(body.status.user.username, 'system:serviceaccount:default:ci')
  const refused = await review({ token })
  t.deepEqual(refused.body.status, { authenticated: false, user: {}, error: 'invalid bearer token' })
})

test('a token ends with its account, and a new account of the name does not bring it back', async (t) => {
  const world = await start(t)
  await makeAccount(world)
  const token = await makeToken(world)
  await world.call('DELETE /api/v1/namespaces/default/serviceaccounts/ci')
  t.regex(world.reason(token), /default\/ci is gone/)
  await makeAccount(world)
  t.regex(world.reason(token), /is another than the one/)
})

test('a token bound to a Secret ends with the Secret', async (t) => {
  const world = await start(t)
  await makeAccount(world)
  const secrets = '/api/v1/namespaces/default/secrets'
  await world.call(`POST ${secrets}`, { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' } })
  const boundObjectRef = { apiVersion: 'v1', kind: 'Secret', name: 's' }
  const token = await makeToken(world, { boundObjectRef })
  t.notThrows(() => world.who(token))
  await world.call(`DELETE ${secrets}/s`)
  t.regex(world.reason(token), /to which it is bound, is gone/)
})

test('what a TokenRequest asks for is checked in words of Kubernetes', async (t) => {
  const world = await start(t)
  await makeAccount(world)
  const wrong = [
    [{ expirationSeconds: 599 }, 422, /less than 10 minutes/],
    [{ expirationSeconds: 2 ** 33 }, 422, /larger than 2\^32/],
    [{ expirationSeconds: 1000.5 }, 422, /whole number/],
    [{ audiences: 'x' }, 422, /list of texts/],
    [{ boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: 'p' } }, 422, /cannot bind token/],
    [{ boundObjectRef: { apiVersion: 'v1', kind: 'Secret', name: 'p' } }, 404, /"p" not found/],
  ] as const
  for (const [spec, status, message] of wrong) {
    const answer = await request(world, spec)
    t.is(answer.status, status, JSON.stringify(spec))
    t.regex(answer.body.message, message)
  }
  t.is((await request(world, {}, 'nobody')).status, 404)
  const long = await request(world, { expirationSeconds: 2 ** 32 })
  t.regex(long.headers['warning'] ?? '', /shortened to 31536000 seconds/)
})

test('a token that lives in a Secret is good while the Secret holds it', async (t) => {
  const world = await start(t)
  const { uid } = await makeAccount(world)
  const token = world.identity.tokens.issueForSecret({ namespace: 'default', name: 'ci', uid }, 'tok')
  t.regex(world.reason(token), /its Secret is gone/)
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'kubernetes.io/service-account-token',
    metadata: {
      name: 'tok',
      annotations: {
        'kubernetes.io/service-account.name': 'ci',
        'kubernetes.io/service-account.uid': uid,
      },
    },
    stringData: { token },
  }
  const path = '/api/v1/namespaces/default/secrets'
  await world.call(`POST ${path}`, secret)
  t.is(world.who(token).name, 'system:serviceaccount:default:ci')
  await world.call(`PATCH ${path}/tok`, { data: { token: Buffer.from('other').toString('base64') } })
  t.regex(world.reason(token), /holds another token/)
})

async function makeJoinToken({ call }: World, more: Record<string, string> = {}) {
  const stringData = {
    [bootstrapKeys.id]: 'abcdef',
    [bootstrapKeys.secret]: '0123456789abcdef',
    [bootstrapKeys.authentication]: 'true',
    ...more,
  }
  const { status, body } = await call('POST /api/v1/namespaces/kube-system/secrets', {
    apiVersion: 'v1',
    kind: 'Secret',
    type: bootstrapTokenType,
    metadata: { name: 'bootstrap-token-abcdef' },
    stringData,
  })
  if (status !== 201) throw new Error(JSON.stringify(body))
  return 'abcdef.0123456789abcdef'
}

test('a join token is known until it expires, by its whole secret only', async (t) => {
  const world = await start(t)
  const expiration = new Date(world.clock.now() + hour).toISOString()
  const token = await makeJoinToken(world, { expiration, 'auth-extra-groups': 'system:bootstrappers:edge' })
  t.deepEqual(world.who(token), {
    name: 'system:bootstrap:abcdef',
    groups: ['system:bootstrappers', 'system:bootstrappers:edge', 'system:authenticated'],
  })
  t.regex(world.reason('abcdef.0123456789abcdee'), /the secret of bootstrap token abcdef is another/)
  t.regex(world.reason('abcdeg.0123456789abcdef'), /there is no bootstrap token abcdeg/)
  t.regex(world.reason('abcdef.0123456789ABCDEF'), /of no form/)
  await world.clock.advance(hour)
  t.regex(world.reason(token), /has expired/)
})

test('a join token that is not whole is refused', async (t) => {
  const changes: [Record<string, string>, RegExp][] = [
    [{ 'usage-bootstrap-authentication': 'false' }, /not for authentication/],
    [{ expiration: 'tomorrow' }, /has expired/],
    [{ 'auth-extra-groups': 'system:masters' }, /names a group/],
    [{ 'token-id': 'zzzzzz' }, /is another/],
  ]
  for (const [change, message] of changes) {
    const world = await start(t)
    t.regex(world.reason(await makeJoinToken(world, change)), message)
  }
})

test('a Secret of another type is no join token, whatever is in it', async (t) => {
  const world = await start(t)
  await world.call('POST /api/v1/namespaces/kube-system/secrets', {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'bootstrap-token-abcdef' },
    stringData: { 'token-id': 'abcdef', 'token-secret': '0123456789abcdef' },
  })
  t.regex(world.reason('abcdef.0123456789abcdef'), /there is no bootstrap token/)
})

test('headers that are no bearer token are refused, not taken for nobody', async (t) => {
  const { identity } = await start(t)
  for (const authorization of ['Basic YTpi', 'Bearer', 'Bearer a b', ''])
    t.throws(() => identity.authenticate(stranger, { authorization }), { message: 'Unauthorized' })
  t.is(identity.authenticate(stranger, {}).name, 'system:anonymous')
})

test('a good certificate wins over a token, a bad one leaves the word to it', async (t) => {
  const world = await start(t)
  await makeAccount(world)
  const token = await makeToken(world)
  const headers = { authorization: `Bearer ${token}` }
  const subject = { CN: 'ann', O: 'dev' }
  const valid_to = new Date(world.clock.now() + hour).toUTCString()
  const peer = (authorized: boolean): Peer => ({
    authorized,
    getPeerCertificate: () => Object.assign(Object.create(null), { subject, valid_to }),
  })
  t.is(world.identity.authenticate(peer(true), headers).name, 'ann')
  t.is(world.identity.authenticate(peer(false), headers).name, 'system:serviceaccount:default:ci')
  t.throws(() => world.identity.authenticate(peer(false), {}), { message: 'Unauthorized' })
})

test('a certificate that ended while its connection lives on is known no more', async (t) => {
  const { identity, clock } = await start(t)
  const valid_to = new Date(clock.now() + hour).toUTCString()
  const peer: Peer = {
    authorized: true,
    getPeerCertificate: () => Object.assign(Object.create(null), { subject: { CN: 'ann' }, valid_to }),
  }
  t.is(identity.authenticate(peer, {}).name, 'ann')
  await clock.advance(hour)
  t.throws(() => identity.authenticate(peer, {}), { message: 'Unauthorized' })
})

test('a connection is asked for its certificate once', async (t) => {
  const { identity, clock } = await start(t)
  const valid_to = new Date(clock.now() + hour).toUTCString()
  let asked = 0
  const peer: Peer = {
    authorized: true,
    getPeerCertificate: () => {
      asked++
      return Object.assign(Object.create(null), { subject: { CN: 'ann' }, valid_to })
    },
  }
  for (let request = 0; request < 3; request++) t.is(identity.authenticate(peer, {}).name, 'ann')
  t.is(asked, 1)
})

const certificatePath = (name: string) => `POST /apis/cove.run/v1/nodes/${name}/certificate`
const certificateBody = (csr: unknown) => ({
  apiVersion: 'cove.run/v1',
  kind: 'NodeCertificate',
  spec: { csr },
})

/** One whose agent has reported. */
async function makeNode({ call }: World, name: string): Promise<void> {
  const path = '/apis/cove.run/v1/nodes'
  const node = { apiVersion: 'cove.run/v1', kind: 'Node', metadata: { name } }
  const made = await call(`POST ${path}`, node)
  const status = { lastHeartbeat: '2026-01-01T00:00:00Z' }
  const reported = await call(`PATCH ${path}/${name}/status`, { status })
  if (made.status !== 201 || reported.status !== 200)
    throw new Error(`node: ${made.status} ${reported.status}`)
}

test('who joins by a token finds its Node made, and may begin anew until it has reported', async (t) => {
  const world = await start(t)
  const { csr } = await makeRequest('x')
  const user = world.who(await makeJoinToken(world))
  const joining = world.as(user)
  for (const _attempt of [1, 2])
    t.is((await joining(certificatePath('edge-1'), certificateBody(csr))).status, 201)
  const { body } = await world.call('GET /apis/cove.run/v1/nodes/edge-1')
  t.deepEqual(body.metadata.labels, { 'kubernetes.io/hostname': 'edge-1' })
  const other = world.as({ ...user, name: 'system:bootstrap:fedcba' })
  t.is((await other(certificatePath('edge-1'), certificateBody(csr))).status, 403)
  const status = { lastHeartbeat: '2026-01-01T00:00:00Z' }
  await world.call('PATCH /apis/cove.run/v1/nodes/edge-1/status', { status })
  t.is((await joining(certificatePath('edge-1'), certificateBody(csr))).status, 403)
})

test('of two that join at once under one name, one gets the certificate', async (t) => {
  const world = await start(t)
  const { csr } = await makeRequest('x')
  const user = world.who(await makeJoinToken(world))
  const joining = [world.as(user), world.as({ ...user, name: 'system:bootstrap:fedcba' })]
  for (const name of ['edge-1', 'edge-2', 'edge-3']) {
    const answers = await Promise.all(
      joining.map((join) => join(certificatePath(name), certificateBody(csr))),
    )
    t.deepEqual(answers.map(({ status }) => status).toSorted(), [201, 403])
  }
})

test('a join token gets a certificate for a new node, of the key that asked, whatever the request says', async (t) => {
  const world = await start(t, { lifetimeMs: hour })
  const user = world.who(await makeJoinToken(world))
  const { csr, key } = await makeRequest('system:masters')
  const { status, body } = await world.as(user)(certificatePath('edge-1'), certificateBody(csr))
  t.is(status, 201)
  const certificate = new X509Certificate(body.status.certificate)
  t.is(certificate.subject, 'O=system:nodes\nCN=system:node:edge-1')
  t.true(certificate.verify(new X509Certificate(world.pki.ca.cert).publicKey))
  t.true(certificate.publicKey.equals(createPublicKey(key)))
  t.is(body.status.ca, world.pki.ca.cert)
  t.is(Date.parse(certificate.validTo), world.clock.now() + hour)
})

test('a join token cannot take the name of a node that is there, unless it was made for that node', async (t) => {
  const world = await start(t)
  const { csr } = await makeRequest('x')
  await makeNode(world, 'edge-1')
  const any = world.as(world.who(await makeJoinToken(world)))
  const refused = await any(certificatePath('edge-1'), certificateBody(csr))
  t.is(refused.status, 403)
  t.regex(refused.body.message, /cove token create --node edge-1/)
  const bound = await start(t)
  await makeNode(bound, 'edge-1')
  const own = bound.as(bound.who(await makeJoinToken(bound, { 'node-name': 'edge-1' })))
  t.is((await own(certificatePath('edge-1'), certificateBody(csr))).status, 201)
  const other = await own(certificatePath('edge-2'), certificateBody(csr))
  t.is(other.status, 403)
  t.regex(other.body.message, /for node "edge-1" only/)
})

test('a node renews its own certificate and no other', async (t) => {
  const world = await start(t)
  const { csr } = await makeRequest('x')
  await makeNode(world, 'edge-1')
  const node = world.as(nodeUser('edge-1'))
  t.is((await node(certificatePath('edge-1'), certificateBody(csr))).status, 201)
  t.is((await node(certificatePath('edge-2'), certificateBody(csr))).status, 403)
})

test('requests that are not good are refused', async (t) => {
  const world = await start(t)
  const { csr } = await makeRequest('x')
  const bytes = Buffer.from(csr.replace(/-----[^-]+-----/g, ''), 'base64')
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1)
  const forged = `-----BEGIN CERTIFICATE REQUEST-----\n${bytes.toString('base64')}\n-----END CERTIFICATE REQUEST-----`
  for (const wrong of [undefined, '', 7, 'no PEM', world.pki.ca.cert, forged])
    t.is((await world.call(certificatePath('edge-1'), certificateBody(wrong))).status, 400, String(wrong))
  t.is((await world.call(certificatePath('-x'), certificateBody(csr))).status, 422)
  t.is((await world.call(certificatePath('edge-1'), { kind: 'Secret', spec: { csr } })).status, 400)
  t.is((await world.call(certificatePath('edge-1').replace('POST', 'GET'))).status, 405)
})
