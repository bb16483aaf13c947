/**
 * A registry in memory for simulated engines: what can be pulled under which reference, how long it takes and how
 * it fails. Several engines may share one.
 */
import { createHash } from 'node:crypto'
import { type Reason, StatusError } from '#pkg/apimachinery/errors.ts'
import { canonicalJson } from '#pkg/apimachinery/hash.ts'
import { canonicalReference, familiarReference, parseReference } from '#pkg/apimachinery/reference.ts'
import type { RegistryCredentials } from './port.ts'
import type { ImageConfig } from './settings.ts'

/** An image as its author pushes it; what is not said of its configuration is empty. */
export interface SimImageSpec extends Partial<ImageConfig> {
  /** Any text; a change of it is a change of the image's content. */
  readonly content?: string
  /** What its history says. */
  readonly comment?: string
  /** Sizes in bytes by layer id; equal ids are shared between images. */
  readonly layers?: Readonly<Record<string, number>>
}

/** How the registry serves it. */
export interface SimServing {
  /** What a pull takes when no layer is there yet, in ms; 0. */
  readonly pullTime?: number
  /** Asked for at every pull. */
  readonly credentials?: RegistryCredentials
}

export interface SimImage {
  readonly id: string
  /** With its content: it is what the id is the digest of. */
  readonly spec: SimImageSpec
}

interface Entry extends SimServing {
  readonly image: SimImage
}

export class SimRegistry {
  readonly #entries = new Map<string, Entry>()
  readonly #failures = new Map<string, Reason>()
  readonly #accounts = new Map<string, RegistryCredentials>()

  /** Pushes an image; what was under the reference before stays reachable by its digest. */
  set(reference: string, spec: SimImageSpec = {}, serving: SimServing = {}): SimImage {
    const image = makeSimImage(spec, reference)
    const name = canonicalName(reference)
    const entry = { ...serving, image }
    this.#entries.set(name, entry)
    this.#entries.set(canonicalName(digestReference(reference, image)), entry)
    return image
  }

  delete(reference: string): void {
    this.#entries.delete(canonicalName(reference))
  }

  /** Lets every pull from an address (`docker.io`, `registry.test:5000`) fail with the reason; undefined ends it. */
  fail(address: string, reason: Reason | undefined): void {
    if (reason === undefined) this.#failures.delete(address)
    else this.#failures.set(address, reason)
  }

  /** The image to pull, or the StatusError that a registry would cause. */
  fetch(reference: string, credentials?: RegistryCredentials): { image: SimImage; pullTime: number } {
    this.#mustAnswer(reference)
    const entry = this.#entries.get(canonicalName(reference))
    if (entry === undefined) {
      throw new StatusError('ImageNotFound', `manifest for ${reference} not found: manifest unknown`)
    }
    this.#mustKnow(reference, entry.credentials, credentials)
    return { image: entry.image, pullTime: entry.pullTime ?? 0 }
  }

  /** Takes an image from an engine; as `set`, once its account is known. Resolves with its digest. */
  push(reference: string, image: SimImage, credentials?: RegistryCredentials): string {
    this.#mustAnswer(reference)
    this.#mustKnow(reference, this.#entries.get(canonicalName(reference))?.credentials, credentials)
    this.#entries.set(canonicalName(reference), { image })
    this.#entries.set(canonicalName(digestReference(reference, image)), { image })
    return image.id
  }

  /** The tags of the reference's repository, in alphabetical order. */
  tags(reference: string): string[] {
    const { registry, repository } = parse(reference)
    const prefix = `${canonicalReference({ registry, repository })}:`
    const names = [...this.#entries.keys()].filter((name) => name.startsWith(prefix) && !name.includes('@'))
    return names.map((name) => name.slice(prefix.length)).sort()
  }

  /** From now on whoever pulls from or pushes to an address needs this account. */
  protect(address: string, account: RegistryCredentials): void {
    this.#accounts.set(address, account)
  }

  #mustAnswer(reference: string): void {
    const failure = this.#failures.get(parse(reference).registry)
    if (failure !== undefined)
      throw new StatusError(failure, `the registry of ${reference} fails as scripted`)
  }

  #mustKnow(
    reference: string,
    account = this.#accounts.get(parse(reference).registry),
    given: RegistryCredentials | undefined,
  ): void {
    if (account === undefined || canonicalJson(account) === canonicalJson(given)) return
    throw new StatusError('RegistryUnauthorized', 'unauthorized: authentication required')
  }
}

/** An image whose id follows from its content alone; without content the reference stands in for it. */
export function makeSimImage(spec: SimImageSpec, reference: string): SimImage {
  const whole = { content: reference, ...spec }
  return { id: `sha256:${createHash('sha256').update(canonicalJson(whole)).digest('hex')}`, spec: whole }
}

/** `repository@sha256:...`, familiar. */
export function digestReference(reference: string, image: SimImage): string {
  const { registry, repository } = parse(reference)
  return familiarReference({ registry, repository, digest: image.id })
}

/** Equal for all spellings of a reference; InvalidSpec when it is none. */
export function canonicalName(reference: string): string {
  const parsed = parse(reference)
  if (parsed.digest === undefined) return canonicalReference(parsed)
  const { registry, repository, digest } = parsed
  return canonicalReference({ registry, repository, digest })
}

/** As the engine lists it. */
export function familiarName(reference: string): string {
  return familiarReference(parse(reference))
}

function parse(reference: string) {
  const parsed = parseReference(reference)
  if (!parsed.ok) throw new StatusError('InvalidSpec', `image reference "${reference}": ${parsed.message}`)
  return parsed.reference
}
