/** Who writes, as metadata.managedFields names it: the fieldManager parameter, or else the program that sent the request. */
import { type Cause, invalid } from '#pkg/apimachinery/errors.ts'
import type { ApiRequest } from '#pkg/apimachinery/transport.ts'
import type { RequestOptions, WriteOptions } from '../http/options.ts'

/** As Kubernetes: bytes of UTF-8. */
const longest = 128
const unknownManager = 'unknown'
const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u

/** Throws Invalid when the name given is too long or not printable. */
export function managerOf(
  type: WriteOptions,
  { fieldManager }: Pick<RequestOptions, 'fieldManager'>,
  request: Pick<ApiRequest, 'headers'>,
): string {
  if (fieldManager === '') return fromUserAgent(request.headers['user-agent'] ?? '')
  refuseOptions(type, managerCauses(fieldManager, 'fieldManager'))
  return fieldManager
}

/** Throws Invalid, naming the options object as Kubernetes does, unless there is nothing wrong. */
export function refuseOptions(type: WriteOptions, causes: Cause[]): void {
  if (causes.length > 0) throw invalid({ group: 'meta.k8s.io', kind: type }, '', causes)
}

/** What is wrong with the name of a manager. */
export function managerCauses(manager: string, field: string): Cause[] {
  if (Buffer.byteLength(manager) > longest) {
    const message = `Too long: may not be more than ${longest} bytes`
    return [{ reason: 'FieldValueInvalid', field, message }]
  }
  const characters = [...manager]
  const at = characters.findIndex((character) => !printable.test(character))
  if (at < 0) return []
  const code = (characters[at]?.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')
  const position = Buffer.byteLength(characters.slice(0, at).join(''))
  const message = `Invalid value: ${JSON.stringify(manager)}: invalid character U+${code} (at position ${position})`
  return [{ reason: 'FieldValueInvalid', field, message }]
}

/** `kubectl` of `kubectl/v1.32.5 (linux/amd64)`. */
function fromUserAgent(userAgent: string): string {
  const [product = ''] = userAgent.split('/', 1)
  let name = ''
  for (const character of product) {
    if (!printable.test(character)) continue
    if (Buffer.byteLength(name + character) > longest) break
    name += character
  }
  return name || unknownManager
}
