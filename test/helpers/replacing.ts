/**
 * One Container that is replaced on a simulated engine, pass by pass: observe, plan, report, perform. A pass can be cut
 * short after any op, and the agent can forget everything that it has not written: as if it had been killed.
 */

import { planNode } from '#pkg/agent/node.plan.ts'
import { describeOp } from '#pkg/agent/ops.ts'
import { reportContainer } from '#pkg/agent/status.ts'
import { groupOf } from '#pkg/agent/world.ts'
import { ManualClock } from '#pkg/apimachinery/ambient.ts'
import type { Container, ContainerStatus } from '#pkg/apis/container.ts'
import type { ObservedContainer } from '#pkg/engine/port.ts'
import { SimEngine } from '#pkg/engine/sim.ts'
import type { Behaviour } from '#pkg/engine/simprocess.ts'
import { makeSimImage } from '#pkg/engine/simregistry.ts'
import { look, step } from './nodeharness.ts'
import { container, now, world } from './world.ts'

export type Fields = Readonly<Record<string, unknown>>

/** What a container does, by its first argument; every other runs until it is stopped. */
const behaviours: Readonly<Record<string, Behaviour>> = {
  exits: { exit: { after: 100, code: 3 }, output: [{ stream: 'stderr', text: 'no such table\n' }] },
  sick: { probe: () => 1 },
  slow: { probe: () => 1 },
  never: { startFailure: { reason: 'ExecutableNotFound', message: 'exec: "never": not found' } },
}

export class Replacing {
  readonly clock = new ManualClock(now)
  readonly engine = new SimEngine({
    clock: this.clock,
    behaviour: ({ cmd = [] }) => behaviours[cmd[0] ?? ''] ?? {},
  })
  readonly #projectionRoot: string
  #object: Container
  #generation = 1
  /** What the agent knows, and what the API has. */
  #memory: ContainerStatus | undefined
  #letters = new Map<string, string>()

  constructor(projectionRoot: string, spec: Fields, data = false) {
    this.#projectionRoot = projectionRoot
    this.#object = container('web', spec)
    const volumes = data ? { volumes: ['/data'] } : {}
    this.engine.loadImage('app:1', makeSimImage({ content: 'app:1', cmd: ['serve'], ...volumes }, 'app:1'))
  }

  get status(): ContainerStatus {
    return this.#memory ?? {}
  }

  /** What the spec says of replacing. */
  get update(): Fields {
    return this.#object.spec.update ?? {}
  }

  /** Another generation of the object. */
  want(spec: Fields): void {
    this.#generation++
    const { status } = this.#object
    this.#object = {
      ...container('web', spec, { metadata: { generation: this.#generation } }),
      ...(status !== undefined && { status }),
    }
  }

  /** The agent is killed: what it has not written is lost. */
  kill(): void {
    this.#memory = undefined
  }

  /** One pass; resolves to the ops that were planned. Of these only the first `cut` are performed. */
  async pass(cut = Number.POSITIVE_INFINITY): Promise<string[]> {
    const seen = await this.#look()
    const { plan, decisions } = planNode(seen)
    const decision = decisions.get(groupOf('Container', this.#object.metadata))
    if (decision === undefined) throw new Error('there is no decision')
    const lastAction = undefined
    this.#memory = reportContainer({ container: this.#object, decision, world: seen, lastAction })
    // An object that is at work is not reported.
    if (plan.ops.length === 0) this.#object = { ...this.#object, status: this.#memory }
    await step(
      { engine: this.engine, world: seen, projectionRoot: this.#projectionRoot },
      { ops: plan.ops.slice(0, cut) },
    )
    await this.#letter()
    return plan.ops.map(({ op }) => this.#named(describeOp(op)))
  }

  /** Passes until nothing is left to do for now; resolves to what was planned. */
  async settle(): Promise<string[]> {
    const done: string[] = []
    for (let count = 0; count < 30; count++) {
      const ops = await this.pass()
      if (ops.length === 0) return done
      done.push(...ops)
    }
    throw new Error(`it does not come to rest:\n${done.join('\n')}`)
  }

  /** Lets time go by, a little at a time; resolves to what was planned. */
  async wait(ms: number): Promise<string[]> {
    const done = await this.settle()
    for (let left = ms; left > 0; left -= 500) {
      await this.clock.advance(Math.min(500, left))
      done.push(...(await this.settle()))
    }
    return done
  }

  async containers(): Promise<ObservedContainer[]> {
    return [...(await this.#look()).observed.containers]
  }

  /** `NAME STATE` of every container, with letters for ids. */
  async cast(): Promise<string[]> {
    const all = await this.containers()
    return all.map(({ id, name, state }) => this.#named(`${this.letterOf(id)} ${name} ${state}`)).sort()
  }

  letterOf(id: string): string {
    return this.#letters.get(id) ?? '?'
  }

  async #look() {
    const given = { ...world({ objects: [this.#object] }), now: this.clock.now() }
    const statuses = new Map(this.#memory && [[this.#object.metadata.uid ?? '', this.#memory]])
    return await look({
      engine: this.engine,
      world: { ...given, statuses },
      projectionRoot: this.#projectionRoot,
    })
  }

  async #letter(): Promise<void> {
    for (const { id } of await this.engine.listContainers())
      if (!this.#letters.has(id)) this.#letters.set(id, String.fromCharCode(65 + this.#letters.size))
  }

  #named(text: string): string {
    let named = text
    for (const [id, letter] of this.#letters)
      named = named.replaceAll(id.slice(0, 12), letter).replaceAll(id.slice(0, 6), letter)
    return named
  }
}
