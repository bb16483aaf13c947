/** The life of simulated containers: made, started on the clock, ended by themselves or on demand. */
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import type { ContainerCreate } from './port.ts'
import { healthcheckOf, isUp, type SimContainer, wake, writeOutput } from './simcontainer.ts'
import { type HeldImage, refuse, type SimHost } from './simhost.ts'
import { type BehaviourHook, SimProcess } from './simprocess.ts'

export interface SimLifeOptions {
  readonly host: SimHost
  readonly clock: Clock
  readonly emit: (container: SimContainer, action: string) => void
}

export class SimLife {
  readonly #host: SimHost
  readonly #clock: Clock
  readonly #emit: SimLifeOptions['emit']
  #behaviour: BehaviourHook

  constructor(options: SimLifeOptions, behaviour: BehaviourHook) {
    this.#host = options.host
    this.#clock = options.clock
    this.#emit = options.emit
    this.#behaviour = behaviour
  }

  behave(behaviour: BehaviourHook): void {
    this.#behaviour = behaviour
  }

  make(create: ContainerCreate, { image }: HeldImage): SimContainer {
    const { networkMode = 'bridge' } = create
    const [first = { network: networkMode, aliases: [] }] = create.networks
    const { network, aliases, links = [] } = first
    const endpoint = { aliases, ip: '', ...(links.length > 0 && { links }) }
    const now = this.#clock.now()
    return {
      id: this.#host.nextId(),
      name: create.name,
      create,
      image,
      createdAt: now,
      ...this.#host.makeMounts(create, image, now),
      // Whoever shares the network of another container is in none itself.
      networks: new Map(networkMode.startsWith('container:') ? [] : [[network, endpoint]]),
      links: this.#host.findLinked(create),
      state: 'created',
      limits: create.limits,
      restartPolicy: 'no',
      pid: 0,
      starts: 0,
      exitCode: 0,
      oomKilled: false,
      error: '',
      published: [],
      lines: [],
      watchers: new Set(),
    }
  }

  start(container: SimContainer): void {
    if (container.state === 'running') return
    if (container.state === 'paused') refuse('Conflict', 'cannot start a paused container')
    try {
      this.#run(container)
    } catch (error) {
      // A failed start stays visible on the container, as on a real engine.
      if (error instanceof StatusError) container.error = error.message
      container.exitCode = 128
      throw error
    }
  }

  #run(container: SimContainer): void {
    for (const name of container.networks.keys()) this.#host.mustNetwork(name)
    this.#host.checkNeighbours(container)
    const published = this.#host.allocatePorts(container)
    const behaviour = this.#behaviour(container.create, container.starts + 1)
    if (behaviour.startFailure) refuse(behaviour.startFailure.reason, behaviour.startFailure.message)
    for (const [name, endpoint] of container.networks) {
      endpoint.ip = this.#host.allocateAddress(this.#host.mustNetwork(name))
    }
    const process = new SimProcess(this.#clock, behaviour, {
      onOutput: (stream, text) => writeOutput(container, { at: this.#clock.now(), stream, text }),
      onHealth: (status) => this.#emit(container, `health_status: ${status}`),
      onExit: (code, oomKilled) => this.#ended(container, code, oomKilled),
    })
    container.starts += 1
    Object.assign(container, { state: 'running', published, process, pid: this.#host.nextPid() })
    Object.assign(container, { startedAt: this.#clock.now(), exitCode: 0, oomKilled: false, error: '' })
    process.start(healthcheckOf(container.create, container.image))
    this.#emit(container, 'start')
  }

  async stop(container: SimContainer, gracePeriod: number): Promise<void> {
    if (!isUp(container)) return
    await container.process?.stop(gracePeriod)
    this.#emit(container, 'stop')
  }

  #ended(container: SimContainer, exitCode: number, oomKilled: boolean): void {
    const finishedAt = this.#clock.now()
    Object.assign(container, { state: 'exited', pid: 0, exitCode, oomKilled, finishedAt, published: [] })
    for (const endpoint of container.networks.values()) endpoint.ip = ''
    if (oomKilled) this.#emit(container, 'oom')
    this.#emit(container, 'die')
    wake(container)
  }
}
