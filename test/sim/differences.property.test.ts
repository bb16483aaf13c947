/** What was made for a wish is what was wished for, whatever image and spec: on the simulated engine. */
import test from 'ava'
import fc from 'fast-check'
import { differences } from '#pkg/agent/container.differences.ts'
import { tell } from '#pkg/agent/difference.ts'
import { resolve } from '#pkg/agent/resolve.ts'
import { ManualClock } from '#pkg/apimachinery/ambient.ts'
import { SimEngine } from '#pkg/engine/sim.ts'
import { makeSimImage } from '#pkg/engine/simregistry.ts'
import { makeAndLook } from '#test/helpers/differencescheck.ts'
import { look } from '#test/helpers/nodeharness.ts'
import { type Drawn, drawn } from '#test/helpers/randomspecs.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { configMap, container, now, world } from '#test/helpers/world.ts'

function harnessFor(projectionRoot: string, { image, spec }: Drawn) {
  const engine = new SimEngine({ clock: new ManualClock(now) })
  engine.loadImage('app:1', makeSimImage(image, 'app:1'))
  const web = container('web', { image: 'app:1', ...spec })
  const objects = [web, configMap('conf', { a: '1' })]
  return { web, harness: { engine, world: world({ objects }), projectionRoot } }
}

test('a container made from any image and spec has no differences, and nothing is planned for it', async (t) => {
  const projectionRoot = await makeTempDir(t)
  await fc.assert(
    fc.asyncProperty(drawn, async (each) => {
      const { web, harness } = harnessFor(projectionRoot, each)
      const found = await makeAndLook(harness, web)
      t.deepEqual([found.plan, found.differences], ['', []])
    }),
    { numRuns: 200 },
  )
})

test('of a changed spec exactly the changed field is named', async (t) => {
  const projectionRoot = await makeTempDir(t)
  await fc.assert(
    fc.asyncProperty(drawn, async ({ image, spec }) => {
      const { web, harness } = harnessFor(projectionRoot, { image, spec })
      const { observed } = await makeAndLook(harness, web)
      const env = [...web.spec.env, { name: 'NEW', value: '1' }]
      const changed = resolve({ container: { ...web, spec: { ...web.spec, env } }, ...(await look(harness)) })
      if ('missing' in changed) throw new Error(changed.missing.message)
      t.deepEqual(differences(changed, observed).map(tell), ['spec.env.NEW: want 1, found none'])
    }),
    { numRuns: 100 },
  )
})
