/** What PrunePolicies say of their last runs on this node, and which events tell of them. Pure. */
import { humanBytes } from '#pkg/apimachinery/quantity.ts'
import type { NodePrune } from '#pkg/apis/looks.prune.ts'
import type { PruneNodeState, PrunePolicy, PrunePolicyStatus } from '#pkg/apis/prunepolicy.ts'
import type { EventNote } from '#pkg/client/recorder.ts'

/** So many of each are told in a status. */
const mostTold = 50

interface RunFacts {
  readonly before: PruneNodeState | undefined
  readonly lastRun: string
  readonly because: 'Schedule' | 'Disk'
  readonly dryRun: boolean
}

export function stateAfter(done: NodePrune, { before, lastRun, because, dryRun }: RunFacts): PruneNodeState {
  const { removed, kept, failed } = done
  const reclaimedBytes = dryRun ? 0 : done.reclaimedBytes
  const [first] = failed
  return {
    lastRun,
    because,
    reclaimedBytes,
    totalReclaimedBytes: (before?.totalReclaimedBytes ?? 0) + reclaimedBytes,
    removed: removed.slice(0, mostTold).map((thing) => ({ ...thing })),
    kept: kept.slice(0, mostTold).map((thing) => ({ ...thing })),
    failed: failed.length,
    ...(first !== undefined && { message: `${first.what}: ${first.why}` }),
  }
}

/** One for each thing that went, or would go, and for each that could not. */
export function notesOf(policy: PrunePolicy, { removed, failed }: NodePrune): EventNote[] {
  const verb = policy.spec.dryRun ? 'would remove' : 'removed'
  const gone = removed.map(({ what, why, bytes }): EventNote => {
    const size = bytes === 0 ? '' : `, ${humanBytes(bytes)}B`
    return { object: policy, type: 'Normal', reason: 'Pruned', message: `${verb} ${what}${size}: ${why}` }
  })
  const stuck = failed.map(({ what, why }): EventNote => {
    const message = `could not remove ${what}: ${why}`
    return { object: policy, type: 'Warning', reason: 'FailedPrune', message }
  })
  return [...gone, ...stuck]
}

/** The policy as if nobody but this node had reported: what a new report is compared with. */
export function ownPart(policy: PrunePolicy, nodeName: string): PrunePolicy {
  return { ...policy, status: statusOf(nodeName, policy.status?.nodes?.[nodeName]) }
}

/** All that a node may say of a policy is its own part. `own`: absent when the policy is not for this node any more. */
export function statusOf(nodeName: string, own: PruneNodeState | undefined): PrunePolicyStatus {
  return { nodes: own === undefined ? {} : { [nodeName]: own } }
}
