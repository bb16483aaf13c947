/**
 * What is known of Image objects between two writes of their status: what ops have found out, at once, so that the next plan
 * knows that it is done; and which were asked about in this run.
 */
import { timestamp } from '#pkg/apimachinery/meta.ts'
import type { Image, ImageStatus } from '#pkg/apis/image.ts'
import type { OpResult } from '#pkg/plan/execute.ts'
import { canonicalImage } from '../image.ts'
import type { AgentOp } from '../ops.ts'
import { digestIn, withDigest } from './names.ts'
import { comesFromRegistry, sourceFingerprint } from './source.ts'

/** What an op found, beside that it succeeded. */
export interface OpAnswer {
  /** `sha256:...` in a registry. */
  readonly digest?: string
  /** Of an image that was made. */
  readonly id?: string
  /** For its event. */
  readonly words?: string
}

export class ImageBook {
  readonly #statuses = new Map<string, ImageStatus>()
  readonly #asks = new Map<string, number>()

  statuses(): ReadonlyMap<string, ImageStatus> {
    return this.#statuses
  }

  asks(): ReadonlyMap<string, number> {
    return this.#asks
  }

  /** The status that was reported of an Image that this node leads. */
  taken(uid: string, status: ImageStatus): void {
    this.#statuses.set(uid, status)
  }

  /** Forgets the others. */
  keep(uids: ReadonlySet<string>): void {
    for (const book of [this.#statuses, this.#asks])
      for (const uid of book.keys()) if (!uids.has(uid)) book.delete(uid)
  }

  note(image: Image, { planned, outcome }: OpResult<AgentOp>, answer: OpAnswer, now: number): void {
    if (outcome !== 'done') return
    const { uid = '', generation = 0 } = image.metadata
    const before = this.#statuses.get(uid) ?? image.status ?? {}
    const found = foundBy(planned.op, { image, answer, now, before })
    if (found !== undefined) this.#statuses.set(uid, { ...before, ...found })
    if (isQuestion(planned.op, image)) this.#asks.set(uid, generation)
  }
}

interface Finding {
  readonly image: Image
  readonly answer: OpAnswer
  readonly now: number
  readonly before: ImageStatus
}

/** Of the reference itself, whose tag may mean anything. */
function isQuestion(op: AgentOp, { spec }: Image): boolean {
  return (
    op.type === 'pullImage' &&
    comesFromRegistry(spec) &&
    canonicalImage(op.reference) === canonicalImage(spec.reference)
  )
}

function foundBy(op: AgentOp, finding: Finding): Partial<ImageStatus> | undefined {
  if (op.type === 'pullImage') return foundByPull(op, finding)
  if (op.type === 'pushImage') return foundByPush(op, finding)
  if (!('made' in op) || op.made === undefined) return undefined
  const { id } = finding.answer
  return id === undefined ? undefined : { source: op.made, reference: id, id }
}

/** Of several tags it is not told which digest is whose: the next look finds out. */
function foundByPull(op: AgentOp, { image, answer }: Finding): Partial<ImageStatus> | undefined {
  const { reference, allTags } = image.spec
  if (!isQuestion(op, image)) return undefined
  const digest = digestIn(reference) ?? answer.digest
  if (digest === undefined || allTags) return { source: '' }
  return { source: sourceFingerprint(image.spec), reference: withDigest(reference, digest) }
}

function foundByPush(
  op: Extract<AgentOp, { type: 'pushImage' }>,
  { image, answer, now, before }: Finding,
): Partial<ImageStatus> | undefined {
  const wish = image.spec.push.find(
    ({ reference }) => canonicalImage(reference) === canonicalImage(op.reference),
  )
  if (wish === undefined || answer.digest === undefined) return undefined
  const { reference } = wish
  const entry = { reference, id: op.image, digest: answer.digest, time: timestamp(now) }
  const others = (before.pushed ?? []).filter((each) => each.reference !== reference)
  return { pushed: [...others, entry] }
}
