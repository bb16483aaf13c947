/** What the parts of the agent that build tell each other: where a context comes from, what came of it, what is ordered. */
import type { BuildStatus, BuildStep, BuildWarning } from '#pkg/apis/build.ts'
import type { judgeDockerfile } from '#pkg/build/dockerfile/judge.ts'
import type { Builder, BuildSettings } from '#pkg/engine/builds.ts'

/** Where the files come from, at one revision; what it is made of decides that, and nothing else. */
export type ContextSource =
  | { readonly type: 'upload'; readonly namespace: string; readonly upload: string }
  /** `commit`: what `ref` meant when it was asked. `secret`: key of it. */
  | {
      readonly type: 'git'
      readonly url: string
      readonly commit: string
      readonly ref?: string
      readonly subdirectory?: string
      readonly secret?: string
    }
  /** `revision`: ETag, or the like, when it was asked. */
  | { readonly type: 'tar'; readonly url: string; readonly sha256?: string; readonly revision: string }
  | { readonly type: 'inline'; readonly files: Readonly<Record<string, string>> }
  /** `revision`: digest of the files when it was looked at. */
  | { readonly type: 'hostPath'; readonly path: string; readonly revision: string }
  | { readonly type: 'empty' }

export function describeContext(source: ContextSource): string {
  switch (source.type) {
    case 'upload':
      return source.upload.slice(0, 17)
    case 'git':
      return `${withoutLogin(source.url)} at ${source.commit.slice(0, 12)}`
    case 'tar':
      return withoutLogin(source.url)
    case 'inline':
      return `of ${Object.keys(source.files).length} files in spec.context.inline`
    case 'hostPath':
      return source.path
    case 'empty':
      return 'of no files'
  }
}

function withoutLogin(url: string): string {
  return url.replace(/\/\/[^/@]*@/, '//')
}

/** A context that lies on the node's disk. */
export interface StoredContext {
  /** `tree:` and 64 hex digits: of names, modes and contents (pkg/build/context). */
  readonly digest: string
  readonly bytes: number
  readonly files: number
  /** Text of files that a Dockerfile path may mean, by path: `Dockerfile`, and what the Build asks for. */
  readonly dockerfiles: Readonly<Record<string, string>>
  /** What a person knows it by: the commit of git, else the digest. */
  readonly revision: string
}

/** A file of a context that another context has not, or has otherwise. */
export interface MovedFile {
  readonly path: string
  readonly how: 'added' | 'changed' | 'removed'
}

/** What has changed from one context to the next. */
export interface ContextMove {
  /** The first of them, by path. */
  readonly files: readonly MovedFile[]
  readonly count: number
}

/** What a move is found by. */
export function moveKey(before: string, after: string): string {
  return `${before} ${after}`
}

/** What was found when a place was asked what it has now; `failure` stands beside what was known before. */
export interface SourceAnswer {
  readonly source?: ContextSource
  /** The value of the annotation cove.run/build-requested when it was asked. */
  readonly request?: string
  /** ms since the epoch. */
  readonly at: number
  readonly failure?: { readonly reason: string; readonly message: string }
}

/** Kept by the room (buildroom.ts) from one pass to the next, for planners to look at. */
export interface BuildFacts {
  /** The status each Build last had, by uid: newer than what the API's copy may show. */
  readonly statuses: ReadonlyMap<string, BuildStatus>
  /** What its context's place has now, by uid; only of those that somebody has to ask: git, tar, hostPath. */
  readonly sources: ReadonlyMap<string, SourceAnswer>
  /** Contexts on the disk, by `contextKey` of their source and what the Build ignores. */
  readonly contexts: ReadonlyMap<string, StoredContext>
  /** By `moveKey`; `unknown`: what was in the earlier one is not known any more. Absent: nobody compares. */
  readonly moves?: ReadonlyMap<string, ContextMove | 'unknown'>
  /** What registries said last of base images, by canonical reference. */
  readonly bases: ReadonlyMap<string, BaseAnswer>
  /** What the engine builds with by itself. */
  readonly engineBuilder: Builder
  /** `20.10.24`; absent: not known. */
  readonly engineVersion?: string
  /** judgeDockerfile, remembering; absent: it is asked itself. */
  readonly judge?: typeof judgeDockerfile
  /** What is being built now, by uid; absent: nothing. */
  readonly running?: ReadonlyMap<string, RunningBuild>
  /** What secrets are hashed with; nobody else has it. Absent: it is not known yet. */
  readonly secretKey?: Uint8Array
}

/** An attempt under way, as far as it has come. */
export interface RunningBuild {
  readonly order: BuildOrder
  /** ms since the epoch. */
  readonly startedAt: number
  readonly steps: readonly BuildStep[]
  /** What the engine has said, besides what was known before. */
  readonly warnings: readonly BuildWarning[]
}

/** What a registry says of a reference; `failure` stands beside what was known before. */
export interface BaseAnswer {
  /** `sha256:...` */
  readonly digest?: string
  /** ms since the epoch. */
  readonly at: number
  readonly failure?: { readonly reason: string; readonly message: string }
}

/** All that decides what comes out of a build, and how it is told of. */
export interface BuildOrder extends BuildSettings {
  readonly attempt: number
  readonly cause: string
  readonly inputHash: string
  readonly inputs: Readonly<Record<string, string>>
  /** Digest of the stored context; absent: there are no files. */
  readonly context?: string
  /** Text to be built. */
  readonly dockerfile: string
  /** What people call it. */
  readonly dockerfileName: string
  /** Where the stored context has this very text; absent: nowhere. */
  readonly dockerfilePath?: string
  /** Keys of Secrets and which value, by id; what they hold is asked for when it is built. */
  readonly secrets: readonly { readonly id: string; readonly secret: string; readonly key: string }[]
  readonly outputs: readonly { readonly from: string; readonly to: string }[]
  readonly timeoutMs: number
  /** What status.request and scheduledAt become by it. */
  readonly answers: { readonly request?: string; readonly scheduledAt?: string }
  /** What the status says of what it is made of. */
  readonly told: Pick<BuildStatus, 'revision' | 'contextBytes' | 'contextFiles' | 'bases' | 'warnings'>
}
