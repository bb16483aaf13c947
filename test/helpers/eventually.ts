/** Waiting for the real world without a fixed sleep: a check is tried until it passes or time is up. */

/** Between two tries, in ms. */
const defaultPause = 10

export interface EventuallyOptions {
  readonly timeoutMs?: number
  /** Between two tries, when each of them costs something (10). */
  readonly pauseMs?: number
  /** What is waited for; begins the failure's message. */
  readonly what?: string
}

/** Resolves with what `check` returns once it does not throw; after `timeoutMs` (default 60 s: patience of a machine at work costs nothing where all is well) fails with its last error. */
export async function eventually<T>(
  check: () => T | Promise<T>,
  { timeoutMs = 60_000, pauseMs = defaultPause, what = 'the check' }: EventuallyOptions = {},
): Promise<T> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    try {
      return await check()
    } catch (error) {
      if (performance.now() >= deadline) {
        const last = error instanceof Error ? error.message : String(error)
        throw new Error(`${what} did not pass within ${timeoutMs} ms: ${last}`, { cause: error })
      }
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
}
