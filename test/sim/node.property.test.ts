/** Safety and progress of the node's planner, over random desired and observed states, on the simulated engine. */
import test from 'ava'
import fc from 'fast-check'
import { isOurs } from '#pkg/agent/container.look.ts'
import { ManualClock } from '#pkg/apimachinery/ambient.ts'
import { engineLabels } from '#pkg/apis/wellknown.ts'
import type { ObservedContainer } from '#pkg/engine/port.ts'
import { SimEngine } from '#pkg/engine/sim.ts'
import type { EngineMethod } from '#pkg/engine/simfault.ts'
import { makeSimImage } from '#pkg/engine/simregistry.ts'
import { type NodeHarness, plan, step } from '#test/helpers/nodeharness.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { clusterID, configMap, container, network, print, volume, world } from '#test/helpers/world.ts'

const names = ['aa', 'bb', 'cc'] as const
const name = fc.constantFrom(...names)

const rights = fc.constantFrom(
  { privileged: true },
  { readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, seccompProfile: { type: 'Unconfined' } },
  { capabilities: { drop: ['ALL'], add: ['CHOWN'] } },
  { runAsNonRoot: true },
)

const specFields = fc.record(
  {
    args: fc.constantFrom(['one'], ['two']),
    image: fc.constantFrom('app:1', 'app:2', 'docker.io/library/app:1'),
    state: fc.constantFrom('Running', 'Paused', 'Stopped', 'Created'),
    networks: fc.subarray([{ name: 'aa' }, { name: 'bb', aliases: ['www'] }]),
    mounts: fc.subarray([
      { volume: 'aa', mountPath: '/a' },
      { tmpfs: { sizeLimit: '1Mi' }, mountPath: '/t' },
      { configMap: 'conf', mountPath: '/c' },
    ]),
    resources: fc.constantFrom({ limits: { memory: '64Mi' } }, { limits: { cpu: '500m', pids: 10 } }, {}),
    restartPolicy: fc.constantFrom('Always', 'OnFailure', 'Never'),
    healthcheck: fc.constantFrom({ shell: 'true' }, { disabled: true }),
    securityContext: rights,
    update: fc.constantFrom(
      { keepPrevious: '0s' },
      { order: 'Auto', monitor: '1s' },
      { order: 'StopFirst', onFailure: 'Hold' },
    ),
  },
  { requiredKeys: ['image'] },
)

/** Whoever is in networks has no other way of networking. */
const containerSpec = fc
  .record({
    spec: specFields,
    networkMode: fc.option(
      fc.constantFrom('bridge', 'host', 'none', ...names.map((each) => `container:${each}`)),
      {
        nil: undefined,
      },
    ),
    links: fc.subarray(
      names.map((each) => ({ container: each, alias: `to-${each}`, injectEnv: each === 'aa' })),
    ),
  })
  .map(({ spec, networkMode, links }): Record<string, unknown> => {
    const isMode = networkMode !== undefined && (spec.networks?.length ?? 0) === 0
    if (isMode && networkMode !== 'bridge') return { ...spec, networkMode }
    const linked = links.length > 0 ? { ...spec, links } : spec
    return isMode ? { ...linked, networkMode } : linked
  })

/** Nobody shares the own network, or links to itself. */
function withoutItself(each: { name: string; spec: Record<string, unknown>; deleted: boolean }) {
  const { networkMode, links = [], ...spec } = each.spec
  const others = Array.isArray(links) ? links.filter(({ container: other }) => other !== each.name) : []
  return {
    ...each,
    spec: {
      ...spec,
      ...(networkMode !== undefined && networkMode !== `container:${each.name}` && { networkMode }),
      ...(others.length > 0 && { links: others }),
    },
  }
}

interface Wish {
  readonly containers: readonly { name: string; spec: Record<string, unknown>; deleted: boolean }[]
  readonly volumes: readonly { name: string; reclaimPolicy: string; deleted: boolean }[]
  readonly networks: readonly { name: string; internal: boolean; deleted: boolean }[]
}

