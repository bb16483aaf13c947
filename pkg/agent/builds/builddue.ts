/**
 * Whether a Build whose files and base images are there is to be made: what it would be made of, what of that has moved since
 * its image was, and the order for it. Pure.
 */
import { objectKey, timestamp } from '#pkg/apimachinery/meta.ts'
import { parseDuration } from '#pkg/apimachinery/quantity.ts'
import { engineNetworks } from '#pkg/apis/build.references.ts'
import { namesOfBuild } from '#pkg/apis/build.said.ts'
import { statusBounds } from '#pkg/apis/build.status.ts'
import type { Build, BuildStatus } from '#pkg/apis/build.ts'
import { buildAnnotation, engineLabels, engineName, engineNameOf } from '#pkg/apis/wellknown.ts'
import { canonicalImage, findImage } from '../image.ts'
import { statusOfBuild } from '../images/built.ts'
import { isCollected } from '../images/imageobject.plan.ts'
import type { World } from '../world.ts'
import type { Bases } from './buildbases.ts'
import { digestInSource, fetchKey } from './buildsource.ts'
import { movedParts, type Told, tellMoves, triggersBuild } from './causes.ts'
import type { DockerfileFacts } from './dockerfilefacts.ts'
import { hashOfInputs, hashOfSecret, type Inputs, inputsOf } from './inputs.ts'
import { type BuildOrder, moveKey } from './port.ts'
import { lastDue } from './schedule.ts'
import { type Draft, imageOfName, pathOf, type Subject, type Weighed } from './weighed.ts'

/** As the engine calls it: one of the namespace, and no other. */
export function networkOf({ metadata, spec }: Build, { desired }: World): string | undefined {
  const { network: name } = spec
  if (name === undefined || engineNetworks.has(name)) return name
  const { namespace = 'default' } = metadata
  const network = desired.networks.get(objectKey({ namespace, name }))
  return network === undefined ? engineName({ namespace, name }) : engineNameOf(network)
}

interface Material {
  readonly text: string
  readonly read: Extract<DockerfileFacts, { ok: true }>
  readonly bases: Bases
}

export function weighInputs(subject: Subject, material: Material): Weighed {
  const { build, world, wanted, stored, facts, keys } = subject
  const context = stored?.digest ?? digestInSource(wanted.source)
  const status = statusOfBuild(build, world)
  const request = build.metadata.annotations?.[buildAnnotation] ?? status.request
  const scheduledAt = scheduledOf(build, world)
  const inputs = inputsOf({
    spec: build.spec,
    dockerfile: material.text,
    builder: material.read.builder,
    bases: material.bases.ids,
    secrets: secretHashes(build, world, facts.secretKey),
    ...(context !== undefined && { context }),
    ...(request !== undefined && { request }),
    ...(scheduledAt !== undefined && { scheduledAt }),
  })
  const key = hashOfInputs(inputs)
  const all = [...keys, key]
  const cause = whyDue(build, inputs, world)
  const told = toldOf(subject, material)
  if (cause === undefined) return { is: 'current', key, keys: all, told }
  const isThere = stored !== undefined || wanted.source.type === 'empty'
  if (!isThere || !isCompared(build, context, world))
    return { is: 'fetch', wanted, cause, key: fetchKey(build, wanted), keys: all }
  const answered = {
    ...(request !== undefined && { request }),
    ...(scheduledAt !== undefined && { scheduledAt }),
  }
  const draft = { ...draftOf(subject, material), cause, inputHash: key, inputs, answers: answered, told }
  return { is: 'due', key, keys: all, draft: withRequest(draft, status) }
}

/** Digest of the files of which the image was made. */
export function contextBefore(build: Build, world: Pick<World, 'building'>): string | undefined {
  return statusOfBuild(build, world).inputs?.['context']
}

/** Whether it is known which files have moved, as far as that can be known. */
function isCompared(build: Build, context: string | undefined, world: World): boolean {
  const before = contextBefore(build, world)
  const moves = world.building?.moves
  if (moves === undefined || before === undefined || context === undefined) return true
  return before === context || moves.has(moveKey(before, context))
}

/** What goes along with a request counts for the build that answers it. */
function withRequest(draft: Draft, { request, inputs }: BuildStatus): Draft {
  const asked = draft.answers.request
  const isNew = asked !== undefined && (asked !== request || asked !== inputs?.['requested'])
  return isNew && hasWord(asked, 'no-cache') ? { ...draft, noCache: true } : draft
}

