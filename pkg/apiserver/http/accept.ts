/** What form the asker wants the answer in. Pure. */
import { StatusError } from '#pkg/apimachinery/errors.ts'

/** Objects as they are, as rows for people, or their metadata only. */
export type Representation = 'JSON' | 'Table' | 'PartialObjectMetadata'

const jsonTypes = new Set(['application/json', 'application/*', '*/*'])

/** The first of the listed forms that the server has. Throws NotAcceptable when it has none. */
export function negotiate(accept: string | undefined): Representation {
  if (accept === undefined || accept.trim() === '') return 'JSON'
  for (const range of accept.split(',')) {
    const representation = representationOf(range)
    if (representation !== undefined) return representation
  }
  const message = 'only the following media types are accepted: application/json'
  throw new StatusError('NotAcceptable', message)
}

function representationOf(range: string): Representation | undefined {
  const [type = '', ...parameters] = range.split(';').map((part) => part.trim())
  if (!jsonTypes.has(type)) return undefined
  const values = new Map(
    parameters.map((parameter) => {
      const equals = parameter.indexOf('=')
      return [parameter.slice(0, equals), parameter.slice(equals + 1)]
    }),
  )
  const as = values.get('as')
  if (as === undefined) return 'JSON'
  if (values.get('g') !== 'meta.k8s.io' || values.get('v') !== 'v1') return undefined
  if (as === 'Table') return 'Table'
  return as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList'
    ? 'PartialObjectMetadata'
    : undefined
}
