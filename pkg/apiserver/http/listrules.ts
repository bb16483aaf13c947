/** Which options of lists and watches go together. Pure. Kubernetes' rules in its words: all that is wrong, at once. */
import { badRequest, type Cause, invalid } from '#pkg/apimachinery/errors.ts'
import type { RequestOptions } from './options.ts'

type Options = Pick<
  RequestOptions,
  'resourceVersion' | 'resourceVersionMatch' | 'continue' | 'sendInitialEvents' | 'limit'
>

/** What a list shows: whatever is there by now, exactly one revision, or where an earlier page ended. */
export type ListMode = 'atLeast' | 'exactly' | 'goOn'

/** Throws Invalid, with a cause for each rule that is broken; BadRequest for a page of another revision. */
export function listMode(options: Options): ListMode {
  const causes = [...matchCauses(options), ...eventCauses(options)]
  if (causes.length > 0) throw invalidOptions(causes)
  const { resourceVersion = 0, resourceVersionMatch, limit } = options
  if (options.continue !== '') {
    if (resourceVersion === 0) return 'goOn'
    throw badRequest('specifying resource version is not allowed when using continue')
  }
  // A first page is one of several that must fit together, so it is exact unless asked otherwise.
  const exact = resourceVersionMatch === undefined && limit > 0 && resourceVersion > 0
  return exact || resourceVersionMatch === 'Exact' ? 'exactly' : 'atLeast'
}

/** Throws Invalid, with a cause for each rule that is broken. */
export function checkWatchOptions(options: Options): void {
  const { resourceVersionMatch: match, sendInitialEvents } = options
  const causes: Cause[] = []
  if (sendInitialEvents !== undefined && match !== 'NotOlderThan') {
    causes.push(
      forbidden(
        'resourceVersionMatch',
        'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
      ),
    )
  }
  if (match !== undefined && sendInitialEvents === undefined) {
    causes.push(
      forbidden(
        'resourceVersionMatch',
        'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
      ),
    )
  }
  if (match !== undefined && match !== 'NotOlderThan') causes.push(notSupported(match, ['NotOlderThan']))
  if (match !== undefined && options.continue !== '') causes.push(withContinue())
  if (causes.length > 0) throw invalidOptions(causes)
}

function matchCauses({ resourceVersionMatch: match, resourceVersion, continue: token }: Options): Cause[] {
  if (match === undefined) return []
  const causes: Cause[] = []
  const field = 'resourceVersionMatch'
  if (resourceVersion === undefined)
    causes.push(forbidden(field, 'resourceVersionMatch is forbidden unless resourceVersion is provided'))
  if (token !== '') causes.push(withContinue())
  if (match !== 'Exact' && match !== 'NotOlderThan')
    causes.push(notSupported(match, ['Exact', 'NotOlderThan']))
  if (match === 'Exact' && resourceVersion === 0)
    causes.push(forbidden(field, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'))
  return causes
}

function eventCauses({ sendInitialEvents }: Options): Cause[] {
  if (sendInitialEvents === undefined) return []
  return [forbidden('sendInitialEvents', 'sendInitialEvents is forbidden for list')]
}

function withContinue(): Cause {
  return forbidden('resourceVersionMatch', 'resourceVersionMatch is forbidden when continue is provided')
}

function forbidden(field: string, why: string): Cause {
  return { reason: 'FieldValueForbidden', field, message: `Forbidden: ${why}` }
}

function notSupported(value: string, supported: readonly string[]): Cause {
  const words = supported.map((word) => `"${word}"`).join(', ')
  const message = `Unsupported value: "${value}": supported values: ${words}`
  return { reason: 'FieldValueNotSupported', field: 'resourceVersionMatch', message }
}

function invalidOptions(causes: Cause[]) {
  return invalid({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', causes)
}
