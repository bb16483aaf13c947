/** RFC 6902 patches. The only file that knows the library. */
import jsonpatch from 'fast-json-patch'
import { badRequest, messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import type { Json } from '../http/body.ts'

/** As Kubernetes: more than anybody needs, and few enough not to keep the server busy. */
const maxOperations = 10_000

/** Of the RFC, with the members that each must have. */
const operations: Readonly<Record<string, readonly string[] | undefined>> = {
  add: ['path', 'value'],
  remove: ['path'],
  replace: ['path', 'value'],
  move: ['path', 'from'],
  copy: ['path', 'from'],
  test: ['path', 'value'],
}

/**
 * The patched copy. Throws BadRequest when the patch is malformed, Invalid when it does not fit the object: a path
 * that is not there, or a test that fails.
 */
export function applyJsonPatch(kind: Kind, current: Json, patch: unknown): unknown {
  const list = decodePatch(patch)
  const copy: unknown = structuredClone(current)
  try {
    return jsonpatch.applyPatch(copy, list, true, true, true).newDocument
  } catch (error) {
    // Besides its own errors the library throws a TypeError for paths that would reach a prototype.
    if (!(error instanceof jsonpatch.JsonPatchError) && !(error instanceof TypeError)) throw error
    throw new StatusError(
      'Invalid',
      `the patch does not fit the ${kind.kind}: ${firstLine(messageOf(error))}`,
      { group: kind.group, kind: kind.kind },
      { cause: error },
    )
  }
}

function decodePatch(patch: unknown): jsonpatch.Operation[] {
  if (!Array.isArray(patch)) throw badRequest('a JSON patch must be a list of operations')
  if (patch.length > maxOperations) {
    const message = `a JSON patch may have at most ${maxOperations} operations`
    throw new StatusError('RequestEntityTooLarge', message)
  }
  return patch.map(decodeOperation)
}

function decodeOperation(operation: unknown, index: number): jsonpatch.Operation {
  const known = isPlainObject(operation) ? operations[String(operation['op'])] : undefined
  if (!isPlainObject(operation) || known === undefined) {
    throw badRequest(`[${index}]: op must be one of ${Object.keys(operations).join(', ')}`)
  }
  const missing = known.find((member) => operation[member] === undefined)
  if (missing !== undefined) throw badRequest(`[${index}]: ${String(operation['op'])} needs ${missing}`)
  // The members that its op asks for are there; the library checks their form.
  return operation as unknown as jsonpatch.Operation
}

/** The library's messages go on with a dump of the whole document. */
function firstLine(message: string): string {
  return message.split('\n', 1)[0] ?? message
}
