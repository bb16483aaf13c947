/**
 * What stands between a Build and its image: its files, its base images, or nothing but the build itself; or that it is
 * what its inputs say. A stage has a key that changes with everything it works on: what failed is tried again, and what
 * is under way is broken off, when that is another one. Pure.
 */
import { fingerprint } from '#pkg/apimachinery/hash.ts'
import { objectKey } from '#pkg/apimachinery/meta.ts'
import { parseDuration } from '#pkg/apimachinery/quantity.ts'
import { whyImageIsTaken } from '#pkg/apis/build.image.ts'
import { engineNetworks } from '#pkg/apis/build.references.ts'
import { type Build, type BuildFailure, type BuildStatus, namesOfBuild } from '#pkg/apis/build.ts'
import type { Image } from '#pkg/apis/image.ts'
import {
  buildAnnotation,
  cancelAnnotation,
  engineLabels,
  engineName,
  engineNameOf,
} from '#pkg/apis/wellknown.ts'
import { findImage } from '../image.ts'
import { credentialVersions } from '../images/credentials.ts'
import { isCollected } from '../images/imageobject.plan.ts'
import type { Waiting, World } from '../world.ts'
import { type BasePull, type Bases, pullOf, pullsBefore, weighBases } from './buildbases.ts'
import { digestInSource, sourceOf, wantedContext } from './buildsource.ts'
import { movedParts, type Told, tellMoves, triggersBuild } from './causes.ts'
import { type DockerfileFacts, dockerfileFacts } from './dockerfilefacts.ts'
import { hashOfInputs, hashOfSecret, type Inputs, inputsOf } from './inputs.ts'
import { type BuildFacts, type BuildOrder, moveKey, type StoredContext } from './port.ts'
import { lastDue, toldTime } from './schedule.ts'
import { type ContextWanted, contextKey } from './sources/contextkey.ts'

/** Of all stages so far: none of them is given up because a later one has come. */
interface Keyed {
  readonly key: string
  readonly keys: readonly string[]
}

/** Without the number of the attempt, which whoever begins it gives. */
export type Draft = Omit<BuildOrder, 'attempt'>

export type Weighed =
  | { readonly is: 'waiting'; readonly waiting: Waiting; readonly keys: readonly string[] }
  | (Keyed & { readonly is: 'refused'; readonly failure: BuildFailure })
  | (Keyed & { readonly is: 'fetch'; readonly wanted: ContextWanted; readonly cause: string })
  | (Keyed & { readonly is: 'pull'; readonly pulls: readonly BasePull[] })
  | (Keyed & { readonly is: 'due'; readonly draft: Draft })
  | (Keyed & { readonly is: 'current'; readonly told: BuildOrder['told'] })

/** Newer than what the API's copy may show. */
export function statusOfBuild(
  { metadata, status }: Build,
  { building }: Pick<World, 'building'>,
): BuildStatus {
  return building?.statuses.get(metadata.uid ?? '') ?? status ?? {}
}

export function weighBuild(build: Build, world: World): Weighed {
  const { building: facts } = world
  if (facts === undefined) return waits('NoBuilder', 'the agent of this node builds nothing')
  const taken = whyImageIsTaken(build, imageOfName(build, world))
  if (taken !== undefined) return waits('ImageTaken', taken)
  const found = sourceOf(build, facts)
  if ('waiting' in found) return { is: 'waiting', waiting: found.waiting, keys: [] }
  const wanted = wantedContext(build, found.source)
  const key = contextKey(wanted)
  const subject = { build, world, facts, wanted, stored: facts.contexts.get(key), keys: [key] }
  const text = textOf(subject)
  if (text === 'unknown') return { is: 'fetch', wanted, cause: whyFetched(subject), key, keys: [key] }
  return text === undefined ? missingDockerfile(subject) : weighText(subject, text)
}

interface Subject {
  readonly build: Build
  readonly world: World
  readonly facts: BuildFacts
  readonly wanted: ContextWanted
  readonly stored: StoredContext | undefined
  readonly keys: readonly string[]
}

/** Of the Dockerfile; undefined: the context has none there. What the files are is known with it. */
function textOf({ build, wanted, stored }: Subject): string | 'unknown' | undefined {
  const { dockerfile, dockerfileInline } = build.spec
  const isKnown = stored !== undefined || wanted.source.type === 'empty'
  if (dockerfileInline !== undefined)
    return isKnown || digestInSource(wanted.source) !== undefined ? dockerfileInline : 'unknown'
  if (!isKnown) return 'unknown'
  const path = pathOf(dockerfile, stored)
  return path === undefined ? undefined : stored?.dockerfiles[path]
}

/** As docker's own client, which takes the usual name also in small letters. */
function pathOf(dockerfile: string, stored: StoredContext | undefined): string | undefined {
  const names = dockerfile === 'Dockerfile' ? [dockerfile, 'dockerfile'] : [dockerfile]
  return names.find((name) => stored?.dockerfiles[name] !== undefined)
}

function whyFetched({ build, world }: Subject): string {
  const { image } = statusOfBuild(build, world)
  return image === undefined ? 'it is not built yet' : 'the context has moved, or is not on the node any more'
}

