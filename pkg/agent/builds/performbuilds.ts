/** Doing what is planned about builds: one op. Nothing is decided here but how a failure is told. */
import { classify, messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import { humanDuration } from '#pkg/apimachinery/quantity.ts'
import type { Secret } from '#pkg/apis/core.ts'
import { withStageLabels } from '#pkg/build/dockerfile/labels.ts'
import { parseDockerfile } from '#pkg/build/dockerfile/parse.ts'
import { BuildError, type BuiltImage } from '#pkg/engine/builds.ts'
import type { Host } from '../host.ts'
import type { ImageContext } from '../images/performimages.ts'
import type { ObjectName, OpOf } from '../ops.ts'
import type { Attempt, Mapping } from './attempt.ts'
import type { BuildEnd } from './buildbook.ts'
import { contextOf } from './buildcontext.ts'
import { bringCacheImages } from './cacheimages.ts'
import { inspectBases } from './inspectedbases.ts'
import { mustFit } from './layersleft.ts'
import { mustFetchNothing, triggersByStep } from './onbuild.ts'
import { takeOutputs } from './outputs.ts'
import type { BuildOrder } from './port.ts'
import { type RoomMemory, rememberRoom } from './roomwatch.ts'
import type { ContextStore } from './sources/contextstore.ts'

/** What performers of builds are given; the room (buildroom.ts) is one. */
export interface BuildPerforming {
  /** The archive of a stored context, by its digest. */
  readonly open: ContextStore['open']
  /** Fetches the files to the store. */
  readonly fetch: (op: OpOf<'fetchContext'>, signal: AbortSignal) => Promise<void>
  readonly begin: (build: ObjectName, order: BuildOrder) => Attempt
  readonly end: (build: ObjectName, attempt: Attempt, end: BuildEnd) => void
  readonly secretOf: (key: string) => Secret | undefined
}

export interface BuildContext extends ImageContext {
  /** Absent: this agent builds nothing. */
  readonly building?: BuildPerforming
  /** Absent: nobody looks at the engine's disk. */
  readonly host?: Pick<Host, 'whyNoRoom'>
}

export async function fetchContext(
  op: OpOf<'fetchContext'>,
  { building }: BuildContext,
  signal: AbortSignal,
): Promise<void> {
  await mustBuild(building).fetch(op, signal)
}

export async function buildImage(
  op: OpOf<'buildImage'>,
  context: BuildContext,
  signal: AbortSignal,
): Promise<void> {
  const { build, order } = op
  const building = mustBuild(context.building)
  const attempt = building.begin(build, order)
  const timeout = new AbortController()
  const words = `spec.timeout: not done after ${humanDuration(order.timeoutMs)}`
  const cancel = context.clock.after(order.timeoutMs, () =>
    timeout.abort(new StatusError('BuildFailed', words)),
  )
  const both = AbortSignal.any([signal, timeout.signal])
  const room = rememberRoom({
    clock: context.clock,
    whyNone: async () => await context.host?.whyNoRoom('what it writes'),
  })
  try {
    await bringCacheImages(op.cachePulls, { attempt, context }, both)
    const built = await make({ build, order, attempt, building, context, room, signal: both })
    building.end(build, attempt, { result: 'Succeeded', built })
    context.onAnswer(op, { id: built.image, words: wordsOf(attempt, built) })
  } catch (error) {
    const timedOut = timeout.signal.aborted && !signal.aborted
    const why = timedOut ? timeout.signal.reason : await withRoom(error, room)
    building.end(build, attempt, endOf(why, { attempt, timedOut, signal }))
    throw signal.aborted ? signal.reason : why
  } finally {
    cancel()
    room.stop()
  }
}

/** A step that fails where nothing can be written has done nothing wrong: it is tried again when there is room. */
async function withRoom(error: unknown, { whyNone }: RoomMemory): Promise<unknown> {
  if (!(error instanceof BuildError) || error.failure.exitCode === undefined) return error
  const none = await whyNone()
  return none === undefined
    ? error
    : new StatusError('NoSpace', `${error.message}; ${none}`, {}, { cause: error })
}

function mustBuild(building: BuildPerforming | undefined): BuildPerforming {
  if (building === undefined) throw new StatusError('InternalError', 'this agent builds nothing')
  return building
}

function wordsOf({ steps }: Attempt, { image }: BuiltImage): string {
  const cached = steps.filter(({ state }) => state === 'Cached').length
  return `${image}; ${cached} of ${steps.length} steps were cached`
}

interface Making {
  readonly build: ObjectName
  readonly order: BuildOrder
  readonly attempt: Attempt
  readonly building: BuildPerforming
  readonly context: BuildContext
  readonly room: RoomMemory
  readonly signal: AbortSignal
}

async function make({ build, order, attempt, building, context, room, signal }: Making): Promise<BuiltImage> {
  const bases = await inspectBases(order, context.engine)
  mustFetchNothing(bases)
  mustFit(order, bases)
  const { text, labels, mapping } = labelled(order)
  attempt.useMapping(mapping)
  attempt.useTriggers(triggersByStep(order, bases))
  const sent = await contextOf(order, text, building)
  const { target, platform, network } = order
  const built = await context.engine.buildImage({
    builder: order.builder,
    context: sent.archive,
    dockerfile: sent.dockerfile,
    tags: order.tags,
    args: argsOf(order, build),
    labels,
    noCache: order.noCache,
    cacheFrom: order.cacheFrom,
    secrets: secretsOf(order, building),
    onEvent: (event) => {
      if (event.type === 'output') room.hear(event.text)
      attempt.add(event)
    },
    signal,
    ...(target !== undefined && { target }),
    ...(platform !== undefined && { platform }),
    ...(network !== undefined && { network }),
  })
  const say = (line: string) => attempt.say(line)
  await takeOutputs({ image: built.image, outputs: order.outputs, say }, context.engine, signal)
  return built
}

/** Cache mounts of one name are one folder for all who build on the engine: each namespace has its own. */
function argsOf({ builder, args }: BuildOrder, { namespace }: ObjectName): BuildOrder['args'] {
  return builder === 'BuildKit' ? { ...args, BUILDKIT_CACHE_MOUNT_NS: namespace } : args
}

interface LabelledBuild {
  readonly text: string
  /** Those that go along with the request. */
  readonly labels: Readonly<Record<string, string>>
  readonly mapping: Mapping
}

/** The classic builder gives labels to its last stage only, and makes a step of its own of them: that is not told. */
function labelled({ builder, dockerfile: text, labels, target }: BuildOrder): LabelledBuild {
  const plain = { stepOf: (step: number) => step, lineOf: (line: number) => line }
  if (builder === 'BuildKit') return { text, labels, mapping: { ...plain, hides: () => false } }
  const { dockerfile } = parseDockerfile(text)
  const [only, second] = dockerfile.stages
  if (only !== undefined && second === undefined && target === undefined) {
    const last = dockerfile.globals.length + 1 + only.instructions.length
    const mapping = {
      ...plain,
      stepOf: (step: number) => Math.min(step, last),
      hides: (step: number) => step > last,
    }
    return { text, labels, mapping }
  }
  const changed = withStageLabels(dockerfile, labels)
  return { text: changed.text, labels: changed.text === text ? labels : {}, mapping: changed }
}

/** As they are now. */
function secretsOf({ secrets }: BuildOrder, performing: BuildPerforming): ReadonlyMap<string, Uint8Array> {
  return new Map(
    secrets.map(({ id, secret, key }) => {
      const value = performing.secretOf(secret)?.data?.[key]
      if (value === undefined)
        throw new StatusError('NotFound', `spec.secrets ${id}: Secret ${secret} has no ${key} any more`)
      return [id, Buffer.from(value, 'base64')] as const
    }),
  )
}

interface Ending {
  readonly attempt: Attempt
  readonly timedOut: boolean
  readonly signal: AbortSignal
}

function endOf(error: unknown, { attempt, timedOut, signal }: Ending): BuildEnd {
  if (signal.aborted) return { result: 'Canceled', message: messageOf(signal.reason) }
  const told = error instanceof StatusError && error.reason === 'NoSpace' ? error.cause : error
  const details = told instanceof BuildError ? told.failure : {}
  const reason = timedOut ? 'TimedOut' : reasonOf(error)
  const failure = attempt.failureOf(details, { reason, message: messageOf(error) })
  return { result: 'Failed', failure, permanent: timedOut || classify(error) === 'stall' }
}

function reasonOf(error: unknown): string {
  if (error instanceof BuildError) return error.failure.step === undefined ? 'BuildFailed' : 'StepFailed'
  return error instanceof StatusError ? error.reason : 'InternalError'
}
