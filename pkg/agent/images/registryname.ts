/** Which registry a reference names. Pure. */
import { parseReference } from '#pkg/apimachinery/reference.ts'

/** The registry that is asked for it: `docker.io`, `127.0.0.1:5000`; empty for what is no reference. */
export function registryOf(reference: string): string {
  const parsed = parseReference(reference)
  return parsed.ok ? parsed.reference.registry : ''
}
