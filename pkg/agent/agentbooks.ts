/** What the agent remembers of Containers from one pass to the next; all of it is found again when it is lost. */
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import type { ContainerStatus } from '#pkg/apis/container.ts'
import { EndBook } from './endbook.ts'
import { HealingBook } from './healingbook.ts'
import { runCheck } from './probe.check.ts'
import { Prober } from './prober.ts'
import { RearmBook } from './rearmbook.ts'

export interface AgentBooks {
  /** By uid, as they were last seen: newer than what the API's copy may show. */
  readonly statuses: Map<string, ContainerStatus>
  readonly healings: HealingBook
  readonly rearmed: RearmBook
  /** Who was asked to end. */
  readonly asked: EndBook
  readonly prober: Prober
}

/** `onChange`: a check has another result. */
export function openBooks(clock: Clock, onChange: () => void): AgentBooks {
  return {
    statuses: new Map(),
    healings: new HealingBook(clock),
    rearmed: new RearmBook(clock),
    asked: new EndBook(clock),
    prober: new Prober({ clock, check: runCheck, onChange }),
  }
}
