/**
 * A transfer as lines of JSON: how far it is while it goes on, and at last how it ended. Whoever reads slowly hears less
 * of the way, never less of the end.
 */
import { messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import type { ApiResponse } from '#pkg/apimachinery/transport.ts'
import type { LayerProgress, TransferDone } from '#pkg/apis/looks.images.ts'

export type Transfer = (onProgress: (progress: LayerProgress) => void) => Promise<TransferDone>

export function transferLines(transfer: Transfer): ApiResponse {
  const headers = { 'content-type': 'application/json;stream=watch' }
  return { status: 200, headers, body: lines(transfer) }
}

async function* lines(transfer: Transfer): AsyncGenerator<string> {
  // Of each state of each layer only the last word counts, so that what waits to be read is bounded.
  const waiting = new Map<string, LayerProgress>()
  let wake = Promise.withResolvers<void>()
  let end: object | undefined
  const finish = (line: object) => {
    end = line
    wake.resolve()
  }
  transfer((progress) => {
    const key = `${progress.layer} ${progress.state}`
    waiting.delete(key)
    waiting.set(key, progress)
    wake.resolve()
  }).then(
    (done) => finish({ done }),
    (error: unknown) => finish({ error: statusOf(error) }),
  )
  while (end === undefined || waiting.size > 0) {
    await wake.promise
    wake = Promise.withResolvers()
    const progress = [...waiting.values()]
    waiting.clear()
    for (const each of progress) yield `${JSON.stringify(each)}\n`
    if (end !== undefined) wake.resolve()
  }
  yield `${JSON.stringify(end)}\n`
}

function statusOf(error: unknown): object {
  const known = error instanceof StatusError ? error : new StatusError('InternalError', messageOf(error))
  return known.toStatus()
}
