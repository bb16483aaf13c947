/**
 * All that the agent keeps about Image objects and registries from one pass to the next, and what a pass reports of them.
 * Nothing here decides: the planners do, on what is handed out.
 */
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { type Image, imageKind } from '#pkg/apis/image.ts'
import { anyKind } from '#pkg/apis/kind.ts'
import type { EventNote } from '#pkg/client/recorder.ts'
import type { Engine, ObservedImage } from '#pkg/engine/port.ts'
import type { OpResult } from '#pkg/plan/execute.ts'
import type { RegistryClient } from '#pkg/registry/port.ts'
import { findImage } from '../image.ts'
import type { AgentOp } from '../ops.ts'
import { placedHere } from '../placed.ts'
import type { ReportsInput, StatusReport } from '../reports.ts'
import { type Desired, groupOf, type World } from '../world.ts'
import type { CredentialSources } from './credentials.ts'
import { ImageBook, type OpAnswer } from './imagebook.ts'
import { reportImage, withOwnWord } from './imagestatus.plan.ts'
import { LentNames, type LentStore } from './lentnames.ts'
import { RegistryBook } from './registryhold.ts'
import { SizeBook } from './sizebook.ts'
import { leads, statusOf } from './source.ts'
import { updateNotes } from './update.text.ts'
import { UpdateFollower } from './updatefollower.ts'
import { wakeOf, withUpdate } from './updates.ts'

export interface ImageRoomOptions {
  readonly engine: Engine
  readonly ambient: Ambient
  readonly nodeName: string
  /** Something is known that was not. */
  readonly onChange: () => void
  /** Absent: no Image follows its registry. */
  readonly registry?: RegistryClient
  readonly credentials: CredentialSources
  readonly record: (note: EventNote) => void
  /** Absent: names that are only for a push stay when the agent is killed. */
  readonly lentStore?: LentStore
}

export class ImageRoom {
  readonly #options: ImageRoomOptions
  readonly #book = new ImageBook()
  readonly #registries: RegistryBook
  readonly #sizes: SizeBook
  readonly #answers = new WeakMap<AgentOp, OpAnswer>()
  readonly #follower: UpdateFollower | undefined
  readonly lent: LentNames
  #wakeAt: number | undefined

  constructor(options: ImageRoomOptions) {
    this.#options = options
    this.#registries = new RegistryBook(options.ambient)
    this.#sizes = new SizeBook(options)
    const { registry, ambient, credentials, onChange, engine, lentStore: store } = options
    this.lent = new LentNames({ engine, log: ambient.log, ...(store !== undefined && { store }) })
    if (registry !== undefined)
      this.#follower = new UpdateFollower({ clock: ambient.clock, registry, credentials, onAnswer: onChange })
  }

  /** What planners are to know of it; what was known of objects that this node does not lead any more is forgotten. */
  facts({
    images,
  }: Pick<Desired, 'images'>): Pick<
    World,
    'registryAnswers' | 'imageStatuses' | 'imageAsks' | 'imageSizes' | 'registryHolds' | 'pulledAt'
  > {
    const led = [...images.values()].filter((image) => leads(image, this.#options))
    this.#book.keep(new Set(led.map(({ metadata }) => metadata.uid ?? '')))
    return {
      registryAnswers: this.#follower?.answers() ?? new Map(),
      imageStatuses: this.#book.statuses(),
      imageAsks: this.#book.asks(),
      imageSizes: this.#sizes.sizes(),
      registryHolds: this.#registries.holds(),
      pulledAt: this.#registries.pulledAt(),
    }
  }

  /** Which images are to be read in all their parts, by id: those of the Image objects of this node. */
  detailsOf({ images }: Desired, seen: readonly ObservedImage[]): ReadonlySet<string> {
    const { nodeName } = this.#options
    const ids = placedHere(images, { nodeName }).flatMap((image) => {
      const { reference } = this.#book.statuses().get(image.metadata.uid ?? '') ?? image.status ?? {}
      const names = [image.spec.reference, ...(reference === undefined ? [] : [reference])]
      return names.flatMap((name) => findImage(seen, name)?.id ?? [])
    })
    return new Set(ids)
  }

  onAnswer(op: AgentOp, answer: OpAnswer): void {
    this.#answers.set(op, answer)
  }

  /** What the op has found, for its event. */
  wordsOf({ planned }: OpResult<AgentOp>): string | undefined {
    return this.#answers.get(planned.op)?.words
  }

  /** Once for each op, whatever it is about. */
  noteOp(result: OpResult<AgentOp>): void {
    this.#registries.note(result)
  }

  /** For each object that the op worked for. */
  note(object: KubeObject, result: OpResult<AgentOp>): void {
    if (!isImage(object) || !leads(object, this.#options)) return
    const { clock } = this.#options.ambient
    this.#book.note(object, result, this.#answers.get(result.planned.op) ?? {}, clock.now())
  }

  /** The statuses of this pass. Also while something is under way: that is when progress is of interest. */
  reports({ world, decision, busy }: ReportsInput): StatusReport[] {
    const images = placedHere(world.desired.images, world)
    const updates = this.#follower?.follow(world) ?? new Map()
    this.#wakeAt = wakeOf(updates)
    if (images.some((image) => leads(image, world))) this.#sizes.sync(world.observed.images)
    return images.flatMap((image): StatusReport[] => {
      const group = groupOf('Image', image.metadata)
      const found = decision.decisions.get(group)
      const isAtWork = busy.has(group)
      const isOld = world.busy.has(group) && !isAtWork
      const isGoing = isAtWork && image.metadata.deletionTimestamp !== undefined
      if (found === undefined || isOld || isGoing) return []
      const seen = reportImage(image, found, world)
      if (!leads(image, world))
        return [{ kind: anyKind(imageKind), object: withOwnWord(image, world), status: seen }]
      const status = withUpdate(image, seen, { updates, now: world.now })
      for (const note of updateNotes(image, statusOf(image, world), status)) this.#options.record(note)
      this.#book.taken(image.metadata.uid ?? '', status)
      return [{ kind: anyKind(imageKind), object: withOwnWord(image, world), status }]
    })
  }

  /** When time alone changes what is decided on an Image that follows. */
  wakeAt(): number {
    return this.#wakeAt ?? Number.POSITIVE_INFINITY
  }

  async close(): Promise<void> {
    await this.#follower?.close()
    await this.#sizes.close()
  }
}

function isImage(object: KubeObject): object is Image {
  return object.kind === 'Image'
}
