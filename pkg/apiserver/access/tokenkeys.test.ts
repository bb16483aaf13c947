import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { signToken, verifyToken } from './jwt.ts'
import { ensureTokenKeys } from './tokenkeys.ts'

function pem(key: KeyObject): string {
  return String(key.export({ type: key.type === 'private' ? 'pkcs8' : 'spki', format: 'pem' }))
}

test('the first start makes a key that nobody else may read, the second keeps it', async (t) => {
  const dir = await makeTempDir(t, 'keys')
  const first = await ensureTokenKeys(dir)
  t.is((await stat(join(dir, 'service-account.pem'))).mode & 0o777, 0o600)
  const second = await ensureTokenKeys(dir)
  t.is(second.signing.id, first.signing.id)
  t.deepEqual(verifyToken(signToken({ sub: 'a' }, first.signing), second.verification), { sub: 'a' })
})

test('a new key in front signs, and tokens of the old ones stay good', async (t) => {
  const dir = await makeTempDir(t, 'keys')
  const path = join(dir, 'service-account.pem')
  const before = await ensureTokenKeys(dir)
  const next = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  await writeFile(path, pem(next.privateKey) + (await readFile(path, 'utf8')))
  const after = await ensureTokenKeys(dir)
  t.not(after.signing.id, before.signing.id)
  for (const { signing } of [before, after])
    t.deepEqual(verifyToken(signToken({ sub: 'a' }, signing), after.verification), { sub: 'a' })
})

test('a public key verifies without being able to sign', async (t) => {
  const dir = await makeTempDir(t, 'keys')
  const path = join(dir, 'service-account.pem')
  await ensureTokenKeys(dir)
  const retired = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  await writeFile(path, (await readFile(path, 'utf8')) + pem(retired.publicKey))
  t.is((await ensureTokenKeys(dir)).verification.size, 2)
})

test('a file that cannot be used is an error, and is left as it is', async (t) => {
  const dir = await makeTempDir(t, 'keys')
  const path = join(dir, 'service-account.pem')
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const contents = [
    ['', /holds no private key/],
    [pem(rsa.privateKey), /not of the curve P-256/],
    ['-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n', /cannot be read/],
  ] as const
  for (const [content, message] of contents) {
    await writeFile(path, content)
    await t.throwsAsync(ensureTokenKeys(dir), { message })
    t.is(await readFile(path, 'utf8'), content)
  }
})
