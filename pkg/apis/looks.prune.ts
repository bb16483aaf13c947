/**
 * What a node tells of a prune that it was asked for: the answer of the subresource `prune` of a Node. Who reads one decodes
 * it here: it comes from another machine.
 */
import { amount, array, object, text } from './border.ts'

export interface PruneNote {
  readonly what: string
  readonly why: string
}

export interface PrunedThing extends PruneNote {
  /** What it gave back, or would. */
  readonly bytes: number
}

export interface NodePrune {
  /** In the order of their going; in a dry run what would go. */
  readonly removed: readonly PrunedThing[]
  readonly kept: readonly PruneNote[]
  /** What could not be removed, and why. */
  readonly failed: readonly PruneNote[]
  /** As measured; in a dry run an estimate. */
  readonly reclaimedBytes: number
}

export function decodeNodePrune(value: unknown): NodePrune {
  const { removed, kept, failed, reclaimedBytes } = object(value)
  return {
    removed: array(removed).map((item) => ({ ...decodeNote(item), bytes: amount(object(item)['bytes']) })),
    kept: array(kept).map(decodeNote),
    failed: array(failed).map(decodeNote),
    reclaimedBytes: amount(reclaimedBytes),
  }
}

function decodeNote(value: unknown): PruneNote {
  const { what, why } = object(value)
  return { what: text(what), why: text(why) }
}
