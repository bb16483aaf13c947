/**
 * What Cove asks registries itself, beside the engine that pulls and pushes: what a tag means, which tags there are. By
 * the distribution API; client.ts speaks it. Failures are StatusErrors: RegistryUnauthorized, ImageNotFound,
 * RegistryRateLimited (with retryAfterSeconds when the registry says when), RegistryUnavailable for all else.
 */
import type { ImageReference } from '#pkg/apimachinery/reference.ts'

export interface Credentials {
  readonly username: string
  readonly password: string
}

export interface Asking {
  /** Those that may be meant, in order; none: anonymously. */
  readonly credentials: readonly Credentials[]
  readonly signal: AbortSignal
}

export interface ManifestHead {
  /** `sha256:...` */
  readonly digest: string
  readonly mediaType: string
}

/** A repository that a search has found. */
export interface FoundRepository {
  readonly name: string
  readonly description: string
  readonly stars: number
  readonly official: boolean
}

export interface RegistryClient {
  /** What a tag or digest means now: one HEAD, which no registry counts as a pull. */
  head(reference: ImageReference, asking: Asking): Promise<ManifestHead>
  /** All tags of the repository, page by page. */
  tags(reference: Pick<ImageReference, 'registry' | 'repository'>, asking: Asking): Promise<readonly string[]>
  /** Names of the registry's repositories, page by page; many registries keep them to themselves. */
  catalog(registry: string, asking: Asking): Promise<readonly string[]>
  /** Bytes of the layers as they travel, of the manifest for the platform (`linux/amd64`); by layer digest. */
  layers(
    reference: ImageReference,
    asking: Asking & { readonly platform: string },
  ): Promise<readonly { readonly digest: string; readonly bytes: number }[]>
  /** Docker Hub's search. */
  search(term: string, asking: Asking & { readonly limit: number }): Promise<readonly FoundRepository[]>
  /** Whether the credentials are good: what `docker login` asks. */
  login(registry: string, credentials: Credentials, signal: AbortSignal): Promise<void>
}

/** How a registry is reached, as the node's engine would. */
export interface RegistryAccess {
  /** Whether plain HTTP and unverified certificates will do. */
  readonly insecure: boolean
  /** Of docker.io: addresses that are asked first. */
  readonly mirrors: readonly string[]
  /** PEM certificates of authorities that count besides the usual ones. */
  readonly authorities: readonly string[]
}
