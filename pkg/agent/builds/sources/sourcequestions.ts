/** What a Build wants to know of where its files come from: for those that move without the Build's own doing. */
import { fingerprint } from '#pkg/apimachinery/hash.ts'
import { objectKey } from '#pkg/apimachinery/meta.ts'
import { parseDuration } from '#pkg/apimachinery/quantity.ts'
import type { Build } from '#pkg/apis/build.ts'
import type { Secret } from '#pkg/apis/core.ts'
import { buildAnnotation } from '#pkg/apis/wellknown.ts'
import type { ContextSource } from '../port.ts'
import type { SourceQuestion } from './sourcefollower.ts'

type Ask<Type extends ContextSource['type']> = (
  place: PlaceOf<Type>,
  signal: AbortSignal,
  before: ContextSource | undefined,
) => Promise<ContextSource>

/** As the Build says it: without the revision, which is what is asked. */
export type PlaceOf<Type extends ContextSource['type']> = Omit<
  Extract<ContextSource, { type: Type }>,
  'commit' | 'revision'
>

export interface Askers {
  readonly git: Ask<'git'>
  readonly tar: Ask<'tar'>
  readonly hostPath: (
    place: PlaceOf<'hostPath'> & { readonly ignore: readonly string[]; readonly dockerfile?: string },
    signal: AbortSignal,
  ) => Promise<ContextSource>
}

/** ms. */
const usualInterval = 3_600_000

/** Undefined: nobody has to be asked. */
export function sourceQuestion(
  build: Build,
  askers: Askers,
  secretOf: (key: string) => Secret | undefined,
): SourceQuestion | undefined {
  const { metadata, spec } = build
  const { uid = '', deletionTimestamp } = metadata
  const asked = deletionTimestamp === undefined ? askOf(build, askers) : undefined
  if (asked === undefined) return undefined
  const secret = asked.secret === undefined ? undefined : secretOf(asked.secret)
  const stamp = secret?.metadata.resourceVersion
  const request = metadata.annotations?.[buildAnnotation]
  return {
    uid,
    key: asked.key,
    ...(stamp !== undefined && { stamp }),
    ...(request !== undefined && { request }),
    interval: parseDuration(spec.triggers.interval) ?? usualInterval,
    again: spec.triggers.context && !spec.suspend,
    ask: asked.ask,
  }
}

interface Asked {
  readonly key: string
  readonly ask: SourceQuestion['ask']
  readonly secret?: string
}

function askOf({ metadata, spec }: Build, askers: Askers): Asked | undefined {
  const { git, tar, hostPath } = spec.context
  if (git !== undefined) {
    const { secret: name, ...rest } = git
    const secret = name === undefined ? undefined : objectKey({ namespace: 'default', ...metadata, name })
    const place = { type: 'git' as const, ...rest, ...(secret !== undefined && { secret }) }
    const ask: SourceQuestion['ask'] = (signal, before) => askers.git(place, signal, before)
    return { key: fingerprint(place), ask, ...(secret !== undefined && { secret }) }
  }
  if (tar !== undefined) {
    const place = { type: 'tar' as const, ...tar }
    return { key: fingerprint(place), ask: (signal, before) => askers.tar(place, signal, before) }
  }
  if (hostPath === undefined) return undefined
  const { ignore, dockerfile, dockerfileInline } = spec
  const place = {
    type: 'hostPath' as const,
    path: hostPath,
    ignore,
    ...(dockerfileInline === undefined && { dockerfile }),
  }
  return { key: fingerprint(place), ask: (signal) => askers.hostPath(place, signal) }
}
