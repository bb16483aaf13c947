/** Doing what is planned about images: one op, and what it found besides that it succeeded. Nothing is decided here. */
import { isReason, StatusError } from '#pkg/apimachinery/errors.ts'
import { nobodysLabel } from '#pkg/apis/wellknown.ts'
import type { Engine, PullProgress } from '#pkg/engine/port.ts'
import type { RegistryClient } from '#pkg/registry/port.ts'
import { canonicalImage } from '../image.ts'
import type { AgentOp, OpOf } from '../ops.ts'
import { type CredentialSources, credentialsOf, withEach } from './credentials.ts'
import { type FetchContext, withFile } from './fetchfile.ts'
import type { OpAnswer } from './imagebook.ts'
import type { LentNames } from './lentnames.ts'
import { withRetryAfter } from './retryafter.ts'

export interface ImageContext extends FetchContext {
  readonly engine: Engine
  readonly credentials: CredentialSources
  /** Absent: registries are asked through the engine only. */
  readonly registry?: RegistryClient
  readonly lent: LentNames
  readonly onProgress: (op: AgentOp, progress: PullProgress) => void
  /** Called once by each op that has found something. */
  readonly onAnswer: (op: AgentOp, answer: OpAnswer) => void
}

/** With each of the credentials that may be meant, as Kubernetes does; without any when there are none. */
export async function pullImage(
  op: OpOf<'pullImage'>,
  context: ImageContext,
  signal: AbortSignal,
): Promise<void> {
  const { reference, secrets, platform, allTags } = op
  const offered = await credentialsOf(reference, { secrets, signal }, context.credentials)
  const states = new Map<string, string>()
  const onProgress = (progress: PullProgress) => {
    states.set(progress.layer, progress.state)
    context.onProgress(op, progress)
  }
  const { upToDate, digest } = await withEach(reference, offered, (credentials) =>
    context.engine.pullImage(reference, {
      signal,
      onProgress,
      ...(credentials && { credentials }),
      ...(platform !== undefined && { platform }),
      ...(allTags === true && { allTags }),
    }),
  ).catch(async (error: unknown) => {
    throw await withRetryAfter(error, { reference, offered, registry: context.registry, signal })
  })
  const words = pulledWords(reference, upToDate, [...states.values()])
  const told = digest === undefined ? words : `${words}; digest ${digest}`
  context.onAnswer(op, { words: told, ...(digest !== undefined && { digest }) })
}

/** As docker words it. */
function pulledWords(reference: string, upToDate: boolean, states: readonly string[]): string {
  if (upToDate) return `Image is up to date for ${reference}`
  const reused = states.filter((state) => state === 'Already exists').length
  const layers = states.length === 0 ? '' : `; ${reused} of ${states.length} layers were here`
  return `Downloaded newer image for ${reference}${layers}`
}

/** A name that is gone already is no failure. */
export async function untagImage(op: OpOf<'untagImage'>, context: ImageContext): Promise<void> {
  try {
    const { untagged, deleted } = await context.engine.removeImage(op.reference, { force: false })
    const words = `untagged ${untagged.length}, deleted ${deleted.length}`
    context.onAnswer(op, { words })
  } catch (error) {
    if (!isReason(error, 'NotFound') && !isReason(error, 'ImageNotFound')) throw error
  }
}

/** The name is given before in any case: somebody may have moved it. */
export async function pushImage(
  op: OpOf<'pushImage'>,
  context: ImageContext,
  signal: AbortSignal,
): Promise<void> {
  const { engine, lent } = context
  const { image, reference, secrets, named: before } = op
  const offered = await credentialsOf(reference, { secrets, signal }, context.credentials)
  const isLent = before !== undefined || !op.keepsName
  if (isLent) await lent.lend(reference, { image, ...(before !== undefined && { before }) })
  else await engine.tagImage(image, reference)
  const onProgress = (progress: PullProgress) => context.onProgress(op, progress)
  try {
    const { digest } = await withEach(reference, offered, (credentials) =>
      engine.pushImage(reference, { signal, onProgress, ...(credentials && { credentials }) }),
    )
    context.onAnswer(op, { digest, words: `digest ${digest}` })
  } finally {
    if (isLent) await lent.takeBack(reference)
  }
}

/** An archive that does not hold what is wanted has given its images their names all the same: that is said. */
export async function loadImage(
  op: OpOf<'loadImage'>,
  context: ImageContext,
  signal: AbortSignal,
): Promise<void> {
  const { engine } = context
  const onProgress = (progress: PullProgress) => context.onProgress(op, progress)
  const use = (content: AsyncIterable<Uint8Array>) => engine.loadImages(content, { signal, onProgress })
  const { references, ids } = await withFile(op.from, context, { use, signal })
  const wanted = canonicalImage(op.reference)
  if (!references.some((reference) => canonicalImage(reference) === wanted)) {
    const held = [...references, ...ids].join(', ') || 'no image at all'
    throw new StatusError('InvalidSpec', `the archive does not hold ${op.reference}: it holds ${held}`)
  }
  const details = await engine.imageDetails(op.reference)
  const words = `it holds ${references.join(', ')}`
  context.onAnswer(op, { words, ...(details !== undefined && { id: details.id }) })
}

export async function importImage(
  op: OpOf<'importImage'>,
  context: ImageContext,
  signal: AbortSignal,
): Promise<void> {
  const { reference, changes, message, platform } = op
  const onProgress = (progress: PullProgress) => context.onProgress(op, progress)
  const use = (content: AsyncIterable<Uint8Array>) =>
    context.engine.importImage(content, {
      signal,
      onProgress,
      reference,
      changes,
      ...(message !== undefined && { message }),
      ...(platform !== undefined && { platform }),
    })
  const { image } = await withFile(op.from, context, { use, signal })
  context.onAnswer(op, { id: image, words: image })
}

export async function commitImage(
  op: OpOf<'commitImage'>,
  context: ImageContext,
  signal: AbortSignal,
): Promise<void> {
  const { container, reference, author, message, changes, pause } = op
  const { image } = await context.engine.commitContainer(container, {
    reference,
    changes: [nobodysLabel, ...changes],
    pause,
    signal,
    ...(author !== undefined && { author }),
    ...(message !== undefined && { message }),
  })
  context.onAnswer(op, { id: image, words: image })
}
