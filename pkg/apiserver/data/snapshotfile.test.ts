import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { type Manifest, type PartSource, readSnapshot, writeSnapshot } from './snapshotfile.ts'

function part(name: string, text: string): PartSource {
  const content = Buffer.from(text)
  return { name, content, bytes: content.length, sha256: createHash('sha256').update(content).digest('hex') }
}

function manifestOf(sources: readonly PartSource[]): Manifest {
  return {
    version: 1,
    created: '2026-01-01T00:00:00Z',
    program: '0.1.0',
    schemaVersion: 2,
    revision: 7,
    objects: { 'core/secrets': 1 },
    sealedWith: ['k1'],
    withKeys: true,
    parts: sources.map(({ name, bytes, sha256 }) => ({ name, bytes, sha256 })),
  }
}

async function bytesOf(sources: readonly PartSource[], manifest = manifestOf(sources)): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(writeSnapshot(manifest, sources)))
}

async function read(t: ExecutionContext, bytes: Uint8Array) {
  const path = join(await makeTempDir(t, 'snapshotfile'), 'x.snapshot')
  await writeFile(path, bytes)
  const parts: Record<string, string> = {}
  const manifest = await readSnapshot(path, async ({ name }, chunk) => {
    parts[name] = (parts[name] ?? '') + Buffer.from(chunk).toString()
  })
  return { manifest, parts }
}

const sources = [part('cove.db', 'the store'), part('pki/ca.pem', 'the authority'), part('pki/empty', '')]

test('what was written is read back', async (t) => {
  const { manifest, parts } = await read(t, await bytesOf(sources))
  t.deepEqual(manifest, manifestOf(sources))
  t.deepEqual(parts, { 'cove.db': 'the store', 'pki/ca.pem': 'the authority' })
})

test('no byte of a snapshot can be changed, and none can be missing or too many', async (t) => {
  const bytes = await bytesOf(sources)
  const path = join(await makeTempDir(t, 'snapshotfile'), 'x.snapshot')
  const refused = async (changed: Uint8Array, what: string) => {
    await writeFile(path, changed)
    const error = await t.throwsAsync(
      readSnapshot(path, async () => {}),
      undefined,
      what,
    )
    t.true(isReason(error, 'BadRequest'), `${what}: ${error?.message}`)
  }
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes)
    changed[at] = (changed[at] ?? 0) ^ 4
    await refused(changed, `byte ${at} changed`)
  }
  for (let length = 0; length < bytes.length; length += 7)
    await refused(bytes.subarray(0, length), `cut at ${length}`)
  await refused(Buffer.concat([bytes, Buffer.from('x')]), 'one more')
})

for (const name of ['../../etc/passwd', 'pki/../../x', '/etc/passwd', 'pki/.hidden', 'other', 'pki/a/b']) {
  test(`a part named ${name} is refused: it would lie outside of the data directory`, async (t) => {
    const error = await t.throwsAsync(read(t, await bytesOf([...sources, part(name, 'x')])))
    t.regex(error?.message ?? '', /manifest is not complete/)
  })
}

test('a snapshot without a store, or of another version, is refused', async (t) => {
  await t.throwsAsync(read(t, await bytesOf(sources.slice(1))), { message: /manifest is not complete/ })
  const newer = (await bytesOf(sources)).toString().replace('cove-snapshot 1', 'cove-snapshot 2')
  await t.throwsAsync(read(t, Buffer.from(newer)), {
    message: /version 2; this cove knows version 1: use a newer/,
  })
})
