/**
 * Whether there is room for what an op brings to the engine's disk, before it is begun: what does not fit would fill the
 * disk, and fail in the end. What registries are asked for is only asked when room is short.
 */
import { isAbort, StatusError } from '#pkg/apimachinery/errors.ts'
import { type ImageReference, parseReference } from '#pkg/apimachinery/reference.ts'
import type { Engine } from '#pkg/engine/port.ts'
import type { RegistryClient } from '#pkg/registry/port.ts'
import { type Disk, roomFor } from '../disk.ts'
import type { AgentOp, OpOf } from '../ops.ts'
import { type CredentialSources, credentialsOf } from './credentials.ts'

export interface PullRoomOptions {
  readonly disk: Disk
  readonly engine: Pick<Engine, 'listImages'>
  readonly credentials: CredentialSources
  /** Absent: sizes are not asked for. */
  readonly registry?: Pick<RegistryClient, 'layers'> | undefined
  /** As images name it: `linux/amd64`. */
  readonly platform: string
}

/** With more than this free hardly an image is too large, and no registry is bothered; bytes. */
const ampleBytes = 20e9
const bringing: readonly AgentOp['type'][] = ['pullImage', 'loadImage', 'importImage', 'transferImage']

export function bringsImage({ type }: AgentOp): boolean {
  return bringing.includes(type)
}

/** Throws NoSpace, with the numbers. */
export async function mustFit(op: AgentOp, options: PullRoomOptions, signal: AbortSignal): Promise<void> {
  const { disk } = options
  const none = roomFor(undefined, disk)
  if (none !== undefined) throw new StatusError('NoSpace', none)
  if (op.type !== 'pullImage' || disk.availableBytes >= ampleBytes) return
  const bytes = await sizeOf(op, options, signal)
  const tooLarge = roomFor(bytes, disk)
  if (tooLarge !== undefined) throw new StatusError('NoSpace', `${op.reference}: ${tooLarge}`)
}

/** Of the layers as they travel; undefined: not known. That is never a reason not to pull: the pull itself will tell. */
async function sizeOf(
  { reference, secrets, platform }: OpOf<'pullImage'>,
  options: PullRoomOptions,
  signal: AbortSignal,
): Promise<number | undefined> {
  const parsed = parseReference(reference)
  // There the question would count as a pull.
  if (!parsed.ok || options.registry === undefined || parsed.reference.registry === 'docker.io')
    return undefined
  if (await hasRelative(parsed.reference, options)) return undefined
  try {
    const { found } = await credentialsOf(reference, { secrets, signal }, options.credentials)
    const credentials = found.map((each) => each.credentials)
    const asking = { credentials, signal, platform: platform ?? options.platform }
    const layers = await options.registry.layers(parsed.reference, asking)
    const sizes = new Map(layers.map(({ digest, bytes }) => [digest, bytes]))
    return [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0)
  } catch (error) {
    if (signal.aborted || isAbort(error) || !(error instanceof StatusError)) throw error
    return undefined
  }
}

/** Another version of it is likely to have most of its layers, which are not fetched again. */
async function hasRelative(
  { registry, repository }: ImageReference,
  { engine }: PullRoomOptions,
): Promise<boolean> {
  const names = (await engine.listImages()).flatMap(({ references, digests }) => [...references, ...digests])
  return names.some((name) => {
    const other = parseReference(name)
    return other.ok && other.reference.registry === registry && other.reference.repository === repository
  })
}
