/** Memory for the files of contexts that are fetched: whoever has too many of them waits, wherever they come from. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { silentLogger, systemClock, systemRandom } from '#pkg/apimachinery/ambient.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { EntryRoom } from '#pkg/build/context/entryroom.ts'
import { Client } from '#pkg/client/rest.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import type { ContextSource } from '../port.ts'
import { contextFetch } from './contextfetch.ts'
import { HostFolders } from './hostfolders.ts'

const signal = new AbortController().signal
const files = { Dockerfile: 'FROM scratch\n', a: '1', b: '2' }

test('files of a context count while they are fetched, those that are chosen from as well', async (t) => {
  const directory = await makeTempDir(t)
  const path = join(directory, 'folder')
  await mkdir(path)
  for (const [name, text] of Object.entries(files)) await writeFile(join(path, name), text)
  const clock = systemClock()
  const ambient = { clock, random: systemRandom(), log: silentLogger }
  const folders = new HostFolders({ ambient, directory, onMove: () => {} })
  const client = new Client(() => Promise.reject(new Error('the server is not asked')), 'test')
  const gitSession = () => t.fail() as never
  const sources: ContextSource[] = [
    { type: 'inline', files },
    { type: 'hostPath', path, revision: '' },
  ]
  const fetch = async (source: ContextSource, most: number) => {
    const { keep } = new EntryRoom(most).share()
    const op = { source, maxBytes: 1000, ignore: [], dockerfile: 'Dockerfile' }
    const { content } = await contextFetch(
      op,
      { client, clock, folders, gitSession, keep },
      signal,
    )(directory)
    for await (const chunk of content) void chunk
  }
  // Three files with twelve characters, twice.
  for (const source of sources) {
    await t.notThrowsAsync(fetch(source, 2 * 924), source.type)
    t.true(isReason(await t.throwsAsync(fetch(source, 2 * 924 - 1)), 'TooManyRequests'), source.type)
  }
})
