/**
 * Whose image bears which name on the nodes. A name that a Build gives belongs to it alone, in all namespaces: with a second
 * giver each would take it from the other for ever. Several Images may well bring what a registry has under one name. Kept
 * current by the cache; a write in flight is counted as if it had happened.
 */
import type { Cause } from '#pkg/apimachinery/errors.ts'
import { objectKey } from '#pkg/apimachinery/meta.ts'
import { canonicalReference, parseReference } from '#pkg/apimachinery/reference.ts'
import { isImageOfBuild } from '#pkg/apis/build.image.ts'
import { namesOfBuild } from '#pkg/apis/build.said.ts'
import type { Build } from '#pkg/apis/build.ts'
import type { Image } from '#pkg/apis/image.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import type { ApiObject } from '../cache/encoded.ts'

/** In its own field; of a Build without tags that is all of them. */
interface Claim {
  readonly field: string
  readonly name: string
  /** As it is compared. */
  readonly canonical: string
}

interface Claimant {
  readonly kind: 'Build' | 'Image'
  readonly metadata: ApiObject['metadata']
  readonly claims: readonly Claim[]
}

export class TagClaims {
  /** By `KIND/NAMESPACE/NAME`. */
  readonly #stored = new Map<string, Claimant>()
  readonly #pending = new Map<string, Claimant>()
  /** By the name that is claimed: keys of claimants; may hold some that no longer do. */
  readonly #byName = new Map<string, Set<string>>()

  /** An Indexer of the cache. */
  readonly index = (kind: Kind, key: string, object: ApiObject | undefined): void => {
    if (!mayClaim(kind)) return
    const id = `${kind.kind}/${key}`
    const before = this.#stored.get(id)
    this.#stored.delete(id)
    const claimant = object && claimantOf(object)
    if (claimant !== undefined) {
      this.#stored.set(id, claimant)
      this.#add(id, claimant)
    }
    if (before !== undefined) this.#drop(id, before)
  }

  /** What is wrong with its names; nothing with those that it has already. */
  causes(object: ApiObject): Cause[] {
    const claimant = claimantOf(object)
    if (claimant === undefined) return []
    const held = new Set(this.#stored.get(idOf(claimant))?.claims.map(({ canonical }) => canonical))
    return claimant.claims.flatMap(({ field, name, canonical }) => {
      const other = held.has(canonical) ? undefined : this.#rivalOf(claimant, canonical)
      if (other === undefined) return []
      const message = `${JSON.stringify(name)} is a name of ${other.kind} ${objectKey(other.metadata)}: what a Build makes has its names alone`
      return [{ reason: 'FieldValueDuplicate' as const, field, message }]
    })
  }

  /** Who gives or brings an image of that name. */
  claimantsOf(
    name: string,
  ): readonly (Pick<ApiObject['metadata'], 'name' | 'namespace'> & Pick<Claimant, 'kind'>)[] {
    return claimOf('', name).flatMap(({ canonical }) =>
      [...(this.#byName.get(canonical) ?? [])].flatMap((id) => {
        const claimant = this.#stored.get(id)
        if (claimant === undefined) return []
        const { kind, metadata } = claimant
        return [{ kind, ...metadata }]
      }),
    )
  }

  /** Counts its names as taken until the returned function is called. */
  reserve(object: ApiObject): () => void {
    const claimant = claimantOf(object)
    if (claimant === undefined) return () => {}
    const id = idOf(claimant)
    this.#pending.set(id, claimant)
    this.#add(id, claimant)
    return () => {
      if (this.#pending.get(id) === claimant) this.#pending.delete(id)
      this.#drop(id, claimant)
    }
  }

  #rivalOf(claimant: Claimant, canonical: string): Claimant | undefined {
    const own = idOf(claimant)
    for (const id of this.#byName.get(canonical) ?? []) {
      const other = this.#pending.get(id) ?? this.#stored.get(id)
      if (id !== own && other !== undefined && areRivals(claimant, other)) return other
    }
    return undefined
  }

  #add(id: string, { claims }: Claimant): void {
    for (const { canonical } of claims) {
      const ids = this.#byName.get(canonical)
      if (ids === undefined) this.#byName.set(canonical, new Set([id]))
      else ids.add(id)
    }
  }

  #drop(id: string, { claims }: Claimant): void {
    const held = [this.#stored.get(id), this.#pending.get(id)]
    for (const { canonical } of claims) {
      if (held.some((other) => other?.claims.some((claim) => claim.canonical === canonical))) continue
      const ids = this.#byName.get(canonical)
      ids?.delete(id)
      if (ids?.size === 0) this.#byName.delete(canonical)
    }
  }
}

function mayClaim({ group, kind }: Kind): boolean {
  return group === 'cove.run' && (kind === 'Build' || kind === 'Image')
}

function idOf({ kind, metadata }: Claimant): string {
  return `${kind}/${objectKey(metadata)}`
}

/** One that is going gives its names up. */
function areRivals(one: Claimant, other: Claimant): boolean {
  if (other.metadata.deletionTimestamp !== undefined) return false
  if (one.kind === 'Image' && other.kind === 'Image') return false
  return !keeps(one, other) && !keeps(other, one)
}

function keeps(build: Claimant, image: Claimant): boolean {
  return (
    build.kind === 'Build' &&
    image.kind === 'Image' &&
    objectKey(build.metadata) === objectKey(image.metadata) &&
    isImageOfBuild(build, image)
  )
}

/** Undefined: of another kind. */
function claimantOf(object: ApiObject): Claimant | undefined {
  const { kind, metadata } = object
  if (kind === 'Build') return { kind, metadata: small(metadata), claims: claimsOfBuild(asBuild(object)) }
  if (kind === 'Image') return { kind, metadata: small(metadata), claims: claimsOfImage(asImage(object)) }
  return undefined
}

/** What is compared, and no more: it is kept for every Image. */
function small(metadata: ApiObject['metadata']): ApiObject['metadata'] {
  const { name, namespace, uid, deletionTimestamp, ownerReferences } = metadata
  return {
    name,
    ...(namespace !== undefined && { namespace }),
    ...(uid !== undefined && { uid }),
    ...(deletionTimestamp !== undefined && { deletionTimestamp }),
    ...(ownerReferences !== undefined && { ownerReferences }),
  }
}

function claimsOfBuild(build: Build): Claim[] {
  const { tags } = build.spec
  if (tags.length > 0) return claimsOfTags(tags)
  return namesOfBuild(build).flatMap((name) => claimOf('metadata.name', name))
}

function claimsOfImage({ spec: { reference, tags = [] } }: Image): Claim[] {
  return [...claimOf('spec.reference', reference), ...claimsOfTags(tags)]
}

function claimsOfTags(tags: readonly string[]): Claim[] {
  return tags.flatMap((tag, index) => claimOf(`spec.tags[${index}]`, tag))
}

/** What has a digest besides is called by its tag, and by nothing when it has none. */
function claimOf(field: string, name: string): Claim[] {
  const parsed = parseReference(name)
  if (!parsed.ok || parsed.reference.tag === undefined) return []
  const { digest: _digest, ...named } = parsed.reference
  return [{ field, name, canonical: canonicalReference(named) }]
}

/** The kind says that it is one, and its schema has accepted it. */
function asBuild(object: ApiObject): Build {
  return object as unknown as Build
}

/** The kind says that it is one, and its schema has accepted it. */
function asImage(object: ApiObject): Image {
  return object as unknown as Image
}