const wish: fc.Arbitrary<Wish> = fc.record({
  containers: fc.uniqueArray(
    fc.record({ name, spec: containerSpec, deleted: fc.boolean() }).map(withoutItself),
    {
      selector: (each) => each.name,
    },
  ),
  volumes: fc.uniqueArray(
    fc.record({ name, reclaimPolicy: fc.constantFrom('Retain', 'Delete'), deleted: fc.boolean() }),
    { selector: (each) => each.name },
  ),
  networks: fc.uniqueArray(fc.record({ name, internal: fc.boolean(), deleted: fc.boolean() }), {
    selector: (each) => each.name,
  }),
})

/** What somebody may do behind the agent's back; the number picks the container. */
const meddling = fc.tuple(
  fc.constantFrom('stop', 'pause', 'remove', 'rename', 'limit', 'disconnect', 'restart'),
  fc.nat(5),
)

function objectsOf({ containers, volumes, networks }: Wish) {
  const gone = (deleted: boolean) =>
    deleted ? { metadata: { deletionTimestamp: '2026-01-01T12:00:00Z' } } : {}
  return [
    ...containers.map((each) => container(each.name, each.spec, gone(each.deleted))),
    ...volumes.map((each) => volume(each.name, { reclaimPolicy: each.reclaimPolicy }, gone(each.deleted))),
    ...networks.map((each) => network(each.name, { internal: each.internal }, gone(each.deleted))),
    configMap('conf', { key: 'value' }),
  ]
}

async function converge(harness: NodeHarness, onPlan: (text: string) => void = () => {}): Promise<number> {
  for (let pass = 1; pass <= 12; pass++) {
    const planned = await plan(harness)
    onPlan(print(planned))
    if (planned.ops.length === 0) return pass
    await step(harness, planned)
  }
  throw new Error(`no convergence; the next plan is\n${print(await plan(harness))}`)
}

function makeEngine(): SimEngine {
  const engine = new SimEngine({ clock: new ManualClock(Date.parse('2026-01-01T11:00:00Z')) })
  for (const reference of ['app:1', 'app:2'])
    engine.loadImage(
      reference,
      makeSimImage(
        { content: reference, cmd: ['serve'], ...(reference === 'app:2' && { user: '7' }) },
        reference,
      ),
    )
  return engine
}

async function meddle(engine: SimEngine, [action, index]: readonly [string, number]): Promise<void> {
  const listed = await engine.listContainers()
  const id = listed[index % Math.max(1, listed.length)]?.id
  const found = id === undefined ? undefined : await engine.inspectContainer(id)
  if (found === undefined) return
  const acts: Readonly<Record<string, () => Promise<void>>> = {
    stop: () => engine.stopContainer(found.id, 0),
    pause: async () => {
      if (found.state === 'running') await engine.pauseContainer(found.id)
    },
    remove: () => engine.removeContainer(found.id, { anonymousVolumes: true }),
    rename: async () => {
      const name = `renamed-${found.id.slice(0, 8)}`
      if (found.name !== name) await engine.renameContainer(found.id, name)
    },
    limit: () => engine.updateContainer(found.id, { cpus: 1, memoryBytes: 2 ** 30, pids: 7 }),
    disconnect: async () => {
      // No engine takes the network of its host away from a container.
      const [first] = found.networks.filter(({ network }) => network !== 'host')
      if (first !== undefined) await engine.disconnectNetwork(found.id, first.network)
    },
    restart: async () => {
      if (found.state === 'running' && (await hasNetwork(engine, found)))
        await engine.restartContainer(found.id, 0)
    },
  }
  await acts[action]?.()
}

/** No engine starts a container in the network of one that does not run. */
async function hasNetwork(engine: SimEngine, { networkMode }: ObservedContainer): Promise<boolean> {
  const [, owner] = networkMode.split('container:')
  return owner === undefined || (await engine.inspectContainer(owner))?.state === 'running'
}

async function volumeNames(engine: SimEngine): Promise<string[]> {
  return (await engine.listVolumes()).map((each) => each.name)
}

