/**
 * What the machine tells beside its engine: how full the engine's disk is, and the file and process of the engine. Of an
 * engine on another machine there is nothing to tell.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import { messageOf, type Reason, StatusError } from '#pkg/apimachinery/errors.ts'
import type { Node } from '#pkg/apis/node.ts'
import type { EngineInfo } from '#pkg/engine/port.ts'
import type { RegistryClient } from '#pkg/registry/port.ts'
import { type Disk, type ReadDisk, roomFor } from './disk.ts'
import { patienceMs } from './engineconfig/engineconfig.plan.ts'
import { EngineSettings } from './engineconfig/enginesettings.ts'
import type { EngineFiles, EngineSettingsSight } from './engineconfig/port.ts'
import { imageArchitecture } from './images/architecture.ts'
import { bringsImage, mustFit, type PullRoomOptions } from './images/pullroom.ts'
import type { AgentOp, OpOf } from './ops.ts'
import type { NodeFiles } from './projection.ts'

export interface HostParts {
  /** Absent: the engine's disk is not on this machine. */
  readonly readDisk?: ReadDisk
  readonly engineFiles: EngineFiles
  /** Where the agent keeps its own files, and how full it is there. */
  readonly readOwnDisk?: () => Promise<Disk | undefined>
  /** Asked how large images are, where room is short; absent: nobody is. */
  readonly registry?: Pick<RegistryClient, 'layers'>
  /** Of the engine; absent: it is reached otherwise. */
  readonly socketPath?: string
}

export interface HostSight {
  readonly disk?: Disk
  readonly agentDisk?: Disk
  readonly engineSettings?: EngineSettingsSight
}

export type RoomContext = Pick<PullRoomOptions, 'engine' | 'credentials'>

/** What an engine says of a registry that it should reach otherwise. */
const changedBySettings: readonly Reason[] = ['RegistryInsecure', 'RegistryUnavailable', 'ImageNotFound']
/** So much more room is worth a try. */
const leastFreed = { bytes: 50e6, share: 0.05 } as const

export class Host {
  readonly #parts: HostParts | undefined
  readonly #ambient: Ambient
  readonly #settings: EngineSettings | undefined
  /** As of the last look. */
  #engine: EngineInfo | undefined
  #hasNewSettings = false
  /** By path of a disk: the least room there was since there last was more. */
  readonly #least = new Map<string, number>()
  #reloadedAt = Number.NEGATIVE_INFINITY

  constructor(parts: HostParts | undefined, ambient: Ambient) {
    const { clock, log } = ambient
    this.#parts = parts
    this.#ambient = ambient
    this.#settings = parts && new EngineSettings({ files: parts.engineFiles, clock, log })
  }

  /** The engine was asked to read its settings: what it said before may not hold any more. */
  isSettling(): boolean {
    return this.#ambient.clock.now() - this.#reloadedAt <= patienceMs
  }

  /** Of the engine; undefined: it is not on this machine. */
  async disk(engine: Pick<EngineInfo, 'rootDirectory'>): Promise<Disk | undefined> {
    return await this.#parts?.readDisk?.(engine.rootDirectory)
  }

  async look(engine: EngineInfo, node: Node | undefined): Promise<HostSight> {
    if (this.#parts === undefined) return {}
    this.#hasNewSettings ||=
      this.#engine !== undefined && !isDeepStrictEqual(this.#engine.registries, engine.registries)
    this.#engine = engine
    const disk = await this.#parts.readDisk?.(engine.rootDirectory)
    const agentDisk = await this.#parts.readOwnDisk?.()
    const facts = await this.#settings?.look(node?.spec.engine)
    const { socketPath } = this.#parts
    const settings = facts && {
      ...facts,
      socketPath,
      engineVersion: engine.version,
      reported: engine.registries,
    }
    return {
      ...(agentDisk !== undefined && { agentDisk }),
      ...(disk !== undefined && { disk }),
      ...(settings !== undefined && { engineSettings: settings }),
    }
  }

  /** Reasons for which things rest that may be over since this was asked last: they are worth a try at once. */
  newHopes({ disk, agentDisk }: HostSight): Reason[] {
    const settings = this.#hasNewSettings
    this.#hasNewSettings = false
    const roomier = [disk, agentDisk].filter((each) => this.#hasMoreRoom(each))
    return [...(roomier.length > 0 ? (['NoSpace'] as const) : []), ...(settings ? changedBySettings : [])]
  }

  #hasMoreRoom(disk: Disk | undefined): boolean {
    if (disk === undefined) return false
    const { path, availableBytes, totalBytes } = disk
    const least = this.#least.get(path) ?? Number.POSITIVE_INFINITY
    const more = availableBytes - least >= Math.min(leastFreed.bytes, totalBytes * leastFreed.share)
    this.#least.set(path, more ? availableBytes : Math.min(least, availableBytes))
    return more
  }

  /** Why nothing more should be put on the engine's disk now, in a sentence; undefined: there is room, or nobody can tell. */
  async whyNoRoom(what: string): Promise<string | undefined> {
    const engine = this.#engine
    return await this.#whyNone(what, async () => (engine === undefined ? undefined : await this.disk(engine)))
  }

  /** The same of where the agent keeps its own files. */
  async whyNoOwnRoom(what: string): Promise<string | undefined> {
    return await this.#whyNone(what, async () => await this.#parts?.readOwnDisk?.())
  }

  async #whyNone(what: string, read: () => Promise<Disk | undefined>): Promise<string | undefined> {
    try {
      return roomFor(undefined, await read(), what)
    } catch (error) {
      this.#ambient.log.warn('it cannot be read how full a disk is', { error: messageOf(error) })
      return undefined
    }
  }

  /** Throws NoSpace before what an op brings would fill the disk. */
  async mustHaveRoom(op: AgentOp, context: RoomContext, signal: AbortSignal): Promise<void> {
    const why = op.type === 'buildImage' ? await this.whyNoRoom('a build') : undefined
    if (why !== undefined) throw new StatusError('NoSpace', why)
    if (!bringsImage(op) || this.#engine === undefined) return
    const { rootDirectory, architecture } = this.#engine
    const disk = await this.#parts?.readDisk?.(rootDirectory)
    if (disk === undefined) return
    const { engine, credentials } = context
    const platform = `linux/${imageArchitecture(architecture)}`
    const registry = this.#parts?.registry
    await mustFit(op, { disk, engine, credentials, platform, registry }, signal)
  }

  /** What cannot be tidied up keeps nobody from being looked after. */
  async sweep(files: NodeFiles, inUse: (directory: string) => boolean): Promise<void> {
    try {
      await files.sweep(inUse)
    } catch (error) {
      const message = 'files that no container mounts could not be removed'
      this.#ambient.log.warn(message, { error: messageOf(error) })
    }
  }

  /** The engine does not answer. */
  async noteAway(): Promise<void> {
    await this.#settings?.putBackForTheDead()
  }

  async write(op: OpOf<'writeEngineConfig'>): Promise<void> {
    await this.#settings?.write(op)
  }

  async reload(op: OpOf<'reloadEngine'>): Promise<void> {
    this.#reloadedAt = this.#ambient.clock.now()
    await this.#settings?.reload(op)
  }
}
