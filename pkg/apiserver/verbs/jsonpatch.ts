/** RFC 6902 patches. The only file that knows the library. */
import jsonpatch from 'fast-json-patch'
import { badRequest, messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { maxBodyBytes } from '#pkg/apimachinery/wire.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import type { Json } from '../http/body.ts'

/** As Kubernetes: more than anybody needs, and few enough not to keep the server busy. */
export const maxOperations = 10_000

/** Of the RFC, with the members that each must have. */
const operations: ReadonlyMap<string, readonly string[]> = new Map([
  ['add', ['path', 'value']],
  ['remove', ['path']],
  ['replace', ['path', 'value']],
  ['move', ['path', 'from']],
  ['copy', ['path', 'from']],
  ['test', ['path', 'value']],
])

/**
 * The patched copy. Throws BadRequest when the patch is malformed, Invalid when it does not fit the object: a path
 * that is not there, or a test that fails.
 */
export function applyJsonPatch(kind: Kind, current: Json, patch: unknown): unknown {
  // The library puts values of the patch into the document, and later operations change them there.
  const list = decodePatch(structuredClone(patch))
  try {
    return applied(structuredClone(current), list)
  } catch (error) {
    // Besides its own errors the library throws a TypeError for paths that would reach a prototype.
    if (!(error instanceof jsonpatch.JsonPatchError) && !(error instanceof TypeError)) throw error
    throw new StatusError(
      'Invalid',
      `the patch does not fit the ${kind.kind}: ${firstLine(messageOf(error))}`,
      // Without a kind: clients that are told one print it and leave the message out.
      {},
      { cause: error },
    )
  }
}

/** Each copy may copy all the copies before it: a patch of a few lines would fill the memory. As Kubernetes bounds it. */
function applied(document: unknown, list: readonly jsonpatch.Operation[]): unknown {
  let copied = 0
  let result = document
  for (const [index, operation] of list.entries()) {
    if (operation.op === 'copy') {
      copied += JSON.stringify(jsonpatch.getValueByPointer(result, operation.from))?.length ?? 0
      if (copied > maxBodyBytes) throw tooMuchCopied()
    }
    result = jsonpatch.applyOperation(result, operation, true, true, true, index).newDocument
  }
  return result
}

function tooMuchCopied(): StatusError {
  return new StatusError(
    'RequestEntityTooLarge',
    `the copy operations of a JSON patch may copy at most ${maxBodyBytes} bytes`,
  )
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
  const known = isPlainObject(operation) ? operations.get(String(operation['op'])) : undefined
  if (!isPlainObject(operation) || known === undefined) {
    throw badRequest(`[${index}]: op must be one of ${[...operations.keys()].join(', ')}`)
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
