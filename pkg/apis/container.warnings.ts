/** What is allowed in a Container but seldom meant. TypeScript, since CEL does not read image references. Pure. */
import { isFloating, parseReference } from '#pkg/apimachinery/reference.ts'
import type { Container } from './container.ts'

export function containerWarnings(container: Container): string[] {
  const parsed = parseReference(container.spec.image)
  if (!parsed.ok || !isFloating(parsed.reference)) return []
  return [
    `spec.image: "${container.spec.image}" names the moving tag latest; name a version or a digest to get the same bytes everywhere`,
  ]
}
