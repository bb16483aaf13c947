/** Where the files of a Build come from now, as far as somebody has answered that. Pure. */
import { fingerprint } from '#pkg/apimachinery/hash.ts'
import { parseQuantity } from '#pkg/apimachinery/quantity.ts'
import type { Build } from '#pkg/apis/build.ts'
import { buildAnnotation } from '#pkg/apis/wellknown.ts'
import type { AgentOp } from '../ops.ts'
import type { Waiting } from '../world.ts'
import type { BuildFacts, ContextSource } from './port.ts'
import { type ContextWanted, contextKey } from './sources/contextkey.ts'

type Found = { readonly source: ContextSource } | { readonly waiting: Waiting }

/** Of what somebody has to ask, what was found last, also when it could not be asked again since. */
export function sourceOf(build: Build, facts: Pick<BuildFacts, 'sources'>): Found {
  const { context } = build.spec
  const { namespace = 'default', uid = '' } = build.metadata
  if (context.upload !== undefined) return { source: { type: 'upload', namespace, upload: context.upload } }
  if (context.inline !== undefined) return { source: { type: 'inline', files: context.inline.files } }
  if (context.empty !== undefined) return { source: { type: 'empty' } }
  const answer = facts.sources.get(uid)
  // Whoever asks for a build means what is there by then.
  const isNew = answer?.request === build.metadata.annotations?.[buildAnnotation]
  if (answer?.source !== undefined && isNew) return { source: answer.source }
  if (answer?.failure !== undefined && isNew) return { waiting: answer.failure }
  if (context.path !== undefined) {
    const message = 'spec.context.path is for whoever sends the manifest: `cove apply` uploads the files'
    return { waiting: { reason: 'ContextNotUploaded', message } }
  }
  return { waiting: { reason: 'WaitingForSource', message: 'it is asked what the context is now' } }
}

export function wantedContext({ spec }: Build, source: ContextSource): ContextWanted {
  const { ignore, dockerfile, dockerfileInline } = spec
  // Who uploads writes the text beside it, which may be that of a file that was uploaded, too.
  const isWanted = dockerfileInline === undefined || (source.type === 'upload' && isInside(dockerfile))
  return { source, ignore, ...(isWanted && { dockerfile }) }
}

function isInside(path: string): boolean {
  return !path.startsWith('/') && !path.split('/').includes('..')
}

/** `before`: digest of the context with which it is compared. */
export function fetchOf({ metadata, spec }: Build, wanted: ContextWanted, before?: string): AgentOp {
  const { namespace = 'default', name } = metadata
  return {
    type: 'fetchContext',
    build: { namespace, name },
    ...wanted,
    maxBytes: parseQuantity(spec.maxContextBytes) ?? Number.POSITIVE_INFINITY,
    ...(before !== undefined && { before }),
  }
}

/** What a fetch is given up for, and tried again: another place, or another bound. */
export function fetchKey({ spec }: Build, wanted: ContextWanted): string {
  return fingerprint(['fetch', contextKey(wanted), spec.maxContextBytes])
}

/** Its digest, where that is known without having it. */
export function digestInSource(source: ContextSource): string | undefined {
  return source.type === 'upload' ? source.upload : undefined
}

/** What its fetches wait for: those of one host keep nobody waiting for another one. */
export function hostOfContext(source: ContextSource): string {
  if (source.type !== 'git' && source.type !== 'tar') return 'files'
  const [, host] = /^(?:[a-z]+:\/\/)?(?:[^@/]*@)?([^:/]+)/i.exec(source.url) ?? []
  return host ?? source.url
}
