/**
 * Images whose layers a build may take: brought before it, where the node lacks them. One that cannot be brought costs the
 * build that cache and nothing else, and is told as a warning.
 */
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import { messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import { type ImageContext, pullImage } from '../images/performimages.ts'
import type { OpOf } from '../ops.ts'
import type { Attempt } from './attempt.ts'

/** ms; a registry that says nothing for so long keeps no build waiting. */
export const longestSilence = 30_000

export interface CacheBringing {
  readonly attempt: Pick<Attempt, 'say' | 'add'>
  readonly context: ImageContext
}

/** Throws what the signal says, and nothing else. */
export async function bringCacheImages(
  pulls: readonly OpOf<'pullImage'>[],
  bringing: CacheBringing,
  signal: AbortSignal,
): Promise<void> {
  for (const op of pulls) await bringOne(op, bringing, signal)
}

async function bringOne(
  op: OpOf<'pullImage'>,
  { attempt, context }: CacheBringing,
  signal: AbortSignal,
): Promise<void> {
  const silence = watchSilence(context.clock)
  const onProgress: ImageContext['onProgress'] = (of, progress) => {
    silence.heard()
    context.onProgress(of, progress)
  }
  const onAnswer: ImageContext['onAnswer'] = (_, { words = '' }) => attempt.say(words)
  attempt.say(`pulling ${op.reference}, whose layers count as cache`)
  try {
    await pullImage(op, { ...context, onProgress, onAnswer }, AbortSignal.any([signal, silence.signal]))
  } catch (error) {
    signal.throwIfAborted()
    const message = `spec.cacheFrom: ${op.reference} is not pulled, and none of its layers is taken: ${messageOf(error)}`
    attempt.add({ type: 'warning', message })
  } finally {
    silence.end()
  }
}

interface Silence {
  readonly signal: AbortSignal
  heard(): void
  end(): void
}

function watchSilence(clock: Clock): Silence {
  const silent = new AbortController()
  const words = `nothing was heard for ${longestSilence / 1000} s`
  const start = () =>
    clock.after(longestSilence, () => silent.abort(new StatusError('RegistryUnavailable', words)))
  let end = start()
  return {
    signal: silent.signal,
    heard: () => {
      end()
      end = start()
    },
    end: () => end(),
  }
}
