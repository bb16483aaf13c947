/**
 * A replacement that is cut short after any op, by the end of the agent, by another wish, or by somebody's hand: the
 * service is there afterwards, old or new, its data too, and nothing is left over.
 */
import test, { type ExecutionContext } from 'ava'
import { type Fields, Replacing } from '#test/helpers/replacing.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'

const check = { healthcheck: { shell: 'x', interval: '1s', retries: 2 } }
const before = { args: ['v1'] }

interface Wish {
  /** What is wanted instead of `before`. */
  readonly spec: Fields
  /** What serves in the end. */
  readonly serves: string
}

const wishes: Readonly<Record<string, Wish>> = {
  good: { spec: { args: ['v2'] }, serves: 'v2' },
  'good and checked': { spec: { args: ['v2'], ...check }, serves: 'v2' },
  exiting: { spec: { args: ['exits'] }, serves: 'v1' },
  unhealthy: { spec: { args: ['sick'], ...check }, serves: 'v1' },
  'not startable': { spec: { args: ['never'] }, serves: 'v1' },
}
const orders = ['StartFirst', 'StopFirst'] as const

interface Cut {
  readonly act: (it: Replacing) => Promise<void>
  /** What serves in the end; absent: as without it. */
  readonly serves?: string
}

async function rename(it: Replacing, from: RegExp): Promise<void> {
  const found = (await it.containers()).find(({ name }) => from.test(name))
  if (found !== undefined) await it.engine.renameContainer(found.id, 'somebody-was-here')
}

async function startAll(it: Replacing): Promise<void> {
  for (const { id, state } of await it.containers())
    if (state !== 'running') await it.engine.startContainer(id).catch(() => undefined)
}

async function remove(it: Replacing, which: RegExp): Promise<void> {
  const found = (await it.containers()).find(({ name }) => which.test(name))
  if (found !== undefined) await it.engine.removeContainer(found.id, { anonymousVolumes: false })
}

/** What happens between two ops. */
const cuts: Readonly<Record<string, Cut>> = {
  'the agent is killed': { act: async (it) => it.kill() },
  'another generation arrives': {
    act: async (it) => it.want({ args: ['v3'], update: it.update }),
    serves: 'v3',
  },
  'another generation arrives while no agent runs': {
    act: async (it) => {
      it.want({ args: ['v3'], update: it.update })
      it.kill()
    },
    serves: 'v3',
  },
  'the change is taken back': {
    act: async (it) => it.want({ ...before, update: it.update }),
    serves: 'v1',
  },
  'the change is taken back while no agent runs': {
    act: async (it) => {
      it.want({ ...before, update: it.update })
      it.kill()
    },
    serves: 'v1',
  },
  'the one that serves is renamed': { act: (it) => rename(it, /^web$/) },
  'the new one is renamed': { act: (it) => rename(it, /_next$/) },
  'the old one is renamed': { act: (it) => rename(it, /_prev/) },
  'everything is started': { act: startAll },
  'the new one is removed': { act: (it) => remove(it, /_next$/) },
}

/** Time in which every trial ends, and the machine that is asked for is up. */
const aWhile = 20_000

async function begun(root: string, order: string, data: boolean): Promise<Replacing> {
  const it = new Replacing(root, { ...before, update: { order } }, data)
  await it.wait(6000)
  return it
}

async function servingOf(it: Replacing) {
  return (await it.containers()).find(({ name }) => name === 'web')
}

/** The volume that nobody named, of the container that serves. */
async function dataOf(it: Replacing): Promise<string | undefined> {
  return (await servingOf(it))?.mounts.find(({ target }) => target === '/data')?.source
}

async function holds(
  t: ExecutionContext,
  it: Replacing,
  data: string | undefined,
  what: string,
): Promise<void> {
  const cast = await it.cast()
  const serving = cast.filter((line) => / web running$/.test(line))
  const others = cast.filter((line) => !serving.includes(line))
  t.is(serving.length, 1, `${what}: ${cast.join(', ')}`)
  t.true(
    others.length <= 1 && others.every((line) => /_prev-\w+ exited$/.test(line)),
    `${what}: ${cast.join(', ')}`,
  )
  t.is(await dataOf(it), data, what)
  t.regex(it.status.rollout?.phase ?? '', /^(Complete|RolledBack)$/, what)
  t.deepEqual(await it.pass(), [], what)
}

/** Performs `count` ops of what is planned; false when fewer were there to perform. */
async function perform(it: Replacing, count: number, watch: () => Promise<void>): Promise<boolean> {
  let left = count
  for (let idle = 0; idle < 40; ) {
    const ops = await it.pass(Math.min(1, left))
    await watch()
    if (ops.length > 0 && left-- <= 0) return true
    if (ops.length > 0) continue
    idle++
    await it.clock.advance(500)
  }
  return false
}

for (const order of orders) {
  for (const [wish, { spec, ...good }] of Object.entries(wishes)) {
    for (const [cut, { act, serves = good.serves }] of Object.entries(cuts)) {
      test(`${order}, ${wish}, ${cut} after any op: one serves, and nothing is left over`, async (t) => {
        const root = await makeTempDir(t)
        let boundaries = 0
        for (let count = 0; count < 40; count++) {
          const it = await begun(root, order, count % 2 === 1)
          const data = await dataOf(it)
          it.want({ ...spec, update: { order } })
          const watch = async () => {
            if (order !== 'StartFirst') return
            const running = (await it.containers()).filter(({ state }) => state === 'running')
            t.true(running.length > 0, `after ${count} ops somebody serves all the time`)
          }
          if (!(await perform(it, count, watch))) break
          boundaries++
          await act(it)
          await it.wait(aWhile)
          const what = `after ${count} ops`
          await holds(t, it, data, what)
          t.deepEqual((await servingOf(it))?.command, [serves], what)
        }
        t.true(boundaries >= 3, `${boundaries} boundaries`)
      })
    }
  }
}
