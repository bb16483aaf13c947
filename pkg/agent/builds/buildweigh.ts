/**
 * What stands between a Build and its image: its files, its base images, or nothing but the build itself; or that it is
 * what its inputs say. A stage has a key that changes with everything it works on: what failed is tried again, and what
 * is under way is broken off, when that is another one. Pure.
 */
import { fingerprint } from '#pkg/apimachinery/hash.ts'
import { objectKey } from '#pkg/apimachinery/meta.ts'
import { whyImageIsTaken } from '#pkg/apis/build.image.ts'
import { engineNetworks } from '#pkg/apis/build.references.ts'
import type { Build } from '#pkg/apis/build.ts'
import { cancelAnnotation } from '#pkg/apis/wellknown.ts'
import { statusOfBuild } from '../images/built.ts'
import { credentialVersions } from '../images/credentials.ts'
import type { Waiting, World } from '../world.ts'
import { pullOf, pullsBefore, weighBases } from './buildbases.ts'
import { hasWord, networkOf, weighInputs } from './builddue.ts'
import { digestInSource, fetchKey, sourceOf, wantedContext } from './buildsource.ts'
import { dockerfileFacts } from './dockerfilefacts.ts'
import { contextKey } from './sources/contextkey.ts'
import { type Draft, imageOfName, pathOf, type Subject, type Weighed } from './weighed.ts'

export function weighBuild(build: Build, world: World): Weighed {
  const { building: facts } = world
  if (facts === undefined) return waits('NoBuilder', 'the agent of this node builds nothing')
  const taken = whyImageIsTaken(build, imageOfName(build, world))
  if (taken !== undefined) return waits('ImageTaken', taken)
  const found = sourceOf(build, facts)
  if ('waiting' in found) return { is: 'waiting', waiting: found.waiting, keys: [] }
  const wanted = wantedContext(build, found.source)
  const key = fetchKey(build, wanted)
  const stored = facts.contexts.get(contextKey(wanted))
  const subject = { build, world, facts, wanted, stored, keys: [key] }
  const text = textOf(subject)
  if (text === 'unknown') return { is: 'fetch', wanted, cause: whyFetched(subject), key, keys: [key] }
  return text === undefined ? missingDockerfile(subject) : weighText(subject, text)
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
  const { bases: references } = read
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
  const cause = build.spec.pull ? 'spec.pull: asked before each build' : 'asked for with pull'
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

function waits(reason: string, message: string): Weighed {
  return { is: 'waiting', waiting: { reason, message }, keys: [] }
}

/** A value of the annotation that has not been answered. */
export function cancelOf(build: Build, world: Pick<World, 'building'>): string | undefined {
  const asked = build.metadata.annotations?.[cancelAnnotation]
  return asked === statusOfBuild(build, world).canceled ? undefined : asked
}
