/**
 * What an Image object has the agent do, cut short before and after any call that it makes of the engine, whether or not its
 * statuses had arrived: whoever comes next gets to the same names, and nothing is left over.
 */
import test, { type ExecutionContext } from 'ava'
import { Host } from '#pkg/agent/host.ts'
import { ImageBook, type OpAnswer } from '#pkg/agent/images/imagebook.ts'
import { reportImage } from '#pkg/agent/images/imagestatus.plan.ts'
import { LentNames, type LentStore } from '#pkg/agent/images/lentnames.ts'
import { planNode } from '#pkg/agent/node.plan.ts'
import type { AgentOp } from '#pkg/agent/ops.ts'
import { perform } from '#pkg/agent/perform.ts'
import { diskFiles } from '#pkg/agent/projection.ts'
import { groupOf, type World } from '#pkg/agent/world.ts'
import { ManualClock, silentLogger, systemRandom } from '#pkg/apimachinery/ambient.ts'
import type { Image, ImageStatus } from '#pkg/apis/image.ts'
import { Client } from '#pkg/client/rest.ts'
import type { Engine } from '#pkg/engine/port.ts'
import { SimEngine } from '#pkg/engine/sim.ts'
import { SimRegistry } from '#pkg/engine/simregistry.ts'
import { makeRootfs } from '#test/helpers/imagearchive.ts'
import { look } from '#test/helpers/nodeharness.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { imageObject, now, world } from '#test/helpers/world.ts'

const signal = new AbortController().signal
const repo = 'reg.test:5000/app'
const changing = new Set(['pullImage', 'pushImage', 'tagImage', 'removeImage', 'loadImages', 'importImage'])

/** When the agent is killed: at which of its calls, and whether the engine still gets that one. */
interface Cut {
  readonly call: number
  readonly isDone: boolean
}

class Killed extends Error {}

/** The engine as one run of the agent sees it: after the cut it answers nothing any more. */
function seenUntil(engine: SimEngine, cut: Cut | undefined): { engine: Engine; calls: () => number } {
  let calls = 0
  let isDead = false
  const mortal = async (name: string, run: () => Promise<unknown>) => {
    const isCut = changing.has(name) && ++calls === cut?.call
    if (isDead || (isCut && cut?.isDone === false)) {
      isDead = true
      throw new Killed()
    }
    const answer = await run()
    if (isCut) isDead = true
    if (isDead) throw new Killed()
    return answer
  }
  const seen = new Proxy(engine, {
    get: (real, name) => {
      const value: unknown = Reflect.get(real, name)
      if (typeof value !== 'function') return value
      return (...words: unknown[]) => mortal(String(name), async () => await value.apply(real, words))
    },
  })
  return { engine: seen, calls: () => calls }
}

/** One node with one Image; what outlives its agents is here. */
class Node {
  readonly engine: SimEngine
  readonly registry = new SimRegistry()
  readonly #root: string
  #object: Image | undefined
  #generation = 0
  #lent = '{}'
  pushes = 0

  constructor(root: string) {
    this.#root = root
    this.engine = new SimEngine({ clock: new ManualClock(now), registry: this.registry })
    for (const tag of ['1', '2', '3']) this.registry.set(`${repo}:${tag}`, { env: { TAG: tag } })
  }