test('from any state, after any change and any meddling, repeated passes converge and then plan nothing', async (t) => {
  const projectionRoot = await makeTempDir(t)
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(wish, fc.array(meddling, { maxLength: 4 })), { minLength: 1, maxLength: 3 }),
      async (rounds) => {
        const harness: NodeHarness = { engine: makeEngine(), world: world(), projectionRoot }
        for (const [desired, meddlings] of rounds) {
          harness.world = world({ objects: objectsOf(desired) })
          await converge(harness)
          for (const each of meddlings) await meddle(harness.engine, each)
          await converge(harness)
          const mutations = harness.engine.mutations
          await converge(harness)
          t.is(harness.engine.mutations, mutations)
        }
      },
    ),
    { numRuns: 100 },
  )
})

test('a plan cut short after any op is finished by the next ones, and nothing is made twice', async (t) => {
  const projectionRoot = await makeTempDir(t)
  await fc.assert(
    fc.asyncProperty(wish, wish, fc.array(fc.nat(8), { maxLength: 6 }), async (before, after, cuts) => {
      const harness: NodeHarness = {
        engine: makeEngine(),
        world: world({ objects: objectsOf(before) }),
        projectionRoot,
      }
      await converge(harness)
      harness.world = world({ objects: objectsOf(after) })
      for (const cut of cuts) {
        const planned = await plan(harness)
        await step(harness, { ops: planned.ops.slice(0, cut) })
      }
      await converge(harness)
      const listed = await harness.engine.listContainers()
      const ours = listed.filter(({ labels }) => isOurs(labels, { clusterID }))
      // Beside the one that serves there is at most one of each role: parked, worn out, on trial, failed.
      const roles = ours.map(({ name, labels }) => {
        const role = /_(prev|old|next|failed)/.exec(name)?.[1] ?? 'serves'
        return `${labels[engineLabels.uid]} ${role}`
      })
      t.is(new Set(roles).size, roles.length)
    }),
    { numRuns: 100 },
  )
})

test('a failing engine call never makes the planner give up: without faults it converges again', async (t) => {
  const projectionRoot = await makeTempDir(t)
  const method = fc.constantFrom<EngineMethod>(
    'createContainer',
    'startContainer',
    'stopContainer',
    'removeContainer',
    'renameContainer',
    'createNetwork',
    'createVolume',
    'connectNetwork',
  )
  await fc.assert(
    fc.asyncProperty(
      wish,
      wish,
      fc.array(fc.record({ method, call: fc.integer({ min: 1, max: 3 }), after: fc.boolean() }), {
        maxLength: 4,
      }),
      async (before, after, faults) => {
        const harness: NodeHarness = {
          engine: makeEngine(),
          world: world({ objects: objectsOf(before) }),
          projectionRoot,
        }
        await converge(harness)
        harness.world = world({ objects: objectsOf(after) })
        for (const fault of faults)
          harness.engine.fail({
            method: fault.method,
            call: fault.call,
            afterEffect: fault.after,
            reason: 'EngineError',
          })
        for (let pass = 0; pass < 4; pass++) await step(harness, await plan(harness))
        harness.engine.clearFaults()
        await converge(harness)
        t.is(print(await plan(harness)), '')
      },
    ),
    { numRuns: 100 },
  )
})

test('no plan ever removes a named volume, except that of a Volume being deleted with reclaimPolicy Delete', async (t) => {
  const projectionRoot = await makeTempDir(t)
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(wish, fc.array(meddling, { maxLength: 3 })), { minLength: 1, maxLength: 4 }),
      async (rounds) => {
        const harness: NodeHarness = { engine: makeEngine(), world: world(), projectionRoot }
        await harness.engine.createVolume({ name: 'stranger', driver: 'local', options: {}, labels: {} })
        for (const [desired, meddlings] of rounds) {
          const before = await volumeNames(harness.engine)
          harness.world = world({ objects: objectsOf(desired) })
          for (const each of meddlings) await meddle(harness.engine, each)
          await converge(harness)
          const after = await volumeNames(harness.engine)
          const mayGo = desired.volumes
            .filter((each) => each.deleted && each.reclaimPolicy === 'Delete')
            .map((each) => each.name)
          const lost = before.filter((each) => !after.includes(each))
          t.deepEqual(
            lost.filter((each) => !mayGo.includes(each as (typeof names)[number])),
            [],
          )
        }
      },
    ),
    { numRuns: 100 },
  )
})