export function hasWord(request: string | undefined, word: string): boolean {
  return request?.split(/\s+/).slice(1).includes(word) === true
}

function secretHashes(
  { metadata, spec }: Build,
  { desired }: World,
  key: Uint8Array | undefined,
): ReadonlyMap<string, string> {
  const { namespace = 'default' } = metadata
  return new Map(
    spec.secrets.map(({ id, secret, key: name }) => {
      const value = desired.secrets.get(objectKey({ namespace, name: secret }))?.data?.[name] ?? ''
      const own = { namespace, id, value: Buffer.from(value, 'base64') }
      return [id, hashOfSecret(key ?? new Uint8Array(), own)] as const
    }),
  )
}

/** A build under way is not given up for the next time of its schedule. */
function scheduledOf(build: Build, world: World): string | undefined {
  const { metadata, spec } = build
  const running = world.building?.running?.get(metadata.uid ?? '')
  if (running !== undefined) return running.order.answers.scheduledAt
  const { scheduledAt } = statusOfBuild(build, world)
  const since = scheduledAt ?? metadata.creationTimestamp
  const due = since === undefined ? undefined : lastDue(spec.triggers, Date.parse(since), world.now)
  return due === undefined ? scheduledAt : timestamp(due)
}

/** Undefined: the image is what its inputs say, or what has moved does not count. */
function whyDue(build: Build, inputs: Inputs, world: World): string | undefined {
  const { image, inputs: before } = statusOfBuild(build, world)
  if (image === undefined || before === undefined) return 'it is not built yet'
  const moved = movedParts(before, inputs)
  if (moved.some((part) => triggersBuild(part, build.spec)))
    return tellMoves(moved, {
      before,
      after: inputs,
      dockerfileName: build.spec.dockerfile,
      ...filesMoved(before, inputs, world),
    })
  const isHere = findImage(world.observed.images, image.id) !== undefined
  if (isHere || isPruned(build, world)) return undefined
  return `the image ${image.id.slice(0, 19)} is not on the node any more`
}

function filesMoved(before: Inputs, after: Inputs, { building }: World): Pick<Told, 'files'> {
  const [was, is] = [before['context'], after['context']]
  const move = was && is ? building?.moves?.get(moveKey(was, is)) : undefined
  return move === undefined || move === 'unknown' ? {} : { files: move }
}

function isPruned(build: Build, world: World): boolean {
  const image = imageOfName(build, world)
  return image !== undefined && isCollected(image, world)
}

function toldOf({ stored, facts }: Subject, { read, bases }: Material): BuildOrder['told'] {
  const seen = [...bases.ids].map(([reference, id]) => {
    const { digest, at } = facts.bases.get(canonicalImage(reference)) ?? {}
    return {
      reference,
      id,
      ...(digest !== undefined && { digest }),
      ...(at !== undefined && { checkedAt: timestamp(at) }),
    }
  })
  return {
    bases: seen.slice(0, statusBounds.bases),
    warnings: [...read.warnings],
    ...(stored !== undefined && {
      revision: stored.revision,
      contextBytes: stored.bytes,
      contextFiles: stored.files,
    }),
  }
}

function draftOf(
  { build, world, stored }: Subject,
  { text, read }: Material,
): Omit<Draft, 'cause' | 'inputHash' | 'inputs' | 'answers' | 'told'> {
  const { metadata, spec } = build
  const { namespace = 'default', name } = metadata
  const { target, platform } = spec
  const network = networkOf(build, world)
  const path = pathOf(spec.dockerfile, stored)
  const isThere = path !== undefined && stored?.dockerfiles[path] === text
  return {
    ...(isThere && { dockerfilePath: path }),
    ...(stored !== undefined && { context: stored.digest }),
    dockerfile: text,
    dockerfileName: spec.dockerfile,
    builder: read.builder,
    tags: namesOfBuild(build),
    args: spec.args,
    labels: { ...spec.labels, [engineLabels.build]: `${namespace}/${name}` },
    ...(target !== undefined && { target }),
    ...(platform !== undefined && { platform }),
    ...(network !== undefined && { network }),
    noCache: spec.noCache,
    cacheFrom: spec.cacheFrom,
    secrets: spec.secrets.map(({ id, secret, key }) => ({
      id,
      secret: objectKey({ namespace, name: secret }),
      key,
    })),
    outputs: spec.outputs.filter(({ to }) => to.startsWith('/')),
    timeoutMs: parseDuration(spec.timeout) ?? 3_600_000,
  }
}
