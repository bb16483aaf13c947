/** How a prune is asked for, whoever asks: as the spec of a PrunePolicy. */
import type { NodePrune } from '#pkg/apis/looks.prune.ts'
import type { PrunePolicySpec } from '#pkg/apis/prunepolicy.ts'

/** Throws ServiceUnavailable while it is not known what must stay. */
export type AskPrune = (spec: PrunePolicySpec, dryRun: boolean, signal: AbortSignal) => Promise<NodePrune>
