/** What is allowed in a Container but seldom meant. TypeScript, since CEL does not read image references. Pure. */
import { isFloating, parseReference } from '#pkg/apimachinery/reference.ts'
import type { Container } from './container.ts'

export function containerWarnings(container: Container): string[] {
  return [...movingTag(container), ...reservedExitCode(container)]
}

/** Docker keeps 2 for itself and takes every code but 0 for a failure. */
function reservedExitCode({ spec: { healthcheck } }: Container): string[] {
  const line = healthcheck?.shell ?? healthcheck?.command?.join(' ') ?? ''
  const code = /\bexit\s+([2-9]|[1-9]\d+)\b/.exec(line)?.[1]
  if (code === undefined) return []
  return [
    `spec.healthcheck: "exit ${code}" counts as a failure like any code but 0, and 2 is reserved; let the check exit with 0 or 1`,
  ]
}

function movingTag(container: Container): string[] {
  const parsed = parseReference(container.spec.image ?? '')
  if (!parsed.ok || !isFloating(parsed.reference)) return []
  return [
    `spec.image: "${container.spec.image}" names the moving tag latest; name a version or a digest to get the same bytes everywhere`,
  ]
}
