/**
 * Images between nodes, the asking side: what another node sends of an image is loaded here, and then gets its names, so
 * that nothing has a name before it is whole.
 */
import { isReason, messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import { humanBytes } from '#pkg/apimachinery/quantity.ts'
import type { LoadedImages } from '#pkg/engine/images.ts'
import type { PullProgress } from '#pkg/engine/port.ts'
import type { OpOf } from '../ops.ts'
import { chainsHere } from './layers.ts'
import type { ImageContext } from './performimages.ts'
import { withoutNames } from './receivedarchive.ts'

interface Arrived {
  readonly id: string
  readonly bytes: number
}

export async function transferImage(
  op: OpOf<'transferImage'>,
  context: ImageContext,
  signal: AbortSignal,
): Promise<void> {
  const { id, bytes } = await arrive(op, context, signal)
  for (const reference of op.references) await context.engine.tagImage(id, reference)
  context.onAnswer(op, { id, words: `${humanBytes(bytes)} of it were not here` })
}

/** An engine that does not find what it has asks for all of it. */
async function arrive(
  op: OpOf<'transferImage'>,
  context: ImageContext,
  signal: AbortSignal,
): Promise<Arrived> {
  const have = await chainsHere(context.engine)
  try {
    return await receive(op, { have, context, signal })
  } catch (error) {
    if (!isReason(error, 'InvalidSpec')) throw error
  }
  try {
    return await receive(op, { have: [], context, signal })
  } catch (cause) {
    if (!isReason(cause, 'InvalidSpec')) throw cause
    // It is not the object that is wrong: it may go well the next time.
    const message = `what node ${op.from} sent of ${op.image} cannot be loaded: ${messageOf(cause)}`
    throw new StatusError('EngineError', message, {}, { cause })
  }
}

interface Asking {
  readonly have: readonly string[]
  readonly context: ImageContext
  readonly signal: AbortSignal
}

async function receive(op: OpOf<'transferImage'>, { have, context, signal }: Asking): Promise<Arrived> {
  const { client, engine } = context
  const path = `/apis/cove.run/v1/nodes/${encodeURIComponent(op.from)}/images/layers`
  const query = new URLSearchParams([['image', op.image], ...have.map((chain) => ['have', chain])])
  const { body } = await client.stream({ method: 'GET', path, query }, signal)
  let bytes = 0
  let spoilt: unknown
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const piece of piecesOf(body)) {
      bytes += piece.length
      yield piece
    }
  }
  async function* checked(): AsyncGenerator<Uint8Array> {
    try {
      yield* withoutNames(counted())
    } catch (error) {
      spoilt = error
      throw error
    }
  }
  const onProgress = (progress: PullProgress) => context.onProgress(op, progress)
  try {
    return { id: idOf(op, await engine.loadImages(checked(), { signal, onProgress })), bytes }
  } catch (error) {
    // The engine only knows that its request was not finished.
    throw spoilt ?? error
  }
}

/** Throws EngineError when it is another image than the one that was asked for. */
function idOf({ from, image }: OpOf<'transferImage'>, { ids, references }: LoadedImages): string {
  const [id] = ids
  const isOther = image.startsWith('sha256:') && id !== image
  if (id !== undefined && ids.length === 1 && references.length === 0 && !isOther) return id
  const sent = [...ids, ...references].join(', ')
  throw new StatusError('EngineError', `node ${from} sent another image than ${image}: ${sent}`)
}

type Body = Awaited<ReturnType<ImageContext['client']['stream']>>['body']

async function* piecesOf(body: Body): AsyncGenerator<Uint8Array> {
  if (typeof body === 'string' || body instanceof Uint8Array) yield Buffer.from(body)
  else for await (const piece of body) yield Buffer.from(piece)
}
