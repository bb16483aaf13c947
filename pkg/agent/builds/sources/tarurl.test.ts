/** Archives at web addresses, of servers that answer HEAD and GET each in its own way. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { systemClock } from '#pkg/apimachinery/ambient.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { serveHttp } from '#test/helpers/gitservers.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { downloadTar, tarRevision } from './tarurl.ts'

const asking = { clock: systemClock(), signal: new AbortController().signal, mostBytes: 1e6 }
const modified = new Date(Date.now() - 3_600_000).toUTCString()

/** `lengths`: by method, what it says of its length. */
async function served(t: ExecutionContext, lengths: Readonly<Record<string, string | undefined>>) {
  const state = { text: 'an archive', modified }
  const { url } = await serveHttp(t, {}, ({ method = '' }, response) => {
    response.setHeader('last-modified', state.modified)
    const length = lengths[method]
    if (length !== undefined) response.setHeader('content-length', length)
    response.flushHeaders()
    response.end(method === 'HEAD' ? undefined : state.text)
  })
  const path = join(await makeTempDir(t, 'tar'), 'archive')
  return { url, path, state }
}

test('a length that only one of two answers says makes no other archive of it', async (t) => {
  for (const lengths of [{ GET: '10' }, { HEAD: '10' }, { HEAD: '10', GET: '10' }, {}]) {
    const { url, path, state } = await served(t, lengths)
    const revision = await tarRevision({ url }, asking)
    t.true(revision.startsWith(`modified:${modified}`), JSON.stringify(lengths))
    await downloadTar({ url, revision }, path, asking)
    t.is(await readFile(path, 'utf8'), state.text)
  }
})

test('another time or another length is another archive', async (t) => {
  const later = await served(t, {})
  const revision = await tarRevision({ url: later.url }, asking)
  later.state.modified = new Date(Date.now() - 60_000).toUTCString()
  const error = await t.throwsAsync(downloadTar({ url: later.url, revision }, later.path, asking))
  t.true(isReason(error, 'Conflict'), error?.message)
  const longer = await served(t, { HEAD: '9', GET: '10' })
  const told = await tarRevision({ url: longer.url }, asking)
  await t.throwsAsync(downloadTar({ url: longer.url, revision: told }, longer.path, asking))
})
