/** How far what comes or goes is, layer by layer. Pure. */
import type { Image, ImageNodeState } from '#pkg/apis/image.ts'
import type { PullProgress } from '#pkg/engine/port.ts'
import { canonicalImage } from '../image.ts'
import type { AgentOp } from '../ops.ts'
import { groupOf, type World } from '../world.ts'
import { atDigest } from './names.ts'
import { pullSecretsOfImage, statusOf } from './source.ts'

type Layers = NonNullable<ImageNodeState['layers']>

/** As the schema bounds it. */
const mostLayers = 256

/** What the book of what is under way knows an op by; undefined for ops that are done in a moment. */
export function progressKey(op: AgentOp): string | undefined {
  if (op.type === 'pullImage') return pullKeyOf(op)
  if (op.type === 'pushImage') return `push ${canonicalImage(op.reference)}`
  if (op.type === 'loadImage' || op.type === 'importImage') return `make ${canonicalImage(op.reference)}`
  if (op.type === 'transferImage') return `make ${canonicalImage(op.references[0] ?? op.image)}`
  return undefined
}

/** Who asks with other Secrets, or for another platform, may get another answer, so that is another pull. */
function pullKeyOf(wish: {
  readonly reference: string
  readonly secrets: readonly string[]
  readonly platform?: string
  readonly allTags?: boolean
}): string {
  const { reference, secrets, platform, allTags } = wish
  const parts = [
    canonicalImage(reference),
    ...(platform === undefined ? [] : [`for ${platform}`]),
    ...(allTags === true ? ['all tags'] : []),
    ...(secrets.length === 0 ? [] : [`with ${secrets.join(', ')}`]),
  ]
  return parts.join(' ')
}

/** Of what is under way to the node for the object; undefined when nothing is. */
export function progressOf(image: Image, world: World): Layers | undefined {
  const { spec } = image
  const found = statusOf(image, world).reference
  const wishes = [spec.reference, ...(found === undefined ? [] : [atDigest(found)])]
  const keys = wishes.flatMap((reference) => [
    pullKeyOf({
      reference,
      secrets: pullSecretsOfImage(image, reference, world.desired),
      ...(spec.platform !== undefined && { platform: spec.platform }),
      allTags: spec.allTags && reference === spec.reference,
    }),
    `make ${canonicalImage(reference)}`,
  ])
  const running = keys.flatMap((key) => world.pulls.get(key) ?? []).find((pull) => pull.running)
  if (running !== undefined) return running.layers.slice(0, mostLayers).map(asLayer)
  return world.busy.has(groupOf('Image', image.metadata)) ? [] : undefined
}

function asLayer({ layer, state, currentBytes, totalBytes }: PullProgress): Layers[number] {
  return {
    layer,
    state,
    ...(currentBytes !== undefined && { currentBytes }),
    ...(totalBytes !== undefined && { totalBytes }),
  }
}
