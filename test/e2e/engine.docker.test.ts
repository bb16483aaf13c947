/** A real Docker Engine behind docker.ts keeps the port's promises, with a real registry beside it. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import test from 'ava'
import { systemClock } from '#pkg/apimachinery/ambient.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { openDockerEngine } from '#pkg/engine/docker.ts'
import type { Engine } from '#pkg/engine/port.ts'
import { engineSuite } from '#test/conformance/engine.ts'
import type { EngineUnderTest } from '#test/conformance/enginesubject.ts'
import { ensureBaseImage, rawEngine, testEngineHost } from '#test/helpers/engine.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { freePort, startRegistry, type TestRegistry, testAccount } from '#test/helpers/registry.ts'

const host = testEngineHost()
const registries: TestRegistry[] = []
let pulls: EngineUnderTest['pulls']

test.before(async () => {
  const image = await ensureBaseImage(host)
  const [open, secured] = [await startRegistry(), await startRegistry({ password: true })]
  registries.push(open, secured)
  pulls = {
    open: await open.push(host, image, 'team/app:1'),
    protected: await secured.push(host, image, 'team/app:1'),
    account: testAccount,
    missing: `${open.address}/team/missing:1`,
    unreachable: `127.0.0.1:${await freePort()}/team/app:1`,
  }
})

test.after.always(async () => {
  const raw = rawEngine(host)
  for (const { address, stop } of registries) {
    await raw.request('DELETE', `/images/${address}/team/app:1`)
    await stop()
  }
  raw.close()
})

engineSuite(test, async () => {
  const engine = await openDockerEngine({ host, clock: systemClock() })
  const prefix = `cove-test-${randomBytes(5).toString('hex')}`
  let names = 0
  return {
    engine,
    image: await ensureBaseImage(host),
    existingPath: '/tmp',
    missingPath: `/tmp/${prefix}-missing`,
    pulls,
    uniqueName: () => `${prefix}-${names++}`,
    freePort,
    occupyPort,
    settle: (call) => call,
    until: (check) => eventually(check, { timeoutMs: 20_000 }),
    async cleanup() {
      await removeAll(engine, prefix)
      await engine.close()
    },
  }
})

test('an engine that is not there is EngineUnavailable in every call', async (t) => {
  for (const away of ['unix:///nonexistent.sock', `tcp://127.0.0.1:${await freePort()}`]) {
    const engine = await openDockerEngine({ host: away, clock: systemClock() })
    const { signal } = new AbortController()
    const calls = [
      () => engine.info(),
      () => engine.startContainer('x'),
      () => engine.pullImage('x', { signal }),
      () => engine.events(signal)[Symbol.asyncIterator]().next(),
      () =>
        engine.containerLogs('x', { follow: true, timestamps: false, signal })[Symbol.asyncIterator]().next(),
    ]
    for (const call of calls) {
      t.true(isReason(await t.throwsAsync(call), 'EngineUnavailable'))
    }
    await engine.close()
  }
})

test('the witness sees what the port cannot show: no restart, no swap beyond the limit, the health check', async (t) => {
  const engine = await openDockerEngine({ host, clock: systemClock() })
  const raw = rawEngine(host)
  const name = `cove-test-${randomBytes(5).toString('hex')}`
  try {
    await engine.createContainer({
      name,
      image: await ensureBaseImage(host),
      cmd: ['sleep', '86400'],
      env: { A: '1' },
      labels: {},
      ports: [],
      mounts: [{ type: 'tmpfs', target: '/t', sizeBytes: 65_536, readOnly: false }],
      networks: [],
      healthcheck: {
        disabled: false,
        test: ['CMD', 'true'],
        interval: 0,
        timeout: 0,
        retries: 0,
        startPeriod: 0,
      },
      limits: { cpus: 0, memoryBytes: 67_108_864, pids: 0 },
    })
    const answer = await raw.request('GET', `/containers/${name}/json`)
    t.like(answer.json(), {
      HostConfig: {
        RestartPolicy: { Name: 'no' },
        MemorySwap: 67_108_864,
        Mounts: [{ Type: 'tmpfs', Target: '/t', TmpfsOptions: { SizeBytes: 65_536 } }],
      },
      Config: { Healthcheck: { Test: ['CMD', 'true'], Interval: 30e9, Timeout: 30e9, Retries: 3 } },
    })
  } finally {
    await removeAll(engine, name)
    await engine.close()
    raw.close()
  }
})

async function removeAll(engine: Engine, prefix: string): Promise<void> {
  const mine = ({ name }: { name: string }) => name.startsWith(prefix)
  const containers = (await engine.listContainers()).filter(mine)
  await Promise.all(containers.map(({ id }) => engine.removeContainer(id, { anonymousVolumes: true })))
  for (const { id } of (await engine.listNetworks()).filter(mine)) await engine.removeNetwork(id)
  for (const { name } of (await engine.listVolumes()).filter(mine)) await engine.removeVolume(name)
  const raw = rawEngine(host)
  const named = await engine.listAllImages()
  const references = named.flatMap((image) => [...image.references, ...image.digests])
  for (const reference of references.filter((name) => name.includes(prefix))) {
    await raw.request('DELETE', `/images/${reference}`)
  }
  raw.close()
}

async function occupyPort(port: number): Promise<() => Promise<void>> {
  const server = createServer()
  server.listen(port, '0.0.0.0')
  await once(server, 'listening')
  return async () => {
    server.close()
    await once(server, 'close')
  }
}
