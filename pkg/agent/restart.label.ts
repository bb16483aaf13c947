/** The label by which a container says which request for a restart it was made after. Pure. */
import type { Container } from '#pkg/apis/container.ts'
import { engineLabels, restartAnnotation } from '#pkg/apis/wellknown.ts'

/** For a container that is made now. */
export function restartLabel({ metadata }: Container): Record<string, string> {
  const asked = metadata.annotations?.[restartAnnotation]
  return asked === undefined ? {} : { [engineLabels.restartedAt]: asked }
}
