/** When a Container has done what it was for: it has ended, and its restart policy wants no further run. */
import type { Container } from './container.ts'

/** Of an older generation nothing is known: it may be about to run again. */
export function hasEndedForGood({ metadata, spec, status }: Container): boolean {
  if (status?.observedGeneration !== undefined && status.observedGeneration !== metadata.generation)
    return false
  return status?.phase === 'Succeeded' || (status?.phase === 'Failed' && spec.restartPolicy === 'Never')
}
