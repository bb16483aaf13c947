/** What is allowed in an Image but seldom meant. TypeScript, since CEL does not read image references. Pure. */
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { isFloating, parseReference } from '#pkg/apimachinery/reference.ts'

/** What is read of it. */
interface Warned extends KubeObject {
  readonly spec: {
    readonly reference: string
    readonly source?: object
    readonly update?: object
    readonly allTags?: boolean
  }
}

export function imageWarnings({ spec: { reference, source, update, allTags } }: Warned): string[] {
  // What follows its tag, takes all of them or comes from a file means no version by it.
  if (source !== undefined || update !== undefined || allTags === true) return []
  const parsed = parseReference(reference)
  if (!parsed.ok || !isFloating(parsed.reference)) return []
  return [
    `spec.reference: "${reference}" names the moving tag latest; name a version or a digest to get the same bytes everywhere, or follow it with spec.update`,
  ]
}
