/** What an applier hears whose fields others own, worded as Kubernetes words it: kubectl prints it as it is. Pure. */
import { type Cause, StatusError } from '#pkg/apimachinery/errors.ts'
import { pathsOf, printPath } from '#pkg/apimachinery/fieldset.ts'
import type { Conflict } from './managedfields.ts'

export function applyConflict(conflicts: readonly Conflict[]): StatusError {
  const managers = conflicts
    .map(({ entry, fields }) => ({ manager: printManager(entry), paths: pathsOf(fields).map(printPath) }))
    .sort((left, right) => (left.manager < right.manager ? -1 : 1))
  const causes = managers.flatMap(({ manager, paths }) => paths.map((path) => causeOf(manager, path)))
  return new StatusError('Conflict', messageOf(managers, causes), { causes })
}

type Managed = readonly { readonly manager: string; readonly paths: readonly string[] }[]

function messageOf(managers: Managed, causes: readonly Cause[]): string {
  const [only] = causes
  if (only !== undefined && causes.length === 1) {
    return `Apply failed with 1 conflict: ${only.message}: ${only.field}`
  }
  const lines = managers.flatMap(({ manager, paths }) => [
    `conflicts with ${manager}:`,
    ...paths.map((path) => `- ${path}`),
  ])
  return `Apply failed with ${causes.length} conflicts: ${lines.join('\n')}`
}

function causeOf(manager: string, field: string): Cause {
  return { reason: 'FieldManagerConflict', message: `conflict with ${manager}`, field }
}

/** `"kubectl-edit" with subresource "status" using cove.run/v1` */
function printManager({ manager, operation, apiVersion, subresource }: Conflict['entry']): string {
  const through = subresource === undefined ? '' : ` with subresource ${JSON.stringify(subresource)}`
  const using = operation === 'Update' ? ` using ${apiVersion}` : ''
  return `${JSON.stringify(manager)}${through}${using}`
}
