/** Word of a server that lets its caller wait. */
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import type { ApiRequest, Transport } from '#pkg/apimachinery/transport.ts'

export interface SlowAnswers {
  readonly clock: Clock
  /** How long an answer may take to begin; ms. */
  readonly afterMs: number
  readonly tell: () => Promise<void>
}

/** Tells once each time that questions wait for so long, however many they are. What cannot be told fails the next one. */
export function withSlowAnswers(transport: Transport, { clock, afterMs, tell }: SlowAnswers): Transport {
  let waiting = 0
  let isTold = false
  let failure: { readonly error: unknown } | undefined
  const tellOnce = () => {
    if (isTold) return
    isTold = true
    tell().catch((error: unknown) => {
      failure = { error }
    })
  }
  return async (request) => {
    if (failure !== undefined) throw failure.error
    if (isLong(request)) return await transport(request)
    waiting += 1
    const cancel = clock.after(afterMs, tellOnce)
    try {
      return await transport(request)
    } finally {
      cancel()
      waiting -= 1
      if (waiting === 0) isTold = false
    }
  }
}

/** What takes its time by its nature, and tells of that itself. */
function isLong({ input, query }: ApiRequest): boolean {
  return input !== undefined || query.get('watch') === 'true' || query.get('follow') === 'true'
}
