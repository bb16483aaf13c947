import { X509Certificate } from 'node:crypto'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { seededRandom } from '#pkg/apimachinery/ambient.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { adminKubeconfig, ensurePki, issueNodeIdentity } from './pki.ts'

const dayMs = 86_400_000
const now = Date.parse('2026-06-01T00:00:00Z')

async function makeDir(t: ExecutionContext): Promise<string> {
  return join(await makeTempDir(t, 'pki'), 'pki')
}

function options(more: { hosts?: string[]; now?: number } = {}) {
  return { hosts: ['node-a', '10.0.0.5', '0.0.0.0'], now, random: seededRandom(1), ...more }
}

test('a first start makes an authority and certificates that nobody else may read', async (t) => {
  const dir = await makeDir(t)
  const pki = await ensurePki(dir, options())
  t.is((await stat(dir)).mode & 0o777, 0o700)
  const files = await readdir(dir)
  t.deepEqual(files.toSorted(), ['admin.pem', 'ca.pem', 'server.pem'])
  for (const file of files) t.is((await stat(join(dir, file))).mode & 0o777, 0o600)
  const ca = new X509Certificate(pki.ca.cert)
  t.true(ca.ca)
  for (const identity of [pki.server, pki.admin]) t.true(new X509Certificate(identity.cert).checkIssued(ca))
})

test('the server certificate names every host but wildcards, and is for servers', async (t) => {
  const pki = await ensurePki(await makeDir(t), options())
  const server = new X509Certificate(pki.server.cert)
  for (const host of ['localhost', 'node-a']) t.is(server.checkHost(host), host)
  for (const address of ['127.0.0.1', '::1', '10.0.0.5']) t.not(server.checkIP(address), undefined)
  t.is(server.checkIP('0.0.0.0'), undefined)
  t.deepEqual(server.keyUsage, ['1.3.6.1.5.5.7.3.1'])
})

test('the admin certificate carries the name and group of an administrator', async (t) => {
  const pki = await ensurePki(await makeDir(t), options())
  const admin = new X509Certificate(pki.admin.cert)
  t.is(admin.subject, 'O=system:masters\nCN=cove-admin')
  t.deepEqual(admin.keyUsage, ['1.3.6.1.5.5.7.3.2'])
})

test('a node certificate is signed by the authority and carries the name of the node', async (t) => {
  const pki = await ensurePki(await makeDir(t), options())
  const node = new X509Certificate((await issueNodeIdentity(pki.ca, 'edge-1', options())).cert)
  t.is(node.subject, 'O=system:nodes\nCN=system:node:edge-1')
  t.true(node.verify(new X509Certificate(pki.ca.cert).publicKey))
})

test('a second start keeps everything', async (t) => {
  const dir = await makeDir(t)
  const first = await ensurePki(dir, options())
  t.deepEqual(await ensurePki(dir, options({ now: now + 30 * dayMs })), first)
})

test('certificates near their end are renewed by the same authority', async (t) => {
  const dir = await makeDir(t)
  const first = await ensurePki(dir, options())
  const later = await ensurePki(dir, options({ now: now + 310 * dayMs }))
  t.deepEqual(later.ca, first.ca)
  t.not(later.server.cert, first.server.cert)
  t.not(later.admin.cert, first.admin.cert)
})

test('new hosts renew the server certificate only', async (t) => {
  const dir = await makeDir(t)
  const first = await ensurePki(dir, options())
  const second = await ensurePki(dir, options({ hosts: ['other'] }))
  t.not(second.server.cert, first.server.cert)
  t.is(new X509Certificate(second.server.cert).checkHost('node-a'), undefined)
  t.deepEqual(second.admin, first.admin)
})

test('a start interrupted between any two files is finished by the next one', async (t) => {
  const dir = await makeDir(t)
  const first = await ensurePki(dir, options())
  for (const [broken, content] of [
    ['server.pem', ''],
    ['admin.pem', first.admin.key],
    ['server.pem.new', 'half'],
  ] as const) {
    await writeFile(join(dir, broken), content)
    const again = await ensurePki(dir, options())
    t.deepEqual(again.ca, first.ca)
    t.regex(again.server.cert, /BEGIN CERTIFICATE/)
    t.regex(await readFile(join(dir, 'admin.pem'), 'utf8'), /BEGIN PRIVATE KEY[\s\S]+BEGIN CERTIFICATE/)
  }
})

test('a leaf of another authority is replaced', async (t) => {
  const [dir, other] = [await makeDir(t), await makeDir(t)]
  const first = await ensurePki(dir, options())
  const foreign = await ensurePki(other, { ...options(), random: seededRandom(2) })
  await writeFile(join(dir, 'server.pem'), `${foreign.server.key}${foreign.server.cert}`)
  const again = await ensurePki(dir, options())
  t.true(new X509Certificate(again.server.cert).checkIssued(new X509Certificate(first.ca.cert)))
  t.not(again.server.cert, foreign.server.cert)
})

test('a damaged or expired authority is an error, not a new authority', async (t) => {
  const dir = await makeDir(t)
  await ensurePki(dir, options())
  const expired = await t.throwsAsync(ensurePki(dir, options({ now: now + 4000 * dayMs })))
  t.true(isReason(expired, 'InternalError'))
  await writeFile(join(dir, 'ca.pem'), 'damaged')
  const damaged = await t.throwsAsync(ensurePki(dir, options()))
  t.true(isReason(damaged, 'InternalError'))
  t.is(await readFile(join(dir, 'ca.pem'), 'utf8'), 'damaged')
})

test('the kubeconfig embeds what a client needs', async (t) => {
  const pki = await ensurePki(await makeDir(t), options())
  const text = adminKubeconfig({ server: 'https://127.0.0.1:6443', ca: pki.ca.cert, ...pki.admin })
  t.is(JSON.parse(text).clusters[0].cluster.server, 'https://127.0.0.1:6443')
  t.true(text.includes(Buffer.from(pki.admin.key).toString('base64')))
})
