/** Folders of the node that are watched, with the kernel's own notices. */
import { symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { silentLogger, systemClock, systemRandom } from '#pkg/apimachinery/ambient.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { build } from '#test/helpers/world.ts'
import { HostFolders } from './hostfolders.ts'

test('a folder is looked at again when it is watched: what changed before then no watch tells of', async (t) => {
  const [directory, folder] = [await makeTempDir(t, 'stats'), await makeTempDir(t, 'folder')]
  const link = join(directory, 'link')
  await symlink(folder, link)
  let moved = 0
  const folders = new HostFolders({
    ambient: { clock: systemClock(), random: systemRandom(), log: silentLogger },
    directory,
    onMove: (uid) => {
      if (uid === 'uid-Build-web') moved++
    },
  })
  t.teardown(() => folders.close())
  folders.watch([build('web', { context: { hostPath: link } })])
  const until = (count: number) =>
    eventually(() => {
      if (moved < count) throw new Error(`${moved} moves are told`)
    })
  await until(1)
  await writeFile(join(folder, 'a'), 'one')
  await until(2)
  t.is(moved, 2)
})
