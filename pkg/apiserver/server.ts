/** The API server without its socket: storage below, one Handler above, a cache in between that follows the storage. */
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import type { Handler, UserInfo } from '#pkg/apimachinery/transport.ts'
import { systemNamespace } from '#pkg/apis/bootstraptoken.ts'
import { makeRuleChecker } from '#pkg/apis/cel.ts'
import { namespaceKind } from '#pkg/apis/core.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import { servedKinds } from '#pkg/apis/kinds.ts'
import type { Storage } from '#pkg/storage/port.ts'
import { Cache } from './cache/cache.ts'
import type { Indexer } from './cache/kindcache.ts'
import { FieldSetMemo } from './cache/managerstext.ts'
import { type Authorize, makeHandler } from './handler.ts'
import type { Surface } from './http/answer.ts'
import { parseOptions } from './http/options.ts'
import { ContainerIndex } from './verbs/containerindex.ts'
import type { Admit, Context } from './verbs/context.ts'
import { createObject } from './verbs/create.ts'
import { KeyedLock } from './verbs/lock.ts'
import { TagClaims } from './verbs/tagclaims.ts'

export interface ApiServerOptions {
  /** Stays the caller's to close. */
  readonly storage: Storage
  readonly ambient: Ambient
  /** Default: all of Cove's. */
  readonly kinds?: readonly Kind[]
  /** Parts of the API beside the resources' verbs, asked first. */
  readonly surfaces?: readonly Surface[]
  /** Default: everybody who is known may do everything. */
  readonly authorize?: Authorize
  /** The last word on every write of a client; default: none. */
  readonly admit?: Admit
  /** Sees every object beside the server's own indexes, before anybody is told. */
  readonly index?: Indexer
  /** Writes what must be there before anybody comes. */
  readonly bootstrap?: (context: Context) => Promise<void>
  /** Changes per kind that are remembered at most, for watches to start from. */
  readonly window?: number
  /** How long watches that name no time of their own last at least; at most twice as long. Default: half an hour. */
  readonly minWatchMs?: number
}

/** Kubernetes' --min-request-timeout: connections are made anew now and then, and not all at once. */
const usualWatchMs = 1_800_000

export interface ApiServer {
  /** Answers from the moment `start` has resolved. */
  readonly handler: Handler
  readonly cache: Cache
  /** Fills the cache, makes the namespaces `default` and `kube-system`, and goes on in the background until the signal aborts. */
  start(signal: AbortSignal): Promise<void>
  /** Ends all watches and resolves when nothing runs any more. */
  close(): Promise<void>
}

export function makeApiServer(options: ApiServerOptions): ApiServer {
  const { storage, ambient, kinds = servedKinds, window } = options
  const containers = new ContainerIndex()
  const tags = new TagClaims()
  const cache = new Cache({
    storage,
    kinds,
    ambient,
    index: (kind, key, object) => {
      containers.index(kind, key, object)
      tags.index(kind, key, object)
      options.index?.(kind, key, object)
    },
    ...(window !== undefined && { window }),
  })
  const rules = makeRuleChecker()
  const context: Context = {
    storage,
    cache,
    containers,
    tags,
    locks: new KeyedLock(),
    fieldSets: new FieldSetMemo(),
    ambient,
    minWatchMs: options.minWatchMs ?? usualWatchMs,
    kinds,
    rules,
  }
  const { surfaces = [], authorize = knownMay, admit } = options
  const stop = new AbortController()
  let running: Promise<void> = Promise.resolve()
  return {
    handler: makeHandler(context, { surfaces, authorize, ...(admit !== undefined && { admit }) }),
    cache,
    async start(signal) {
      await cache.fill()
      running = cache.run(AbortSignal.any([signal, stop.signal]))
      for (const name of ['default', systemNamespace]) await bootstrap(context, name)
      await options.bootstrap?.(context)
    },
    close() {
      stop.abort()
      return running
    },
  }
}

function knownMay({ groups }: UserInfo): string | undefined {
  return groups.includes('system:unauthenticated') ? '' : undefined
}

/** What must be there before anybody comes. */
async function bootstrap(context: Context, name: string): Promise<void> {
  const kind = context.kinds.find((known) => known.kind === namespaceKind.kind && known.group === '')
  if (kind === undefined || context.cache.of(kind).get(name) !== undefined) return
  const options = parseOptions(new URLSearchParams(), kind)
  const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }
  try {
    await createObject(context, { kind, options }, body)
  } catch (error) {
    // Another server on the same storage was faster.
    if (!isReason(error, 'AlreadyExists')) throw error
  }
}
