/** Images by the short names of Docker Hub, of which a registry of the test is the mirror; and a registry without TLS. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import test from 'ava'
import { decode, startCove } from '#test/helpers/cove.ts'
import { baseImage, ensureBaseImage, mustRequest, rawEngine } from '#test/helpers/engine.ts'
import { startEngineNetRegistry } from '#test/helpers/enginenetregistry.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { createImage, engineImage, imageFails, imageReady } from '#test/helpers/images.ts'
import { type PrivateEngine, startPrivateEngine } from '#test/helpers/private-engine.ts'
import { makeScene } from '#test/helpers/scene.ts'

const isRoot = process.getuid?.() === 0
const withRoot = isRoot ? test : test.skip

async function useMirror(engine: PrivateEngine, mirror: string): Promise<void> {
  await writeFile(engine.configFile, JSON.stringify({ 'registry-mirrors': [mirror] }))
  process.kill(await engine.pid(), 'SIGHUP')
  const raw = rawEngine(engine.host)
  try {
    await eventually(async () => {
      const { RegistryConfig } = decode(await mustRequest(raw, 'GET', '/info'))
      assert.deepEqual(RegistryConfig.Mirrors, [`${mirror}/`])
    })
  } finally {
    raw.close()
  }
}

withRoot('a short name is a library image of docker.io, without a tag the latest one', async (t) => {
  const engine = await startPrivateEngine(t)
  const registry = await startEngineNetRegistry(t, engine)
  await ensureBaseImage(engine.host)
  await registry.push(baseImage, 'library/hello:1')
  await registry.push(baseImage, 'library/hello:latest')
  await useMirror(engine, `http://${registry.loopback}`)
  const cove = await startCove(t, { engine: engine.host })
  const scene = await makeScene(cove)
  await createImage(scene, 'one', { reference: 'hello:1' })
  const one = await imageReady(scene, 'one')
  t.is(one.resolved, 'docker.io/library/hello:1')
  t.regex(one.reference ?? '', /^hello:1@sha256:/)
  t.regex(one.digest ?? '', /^hello@sha256:/)
  await createImage(scene, 'latest', { reference: 'docker.io/library/hello' })
  const latest = await imageReady(scene, 'latest')
  t.is(latest.resolved, 'docker.io/library/hello:latest')
  t.is((await engineImage(scene, 'hello:latest')).Id, one.id)

  await createImage(scene, 'insecure', { reference: `${registry.bridge}/library/hello:1` })
  t.regex(await imageFails(scene, 'insecure', 'RegistryInsecure'), /insecureRegistries/)
  const push = [{ reference: `${registry.bridge}/copy:1` }]
  await createImage(scene, 'sent', { reference: baseImage, pullPolicy: 'Never', push })
  await imageFails(scene, 'sent', 'RegistryInsecure', 'Pushed')
  t.is(await engineImage(scene, `${registry.bridge}/copy:1`), undefined)
})