function missingDockerfile(subject: Subject): Weighed {
  const { dockerfile } = subject.build.spec
  const message = `spec.dockerfile: the context has no file ${dockerfile}`
  return refused(subject, 'DockerfileNotFound', message)
}

function refused({ keys, build }: Subject, reason: string, message: string, line?: number): Weighed {
  const { args, target, dockerfileInline = '', builder, secrets } = build.spec
  const key = fingerprint([keys, args, target, dockerfileInline, builder, secrets.length, reason])
  const failure = { reason, message, inputHash: key, ...(line !== undefined && { line }) }
  return { is: 'refused', key, keys: [...keys, key], failure }
}

function weighText(subject: Subject, text: string): Weighed {
  const { build, facts, world } = subject
  const read = dockerfileFacts(text, build.spec, facts)
  if (!read.ok) return refused(subject, read.reason, read.message, read.line)
  const waiting = whyNotYet(build, world)
  if (waiting !== undefined) return { is: 'waiting', waiting, keys: subject.keys }
  const references = [...new Set([...read.bases])]
  const wish = { build, references, facts, world }
  const bases = weighBases(wish)
  if (bases.waiting !== undefined) return { is: 'waiting', waiting: bases.waiting, keys: subject.keys }
  const pullKey = fingerprint(['pull', subject.keys, pullVersions(build, references, world)])
  const keys = [...subject.keys, pullKey]
  if (bases.pulls.length > 0) return { is: 'pull', pulls: bases.pulls, key: pullKey, keys }
  const due = weighInputs({ ...subject, keys }, { text, read, bases })
  if (due.is !== 'due' || !asksAgain(build, due.draft, world)) return due
  const { startedAt } = statusOfBuild(build, world)
  const since = startedAt === undefined ? 0 : Date.parse(startedAt)
  const cause = build.spec.pull ? 'spec.pull: asked before each build' : `asked for with pull`
  const pulls = pullsBefore(wish, { since, cause })
  return pulls.length === 0 ? due : { is: 'pull', pulls, key: pullKey, keys }
}

function pullVersions(build: Build, references: readonly string[], world: World): unknown {
  return references.map((reference) => {
    const { secrets, platform } = pullOf(build, reference, world)
    return [reference, platform ?? '', credentialVersions(reference, secrets, world.desired)]
  })
}

/** Whether registries are asked what the bases mean before this very build; not for one that has failed already. */
function asksAgain(build: Build, { answers, inputHash }: Draft, world: World): boolean {
  const { failure } = statusOfBuild(build, world)
  if (failure?.inputHash === inputHash) return false
  return build.spec.pull || hasWord(answers.request, 'pull')
}

function hasWord(request: string | undefined, word: string): boolean {
  return request?.split(/\s+/).slice(1).includes(word) === true
}

function whyNotYet(build: Build, world: World): Waiting | undefined {
  const { namespace = 'default' } = build.metadata
  const { secrets } = world.desired
  for (const { id, secret, key } of build.spec.secrets) {
    const found = secrets.get(objectKey({ namespace, name: secret }))
    if (found === undefined)
      return { reason: 'SecretNotFound', message: `spec.secrets ${id}: Secret ${secret} does not exist` }
    if (found.data?.[key] === undefined)
      return { reason: 'SecretKeyNotFound', message: `spec.secrets ${id}: Secret ${secret} has no ${key}` }
  }
  const network = networkOf(build, world)
  if (network === undefined || engineNetworks.has(network)) return undefined
  if (world.observed.networks.some(({ name }) => name === network)) return undefined
  const message = `spec.network: the node has no Network ${build.spec.network ?? ''}`
  return { reason: 'NetworkNotFound', message }
}

/** As the engine calls it: one of the namespace, and no other. */
function networkOf({ metadata, spec }: Build, { desired }: World): string | undefined {
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

function weighInputs(subject: Subject, material: Material): Weighed {
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
    return { is: 'fetch', wanted, cause, key: contextKey(wanted), keys: all }
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
  return due === undefined ? scheduledAt : toldTime(due)
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

function imageOfName({ metadata }: Build, { desired }: World): Image | undefined {
  return desired.images.get(objectKey({ namespace: 'default', ...metadata }))
}

function isPruned(build: Build, world: World): boolean {
  const image = imageOfName(build, world)
  return image !== undefined && isCollected(image, world)
}

function toldOf({ stored, facts }: Subject, { read, bases }: Material): BuildOrder['told'] {
  const seen = [...bases.ids].map(([reference, id]) => {
    const { digest, at } = facts.bases.get(reference) ?? {}
    return {
      reference,
      id,
      ...(digest !== undefined && { digest }),
      ...(at !== undefined && { checkedAt: toldTime(at) }),
    }
  })
  return {
    bases: seen,
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

function waits(reason: string, message: string): Weighed {
  return { is: 'waiting', waiting: { reason, message }, keys: [] }
}

/** A value of the annotation that has not been answered. */
export function cancelOf(build: Build, world: Pick<World, 'building'>): string | undefined {
  const asked = build.metadata.annotations?.[cancelAnnotation]
  return asked === statusOfBuild(build, world).canceled ? undefined : asked
}
