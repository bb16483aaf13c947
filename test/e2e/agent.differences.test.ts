/** What was made for a wish is what was wished for, whatever image and spec: on the real engine. */
import { randomBytes } from 'node:crypto'
import test from 'ava'
import fc from 'fast-check'
import { systemClock } from '#pkg/apimachinery/ambient.ts'
import { openDockerEngine } from '#pkg/engine/docker.ts'
import { makeAndLook } from '#test/helpers/differencescheck.ts'
import {
  baseImage,
  ensureBaseImage,
  mustRequest,
  type RawEngine,
  rawEngine,
  testEngineHost,
} from '#test/helpers/engine.ts'
import { type Drawn, dockerfileLines, drawn } from '#test/helpers/randomspecs.ts'
import { tar } from '#test/helpers/tar.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { configMap, container, world } from '#test/helpers/world.ts'

const runs = 15

/** Whether a privileged container starts is up to the machine: within another one root may not have every right. */
async function startsPrivileged(raw: RawEngine, mark: string): Promise<boolean> {
  const create = { Image: baseImage, Cmd: ['true'], HostConfig: { Privileged: true } }
  const { Id } = (await mustRequest(raw, 'POST', `/containers/create?name=${mark}-privileged`, create)) as {
    Id: string
  }
  const { status } = await raw.request('POST', `/containers/${Id}/start`)
  await mustRequest(raw, 'DELETE', `/containers/${Id}?force=true`)
  return status === 204
}

const isPrivileged = ({ spec }: Drawn) =>
  (spec.securityContext as { privileged?: boolean } | undefined)?.privileged === true

test('a container made from any image and spec has no differences, and nothing is planned for it', async (t) => {
  const host = testEngineHost()
  await ensureBaseImage(host)
  const [engine, raw] = [await openDockerEngine({ host, clock: systemClock() }), rawEngine(host)]
  const projectionRoot = await makeTempDir(t)
  const mark = `differences-${randomBytes(4).toString('hex')}`
  const image = `cove-test/${mark}:1`

  async function build({ image: config }: Drawn): Promise<void> {
    const dockerfile = [`FROM ${baseImage}`, ...dockerfileLines(config), ''].join('\n')
    const context = tar([{ name: 'Dockerfile', mode: 0o644, data: Buffer.from(dockerfile) }])
    const built = await raw.request('POST', `/build?t=${encodeURIComponent(image)}`, context)
    if (built.status !== 200 || built.text.includes('"errorDetail"')) throw new Error(built.text)
  }

  async function clean(name: string): Promise<void> {
    const mine = (await engine.listContainers()).filter((one) => one.name === name)
    for (const { id } of mine) await engine.removeContainer(id, { anonymousVolumes: true })
    const removed = await raw.request('DELETE', `/images/${image}?force=true`)
    if (removed.status !== 200) throw new Error(removed.text)
  }

  const allRights = await startsPrivileged(raw, mark)
  let names = 0
  try {
    await fc.assert(
      fc.asyncProperty(
        drawn.filter((each) => allRights || !isPrivileged(each)),
        async (each) => {
          await build(each)
          const name = `${mark}-${names++}`
          const web = container(name, { image, terminationGracePeriodSeconds: 0, ...each.spec })
          const given = world(
            { objects: [web, configMap('conf', { a: '1' })] },
            { clusterID: mark, now: Date.now(), engineApi: (await engine.info()).apiVersion },
          )
          try {
            const found = await makeAndLook({ engine, world: given, projectionRoot }, web)
            t.deepEqual([found.plan, found.differences], ['', []])
          } finally {
            await clean(name)
          }
        },
      ),
      { numRuns: runs, endOnFailure: true, includeErrorInReport: true },
    )
  } finally {
    await engine.close()
    raw.close()
  }
})
