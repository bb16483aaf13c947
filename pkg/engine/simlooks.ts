/** The simulated engine's part of what looks.ts promises. Its containers have no files. */
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import type {
  CommitOptions,
  EngineLooks,
  FileChange,
  ListedContainer,
  ProcessTable,
  UsageSample,
} from './looks.ts'
import { isUp, type SimContainer } from './simcontainer.ts'
import type { SimDoor } from './simdoor.ts'
import { refuse, type SimHost } from './simhost.ts'
import { readChanges } from './simimagesview.ts'
import { idleUsage, listed, processesOf, type SimUsage, sampleOf, signalName } from './simlooksview.ts'
import { makeSimImage } from './simregistry.ts'

export interface SimLooksParts {
  readonly host: SimHost
  readonly door: SimDoor
  readonly clock: Clock
  readonly emit: (container: SimContainer, action: string) => void
  /** What processes of a container of this name use; absent: next to nothing. */
  readonly usage: ((container: string) => SimUsage) | undefined
  /** Of the machine. */
  readonly memoryBytes: number
}

/** Nothing writes files here: as if each container had written as much. */
const writtenBytes = 4096

export class SimLooks implements EngineLooks {
  readonly #parts: SimLooksParts

  constructor(parts: SimLooksParts) {
    this.#parts = parts
  }

  listContainers(): Promise<readonly ListedContainer[]> {
    return this.#parts.door.call('listContainers', [], () =>
      [...this.#parts.host.containers.values()].map((container) =>
        listed(container, this.#parts.clock.now()),
      ),
    )
  }

  signalContainer(container: string, signal: string): Promise<void> {
    return this.#parts.door.call('signalContainer', [container, signal], () => {
      const found = this.#parts.host.mustContainer(container)
      const name = signalName(signal)
      if (name === undefined) return refuse('InvalidSpec', `Invalid signal: ${signal}`)
      if (!isUp(found)) refuse('Conflict', `Cannot kill container: ${found.id} is not running`)
      this.#parts.emit(found, 'kill')
      found.process?.signal(name)
    })
  }

  containerProcesses(container: string, args: string): Promise<ProcessTable> {
    return this.#parts.door.call('containerProcesses', [container, args], () => {
      const found = this.#parts.host.mustContainer(container)
      if (!isUp(found)) refuse('Conflict', `Container ${found.id} is not running`)
      return processesOf(found)
    })
  }

  containerUsage(container: string): Promise<UsageSample | undefined> {
    return this.#parts.door.call('containerUsage', [container], () => {
      const found = this.#parts.host.mustContainer(container)
      const { usage = () => idleUsage, memoryBytes: machineBytes, clock } = this.#parts
      return isUp(found) ? sampleOf(found, clock.now(), { ...usage(found.name), machineBytes }) : undefined
    })
  }

  /** Nothing writes files here. */
  containerChanges(container: string): Promise<readonly FileChange[]> {
    return this.#parts.door.call('containerChanges', [container], () => {
      this.#parts.host.mustContainer(container)
      return []
    })
  }

  async readArchive(): Promise<never> {
    return refuse('InvalidSpec', 'a simulated container has no files')
  }

  async writeArchive(): Promise<never> {
    return refuse('InvalidSpec', 'a simulated container has no files')
  }

  async exportContainer(): Promise<never> {
    return refuse('InvalidSpec', 'a simulated container has no files')
  }

  commitContainer(container: string, options: CommitOptions): Promise<{ image: string }> {
    return this.#parts.door.call('commitContainer', [container, options], () => {
      const { host, clock, emit } = this.#parts
      const found = host.mustContainer(container)
      const { reference, changes } = options
      const { spec, id: parent } = found.image
      const layers = { ...spec.layers, [host.nextId().slice(0, 12)]: writtenBytes }
      const content = `${found.id} at ${clock.now()}`
      const image = makeSimImage({ ...spec, ...readChanges(changes, spec), layers, content }, content)
      const held = host.keepImage(image, clock.now(), parent)
      if (reference !== undefined) host.tagImage(held, reference)
      emit(found, 'commit')
      return { image: image.id }
    })
  }

  rawContainer(id: string): Promise<unknown> {
    return this.#parts.door.call('rawContainer', [id], () => {
      const found = this.#parts.host.containers.get(id)
      return found && { Id: found.id, Name: `/${found.name}`, Config: { ...found.create }, HostConfig: {} }
    })
  }
}
