/** Doing: one op, one call. Nothing is decided here. */
import { isReason } from '#pkg/apimachinery/errors.ts'
import { buildKind } from '#pkg/apis/build.ts'
import { containerKind } from '#pkg/apis/container.kind.ts'
import { imageKind } from '#pkg/apis/image.ts'
import { anyKind, type Kind } from '#pkg/apis/kind.ts'
import { networkKind } from '#pkg/apis/network.ts'
import { volumeKind } from '#pkg/apis/volume.ts'
import { nodeFinalizer } from '#pkg/apis/wellknown.ts'
import type { Client } from '#pkg/client/rest.ts'
import * as builds from './builds/performbuilds.ts'
import type { Host } from './host.ts'
import * as images from './images/performimages.ts'
import { transferImage } from './images/transfer.ts'
import type { AgentOp, OpOf, OpType } from './ops.ts'
import type { NodeFiles } from './projection.ts'

export interface PerformContext extends images.ImageContext, Pick<builds.BuildContext, 'building'> {
  readonly client: Client
  readonly nodeName: string
  readonly files: NodeFiles
  readonly host: Pick<Host, 'write' | 'reload' | 'mustHaveRoom' | 'whyNoRoom'>
}

type Performers = {
  readonly [Type in OpType]: (
    op: OpOf<Type>,
    context: PerformContext,
    signal: AbortSignal,
  ) => Promise<unknown>
}

const performers: Performers = {
  pullImage: images.pullImage,
  tagImage: ({ image, reference }, { engine }) => engine.tagImage(image, reference),
  untagImage: images.untagImage,
  pushImage: images.pushImage,
  loadImage: images.loadImage,
  importImage: images.importImage,
  commitImage: images.commitImage,
  transferImage,
  fetchContext: builds.fetchContext,
  buildImage: builds.buildImage,
  createVolume: ({ create }, { engine }) => engine.createVolume(create),
  removeVolume: ({ volume }, { engine }) => gone(engine.removeVolume(volume)),
  createNetwork: ({ create }, { engine }) => engine.createNetwork(create),
  removeNetwork: ({ network }, { engine }) => gone(engine.removeNetwork(network)),
  writeFiles: ({ projected }, { files }) => files.write(projected),
  createContainer: ({ create }, { engine }) => engine.createContainer(create),
  startContainer: ({ container }, { engine }) => engine.startContainer(container),
  stopContainer: ({ container, gracePeriod }, { engine }) =>
    gone(engine.stopContainer(container, gracePeriod)),
  restartContainer: ({ container, gracePeriod }, { engine }) =>
    engine.restartContainer(container, gracePeriod),
  pauseContainer: ({ container }, { engine }) => engine.pauseContainer(container),
  unpauseContainer: ({ container }, { engine }) => engine.unpauseContainer(container),
  renameContainer: ({ container, name }, { engine }) => engine.renameContainer(container, name),
  updateContainer: ({ container, limits }, { engine }) => engine.updateContainer(container, limits),
  removeContainer: ({ container, prunes }, { engine }) =>
    gone(
      engine.removeContainer(
        container,
        prunes === true ? { anonymousVolumes: false, ifEnded: true } : { anonymousVolumes: true },
      ),
    ),
  removeImage: ({ image, reference }, { engine }) =>
    gone(engine.removeImage(reference ?? image, { force: false })),
  pruneBuildCache: (op, { engine }) => engine.pruneBuildCache(op),
  connectNetwork: ({ container, attachment }, { engine }) => engine.connectNetwork(container, attachment),
  disconnectNetwork: ({ container, network }, { engine }) => engine.disconnectNetwork(container, network),
  writeEngineConfig: (op, { host }) => host.write(op),
  reloadEngine: (op, { host }) => host.reload(op),
  releaseObject: release,
}

export async function perform(op: AgentOp, context: PerformContext, signal: AbortSignal): Promise<void> {
  const performer: (op: never, context: PerformContext, signal: AbortSignal) => Promise<unknown> =
    performers[op.type]
  await context.host.mustHaveRoom(op, context, signal)
  // The table is keyed by the op's own type, which the compiler cannot follow through the union.
  await performer(op as never, context, signal)
}

/** What is to go and is not there has gone: the wish is met. */
async function gone(removal: Promise<unknown>): Promise<void> {
  try {
    await removal
  } catch (error) {
    if (!isReason(error, 'NotFound')) throw error
  }
}

const released: Readonly<Record<OpOf<'releaseObject'>['kind'], Kind>> = {
  Container: anyKind(containerKind),
  Volume: anyKind(volumeKind),
  Network: anyKind(networkKind),
  Image: anyKind(imageKind),
  Build: anyKind(buildKind),
}

/** What goes is written to by its node, too, which says that it goes: so it is read and tried again, this often. */
const releaseTries = 5

/** Takes this node's finalizer off, against the revision it was read at. */
async function release(
  op: OpOf<'releaseObject'>,
  context: PerformContext,
  signal: AbortSignal,
): Promise<void> {
  for (let left = releaseTries; left > 0; left--)
    try {
      return await releaseOnce(op, context, signal)
    } catch (error) {
      if (isReason(error, 'NotFound')) return
      if (left === 1 || !isReason(error, 'Conflict')) throw error
    }
}

async function releaseOnce(
  op: OpOf<'releaseObject'>,
  { client, nodeName }: PerformContext,
  signal: AbortSignal,
): Promise<void> {
  const kind = released[op.kind]
  const { metadata } = await client.get(kind, op.object, signal)
  const finalizers = (metadata.finalizers ?? []).filter((finalizer) => finalizer !== nodeFinalizer(nodeName))
  const patch = { metadata: { finalizers, resourceVersion: metadata.resourceVersion } }
  await client.patch(kind, op.object, patch, signal)
}
