/**
 * Credentials for a registry: out of the Secrets that an object names, the namespace's login, the Secret of the Registry,
 * and what the node itself is logged in with. Which entry of a Docker configuration is meant for an image, Kubernetes
 * decides so. What is found goes to the engine or the registry with one call, and nowhere else: no op, event or log holds
 * it. It is asked for at each call, so that what was changed or ran out is not used again.
 */
import { StatusError } from '#pkg/apimachinery/errors.ts'
import { objectKey } from '#pkg/apimachinery/meta.ts'
import { parseReference } from '#pkg/apimachinery/reference.ts'
import { loginFor } from '#pkg/apis/container.references.ts'
import type { Secret } from '#pkg/apis/core.ts'
import { credentialsFor, type Found, hubAsOne } from '#pkg/apis/dockerconfig.ts'
import type { Registry } from '#pkg/apis/registry.ts'
import type { RegistryCredentials } from '#pkg/engine/port.ts'
import type { Desired } from '../world.ts'

/** All that may be meant, in the order in which they are tried; none: anonymously. */
export interface Offered {
  readonly found: readonly Found[]
  /** Where else there may be some, and why they are not to be had; no secret is in it. */
  readonly troubles: readonly string[]
}

/** What the node itself is logged in with (nodelogins.ts). */
export type NodeLogins = (registry: string, signal: AbortSignal) => Promise<Offered>

export interface CredentialsAsked {
  /** Whose login counts; absent: its key is among the Secrets, or it counts for nothing. */
  readonly namespace?: string
  /** Keys of the Secrets that the object names. */
  readonly secrets: readonly string[]
  readonly signal: AbortSignal
}

export interface CredentialSources {
  /** The Secret of a key as it is now. */
  readonly secretOf: (key: string) => Secret | undefined
  readonly registries: () => Iterable<Registry>
  /** Absent: the node is logged in nowhere. */
  readonly nodeLogins?: NodeLogins
}

/** Out of what is desired now. */
export function credentialSources(
  desired: () => Pick<Desired, 'secrets' | 'registries'>,
  nodeLogins: NodeLogins | undefined,
): CredentialSources {
  return {
    secretOf: (key) => desired().secrets.get(key),
    registries: () => desired().registries.values(),
    ...(nodeLogins !== undefined && { nodeLogins }),
  }
}

const nothing: Offered = { found: [], troubles: [] }

/** Those for an image, now. */
export async function credentialsOf(
  reference: string,
  { namespace, secrets, signal }: CredentialsAsked,
  { secretOf, registries, nodeLogins }: CredentialSources,
): Promise<Offered> {
  const parsed = parseReference(reference)
  if (!parsed.ok) return nothing
  const { registry } = parsed.reference
  const keys = namespace === undefined ? secrets : withLogin(reference, { namespace, secrets }, secretOf)
  const shared = sharedSecretsOf(registry, registries())
  const named = credentialsFor(reference, keys, secretOf)
  const common = credentialsFor(
    reference,
    shared.filter((key) => !keys.includes(key)),
    secretOf,
  )
  const own = (await nodeLogins?.(registry, signal)) ?? nothing
  return { found: [...named, ...common, ...own.found], troubles: own.troubles }
}

/**
 * Does it with each of the credentials in turn, as the kubelet does, and without any when there are none. When the registry
 * refuses all of them, its last answer is thrown with whose they were.
 */
export async function withEach<T>(
  reference: string,
  offered: Offered,
  run: (credentials: RegistryCredentials | undefined) => Promise<T>,
): Promise<T> {
  const { found } = offered
  let refusal: unknown
  for (const credentials of found.length === 0 ? [undefined] : found.map((each) => each.credentials)) {
    try {
      return await run(credentials)
    } catch (error) {
      if (!isRefusal(error)) throw error
      refusal = error
    }
  }
  throw withCredentialsTold(refusal, reference, offered)
}

/** The Secrets that an object names, and the login of its namespace when there is one. */
export function withLogin(
  reference: string,
  { namespace, secrets }: { readonly namespace: string; readonly secrets: readonly string[] },
  secretOf: CredentialSources['secretOf'],
): string[] {
  const login = loginFor(reference)
  const key = login === undefined ? undefined : objectKey({ namespace, name: login })
  const counts = key !== undefined && !secrets.includes(key) && secretOf(key) !== undefined
  return counts ? [...secrets, key] : [...secrets]
}

/** Keys of the Secrets that stand in a Registry for everybody. */
function sharedSecretsOf(registry: string, registries: Iterable<Registry>): string[] {
  const meant = [...registries].filter(({ spec }) => hubAsOne(spec.server) === registry)
  return meant.flatMap(({ spec }) => (spec.secret === undefined ? [] : [objectKey(spec.secret)]))
}

/** Changes with everything in the cluster that a pull is made with: what failed with other credentials is tried again. */
export function credentialVersions(
  reference: string,
  secrets: readonly string[],
  { secrets: stored, registries }: Pick<Desired, 'secrets' | 'registries'>,
): string[] {
  const parsed = parseReference(reference)
  const shared = parsed.ok ? sharedSecretsOf(parsed.reference.registry, registries.values()) : []
  return [...secrets, ...shared].map((key) => stored.get(key)?.metadata.resourceVersion ?? '')
}

/**
 * An answer of a registry with what it was asked with, for whoever has to mend it: "it is not there" and "you may not see
 * it" are one answer of many registries, and whose credentials were shown tells them apart.
 */
export function withCredentialsTold(
  error: unknown,
  reference: string,
  { found, troubles }: Offered,
): unknown {
  if (!isRefusal(error)) return error
  const parsed = parseReference(reference)
  const registry = parsed.ok ? parsed.reference.registry : reference
  const names = [...new Set(found.map(({ from }) => from))].join(', ')
  if (names === '' && troubles.length === 0 && error.reason === 'ImageNotFound') return error
  const asked =
    names === ''
      ? `no Secret that spec names holds credentials for ${registry}, and its namespace is not logged in there: see \`cove login\``
      : `asked with the credentials of ${names}`
  const told = [asked, ...troubles].join('; ')
  return new StatusError(error.reason, `${error.message} (${told})`, error.details, { cause: error })
}

function isRefusal(error: unknown): error is StatusError {
  return (
    error instanceof StatusError &&
    (error.reason === 'RegistryUnauthorized' || error.reason === 'ImageNotFound')
  )
}