  want(spec: Record<string, unknown>): void {
    const metadata = { generation: ++this.#generation }
    const status = this.#object?.status
    const object = imageObject('app', { reference: `${repo}:1`, ...spec }, { metadata })
    this.#object = status === undefined ? object : { ...object, status }
  }

  delete(): void {
    if (this.#object === undefined) return
    const metadata = { ...this.#object.metadata, deletionTimestamp: '2026-01-01T12:00:00Z' }
    this.#object = { ...this.#object, metadata }
  }

  get status(): ImageStatus | undefined {
    return this.#object?.status
  }

  get isGone(): boolean {
    return this.#object === undefined
  }

  /** `NAME ID` of everything that the engine calls something. */
  async names(): Promise<string[]> {
    const images = await this.engine.listImages()
    return images.flatMap(({ id, references }) => references.map((name) => `${name} ${id}`)).sort()
  }

  async dangling(): Promise<string[]> {
    const images = await this.engine.listImages()
    return images
      .filter(({ references, digests }) => references.length + digests.length === 0)
      .map(({ id }) => id)
  }

  /** An agent works until it has nothing to do, or is killed; resolves with how many calls it made. */
  async run(cut?: Cut, tells = true): Promise<number> {
    const { engine, calls } = seenUntil(this.engine, cut)
    try {
      await this.#work(engine, tells)
    } catch (error) {
      if (!(error instanceof Killed)) throw error
    }
    return calls()
  }

  async #work(engine: Engine, tells: boolean): Promise<void> {
    const book = new ImageBook()
    const store: LentStore = {
      path: 'memory',
      load: async () => this.#lent,
      save: async (text) => {
        this.#lent = text
      },
    }
    const lent = new LentNames({ engine, store, log: silentLogger })
    await lent.recall()
    for (let pass = 0; this.#object !== undefined; pass++) {
      if (pass > 20) throw new Error('it does not come to rest')
      const image = this.#object
      const seen: World = await look({
        engine,
        world: world({ objects: [image] }, { imageStatuses: book.statuses(), imageAsks: book.asks() }),
        projectionRoot: this.#root,
      })
      const { plan, decisions } = planNode(seen)
      const decision = decisions.get(groupOf('Image', image.metadata))
      if (decision === undefined) throw new Error('there is no decision')
      const status = reportImage(image, decision, seen)
      book.taken(image.metadata.uid ?? '', status)
      if (tells || plan.ops.length === 0) this.#object = { ...image, status }
      if (plan.ops.length === 0) return
      for (const planned of plan.ops) {
        const answer = await this.#perform(planned.op, { engine, lent })
        book.note(image, { planned, outcome: 'done' }, answer, now)
      }
    }
  }

  async #perform(
    op: AgentOp,
    { engine, lent }: { readonly engine: Engine; readonly lent: LentNames },
  ): Promise<OpAnswer> {
    if (op.type === 'releaseObject') {
      this.#object = undefined
      return {}
    }
    if (op.type === 'pushImage') this.pushes++
    const clock = new ManualClock(now)
    let found: OpAnswer = {}
    const body = await this.#file()
    const client = new Client(() => Promise.resolve({ status: 200, headers: {}, body }), 'test')
    const context = {
      engine,
      client,
      nodeName: 'n1',
      files: diskFiles(this.#root),
      host: new Host(undefined, { clock, random: systemRandom(), log: silentLogger }),
      clock,
      lent,
      onProgress: () => {},
      onAnswer: (_: AgentOp, answer: OpAnswer) => {
        found = answer
      },
      credentials: { secretOf: () => undefined, registries: () => [] },
    }
    await perform(op, context, signal)
    return found
  }

  /** What an upload of the Image is. */
  async #file(): Promise<AsyncIterable<Uint8Array> | Uint8Array> {
    if (this.#object?.spec.source?.archive === undefined) return makeRootfs('files')
    const there = new SimEngine({ clock: new ManualClock(now), registry: this.registry })
    await there.pullImage(`${repo}:2`, { signal })
    await there.tagImage(`${repo}:2`, 'saved:1')
    return await there.saveImages(['saved:1'], signal)
  }
}

interface Story {
  readonly before?: (node: Node) => Promise<void>
  readonly spec: Record<string, unknown>
  /** Done next; absent: nothing. */
  readonly next?: Record<string, unknown> | 'delete'
  /** It has another id each time that it is made. */
  readonly isAnother?: boolean
}

const upload = `sha256:${'a'.repeat(64)}`
const push = [{ reference: 'reg.test:5000/copy:1' }, { reference: 'reg.test:5000/copy:2' }]

const stories: Readonly<Record<string, Story>> = {
  'a pull with further names': { spec: { tags: ['mine:1', 'mine:2'] } },
  'all tags': { spec: { reference: repo, allTags: true } },
  'a pull that always asks': { spec: { pullPolicy: 'Always', tags: ['mine:1'] } },
  'a load': { spec: { reference: 'saved:1', tags: ['mine:1'], source: { archive: { upload } } } },
  'an import': { spec: { reference: 'made:1', source: { rootfs: { upload } } }, isAnother: true },
  'pushes under names that are lent': { spec: { push } },
  'a push under a name that another image has': {
    before: async ({ engine }) => {
      await engine.pullImage(`${repo}:3`, { signal })
      await engine.tagImage(`${repo}:3`, 'reg.test:5000/copy:1')
    },
    spec: { push },
  },
  'a push under a name of its own': { spec: { tags: ['reg.test:5000/copy:1'], push } },
  'another reference': { spec: { tags: ['mine:1'] }, next: { reference: `${repo}:2`, tags: ['mine:1'] } },
  'names taken back': { spec: { tags: ['mine:1'] }, next: { tags: ['mine:2'], push } },
  'a deletion': { spec: { tags: ['mine:1', 'mine:2'] }, next: 'delete' },
  'a deletion in the middle of everything': {
    spec: { reference: repo, allTags: true, push },
    next: 'delete',
  },
}

async function begin(root: string, { before, spec, next }: Story): Promise<Node> {
  const node = new Node(root)
  await before?.(node)
  node.want(spec)
  if (next === undefined) return node
  await node.run()
  if (next === 'delete') node.delete()
  else node.want(next)
  return node
}

/** Without the ids of what is another image each time. */
function told(names: readonly string[], { isAnother = false }: Story): readonly string[] {
  return isAnother ? names.map((name) => name.split(' ')[0] ?? '') : names
}

for (const [name, story] of Object.entries(stories)) {
  test(`${name}, cut short at any call: the same names in the end`, async (t) => {
    const root = await makeTempDir(t)
    const whole = await begin(root, story)
    const calls = await whole.run()
    t.true(calls > 0)
    // What always asks, asks in each run.
    const asks = story.spec['pullPolicy'] === 'Always' ? 1 : 0
    const expected = told(await whole.names(), story)
    for (let call = 1; call <= calls; call++)
      for (const isDone of [false, true])
        for (const tells of [false, true]) await holds(t, { call, isDone }, tells)
    async function holds(t: ExecutionContext, cut: Cut, tells: boolean): Promise<void> {
      const what = `killed ${cut.isDone ? 'after' : 'before'} call ${cut.call}, ${tells ? 'told' : 'untold'}`
      const node = await begin(root, story)
      await node.run(cut, tells)
      await node.run()
      t.deepEqual(told(await node.names(), story), expected, what)
      t.is(node.isGone, whole.isGone, what)
      t.is(node.status?.pushed?.length, whole.status?.pushed?.length, what)
      t.true(node.pushes <= 2 * whole.pushes, `${what}: ${node.pushes} pushes`)
      const left = (await node.dangling()).length
      t.true(left <= (story.isAnother === true ? 1 : 0), `${what}: ${left} without a name`)
      t.is(await node.run(), asks, `${what}: nothing is left to do`)
    }
  })
}
