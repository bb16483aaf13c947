/** The executable builds as the sources do: it is one script, which has to find all that is loaded only for a build. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { built, imageOf, makeBuildScene, shell } from '#test/helpers/builds.ts'
import { sharedCove } from '#test/helpers/cove.ts'
import { baseImage } from '#test/helpers/engine.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'

const cove = sharedCove(test, { executable: true })

for (const builder of ['Classic', 'BuildKit']) {
  const dockerfile = `FROM ${baseImage}\nCOPY . /c/\nRUN cat /c/f\n`

  test(`the executable builds a folder with ${builder}, and shows the log`, async (t) => {
    const scene = await makeBuildScene(cove())
    const { namespace } = scene
    const directory = await makeTempDir(t, 'project')
    await mkdir(join(directory, 'ctx'))
    await writeFile(join(directory, 'ctx/Dockerfile'), dockerfile)
    // Its own each time: what a step from the cache wrote is not told again.
    const text = `of the folder of ${namespace}`
    await writeFile(join(directory, 'ctx/f'), text)
    const metadata = { name: 'web', namespace }
    const spec = { builder, context: { path: 'ctx' } }
    const manifest = { apiVersion: 'cove.run/v1', kind: 'Build', metadata, spec }
    await writeFile(join(directory, 'build.yaml'), JSON.stringify(manifest))
    const followed = await cove().cli(['build', '-f', join(directory, 'build.yaml')])
    t.is(followed.code, 0, followed.stderr)
    t.true((followed.stdout + followed.stderr).includes(`#3 ${text}`))
    await built(scene, 'web')
    t.is(await shell(scene, imageOf(scene, 'web'), 'cat /c/f'), text)
    const logs = await cove().cli(['logs', 'build/web', '-n', namespace])
    t.true(logs.stdout.includes(`#3 ${text}`))
  })
}
