/**
 * The registry port over HTTP: the distribution API and Docker Hub's search. A registry is reached as the node's engine
 * would reach it; which credentials are good is found out by trying them in order.
 */
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import { isReason, StatusError } from '#pkg/apimachinery/errors.ts'
import type { ImageReference } from '#pkg/apimachinery/reference.ts'
import { dockerHub } from './access.ts'
import {
  choosePlatform,
  digestOfBytes,
  digestPattern,
  garbage,
  manifestAccept,
  parseFound,
  parseManifest,
  parseTexts,
  refusalText,
} from './answers.ts'
import { Authorizer, basic } from './authorizer.ts'
import { type Challenge, parseChallenge } from './challenge.ts'
import { type Endpoint, endpointsOf } from './endpoints.ts'
import { type Answer, Exchanges } from './exchange.ts'
import { refusal, Unreached } from './failures.ts'
import { readPages } from './pages.ts'
import type {
  Asking,
  Credentials,
  FoundRepository,
  ManifestHead,
  RegistryAccess,
  RegistryClient,
} from './port.ts'

export interface RegistryClientOptions {
  readonly clock: Clock
  /** How a registry is to be reached now. */
  readonly access: (registry: string) => Promise<RegistryAccess>
  /** Where Docker Hub is; absent: where everybody finds it. */
  readonly hub?: { readonly registry: string; readonly search: string }
}

const usualHub = { registry: 'https://registry-1.docker.io', search: 'https://index.docker.io' }

/** Of what is asked of a registry. */
interface Inquiry {
  readonly registry: string
  readonly method: 'GET' | 'HEAD'
  /** Path and query. */
  readonly target: string
  /** What a token must be good for; empty: nothing in particular. */
  readonly scope: string
  readonly accept: string
  /** For whoever reads of a failure: `tag 1 of team/app`. */
  readonly what: string
}

interface Attempt {
  readonly endpoint: Endpoint
  readonly credentials: Credentials | undefined
  readonly signal: AbortSignal
}

/** What is needed to ask, as the last look has shown; another look comes when it is old, or turns out wrong. */
interface Door {
  readonly challenge: Challenge | undefined
  readonly until: number
}

const doorsLastMs = 600_000
const maxDoors = 1000
const json = 'application/json'
const pageSize = 1000

export class HttpRegistryClient implements RegistryClient {
  readonly #clock: Clock
  readonly #access: RegistryClientOptions['access']
  readonly #hub: { readonly registry: string; readonly search: string }
  readonly #exchanges: Exchanges
  readonly #authorizer: Authorizer
  readonly #doors = new Map<string, Door>()

  constructor({ clock, access, hub = usualHub }: RegistryClientOptions) {
    this.#clock = clock
    this.#access = access
    this.#hub = hub
    this.#exchanges = new Exchanges(clock, access)
    this.#authorizer = new Authorizer(clock, this.#exchanges)
  }

  /** Ends the connections that are kept for the next question. */
  close(): void {
    this.#exchanges.close()
  }

  async head(reference: ImageReference, asking: Asking): Promise<ManifestHead> {
    const inquiry = manifestInquiry(reference, 'HEAD')
    const { headers } = await this.#ask(inquiry, asking)
    const digest = headers['docker-content-digest']
    // Some registries tell the digest only with the manifest itself.
    if (digest === undefined) return await this.#wholeHead(reference, asking)
    if (!digestPattern.test(digest)) throw garbage(reference.registry, 'the digest of a manifest is none')
    return { digest: asWanted(reference, digest), mediaType: headers['content-type'] ?? '' }
  }

  async tags(
    { registry, repository }: Pick<ImageReference, 'registry' | 'repository'>,
    asking: Asking,
  ): Promise<readonly string[]> {
    const scope = pullScope(repository)
    const common = { registry, method: 'GET', scope, accept: json, what: `tags of ${repository}` } as const
    return await readPages({
      registry,
      first: `/v2/${repository}/tags/list?n=${pageSize}`,
      ask: (target) => this.#ask({ ...common, target }, asking),
      parse: (body) => parseTexts(registry, body, 'tags'),
    })
  }

  async catalog(registry: string, asking: Asking): Promise<readonly string[]> {
    const common = { registry, method: 'GET', scope: 'registry:catalog:*', accept: json } as const
    return await readPages({
      registry,
      first: `/v2/_catalog?n=${pageSize}`,
      ask: (target) => this.#ask({ ...common, target, what: 'list of its repositories' }, asking),
      parse: (body) => parseTexts(registry, body, 'repositories'),
    })
  }

  async layers(
    reference: ImageReference,
    asking: Asking & { readonly platform: string },
  ): Promise<readonly { readonly digest: string; readonly bytes: number }[]> {
    const { body } = await this.#manifest(reference, asking)
    const manifest = parseManifest(reference.registry, body)
    if ('layers' in manifest) return manifest.layers
    const entry = choosePlatform(manifest.index, asking.platform)
    if (entry === undefined) {
      const named = `${reference.repository} for ${asking.platform}`
      throw new StatusError('ImageNotFound', `registry ${reference.registry} has no ${named}`)
    }
    const { registry, repository } = reference
    const chosen = await this.#manifest({ registry, repository, digest: entry.digest }, asking)
    const inner = parseManifest(registry, chosen.body)
    if ('layers' in inner) return inner.layers
    throw garbage(registry, 'an index within an index')
  }

  async search(
    term: string,
    asking: Asking & { readonly limit: number },
  ): Promise<readonly FoundRepository[]> {
    const query = new URLSearchParams({ q: term, n: String(asking.limit) })
    const { insecure, authorities } = await this.#access(new URL(this.#hub.search).host)
    const answer = await this.#exchanges.send({
      method: 'GET',
      address: new URL(`/v1/search?${query}`, this.#hub.search),
      headers: { accept: json },
      reach: { insecure, authorities },
      signal: asking.signal,
    })
    const what = 'search'
    if (answer.status !== 200) throw this.#refused({ registry: dockerHub, what }, answer)
    return parseFound(dockerHub, answer.body).slice(0, asking.limit)
  }

  async login(registry: string, credentials: Credentials, signal: AbortSignal): Promise<void> {
    const inquiry = {
      registry,
      method: 'GET',
      target: '/v2/',
      scope: '',
      accept: json,
      what: 'login',
    } as const
    // A mirror knows nobody of the Hub.
    const access = { ...(await this.#access(registry)), mirrors: [] }
    await this.#throughEndpoints(inquiry, await this.#endpoints(registry, access), (endpoint) =>
      this.#try(inquiry, { endpoint, credentials, signal }),
    )
  }

  async #wholeHead(reference: ImageReference, asking: Asking): Promise<ManifestHead> {
    const { headers, body } = await this.#manifest(reference, asking)
    // A page that welcomes whoever comes has a digest, too.
    parseManifest(reference.registry, body)
    return { digest: digestOfBytes(body), mediaType: headers['content-type'] ?? '' }
  }

  async #manifest(reference: ImageReference, asking: Asking): Promise<Answer> {
    const answer = await this.#ask(manifestInquiry(reference, 'GET'), asking)
    asWanted(reference, digestOfBytes(answer.body))
    return answer
  }

  /** With each of the credentials in turn, and through each address of the registry. */
  async #ask(inquiry: Inquiry, { credentials, signal }: Asking): Promise<Answer> {
    const endpoints = await this.#endpoints(inquiry.registry, await this.#access(inquiry.registry))
    return await this.#throughEndpoints(inquiry, endpoints, async (endpoint) => {
      // What is meant for the registry is not shown to its mirrors.
      const meant = endpoint.isMirror || credentials.length === 0 ? [undefined] : credentials
      let refused: unknown
      for (const each of meant) {
        try {
          return await this.#try(inquiry, { endpoint, credentials: each, signal })
        } catch (error) {
          if (!isReason(error, 'RegistryUnauthorized') && !isReason(error, 'ImageNotFound')) throw error
          refused = error
        }
      }
      throw refused
    })
  }

  /** Where somebody has answered comes before where nobody has. */
  async #endpoints(registry: string, access: RegistryAccess): Promise<Endpoint[]> {
    const reachOf = (host: string) => this.#access(host)
    const endpoints = await endpointsOf(registry, access, { hub: this.#hub.registry, reachOf })
    const rank = ({ isMirror, base }: Endpoint) => (isMirror ? 0 : this.#doors.has(base) ? 1 : 2)
    return endpoints.toSorted((a, b) => rank(a) - rank(b))
  }

  /** The next address is tried after a mirror that is of no use, and after one where nobody was reached. */
  async #throughEndpoints(
    { registry }: Pick<Inquiry, 'registry'>,
    endpoints: readonly Endpoint[],
    attempt: (endpoint: Endpoint) => Promise<Answer>,
  ): Promise<Answer> {
    const failures: StatusError[] = []
    for (const endpoint of endpoints) {
      try {
        return await attempt(endpoint)
      } catch (error) {
        if (!(error instanceof StatusError)) throw error
        failures.push(error)
        if (!endpoint.isMirror && !(error instanceof Unreached)) break
      }
    }
    throw allFailed(registry, failures)
  }

  async #try(inquiry: Inquiry, attempt: Attempt): Promise<Answer> {
    const door = await this.#door(inquiry.registry, attempt)
    const first = await this.#prove(inquiry, attempt, { challenge: door.challenge, fresh: false })
    const answer = await this.#send(inquiry, attempt, first)
    if (answer.status === 200) return answer
    const challenge = answer.status === 401 ? parseChallenge(answer.headers['www-authenticate']) : undefined
    if (challenge === undefined || (challenge.scheme === 'basic' && first !== undefined))
      throw this.#refused(inquiry, answer, attempt)
    // The token has expired, or the registry wants it for something else than was thought.
    const second = await this.#prove(inquiry, attempt, { challenge, fresh: true })
    if (second === undefined) throw this.#refused(inquiry, answer, attempt)
    const again = await this.#send(inquiry, attempt, second)
    if (again.status !== 200) throw this.#refused(inquiry, again, attempt)
    return again
  }

  /** What the registry wants to see, asked without showing anything. */
  async #door(registry: string, { endpoint, signal }: Attempt): Promise<Door> {
    const known = this.#doors.get(endpoint.base)
    if (known !== undefined && known.until > this.#clock.now()) return known
    const { reach, base } = endpoint
    const address = new URL('/v2/', base)
    const answer = await this.#exchanges.send({ method: 'GET', address, headers: {}, reach, signal })
    const challenge = parseChallenge(answer.headers['www-authenticate'])
    const isDoor = answer.status === 200 || (answer.status === 401 && challenge !== undefined)
    if (answer.status === 404) throw garbage(registry, `there is no /v2/ at ${base}`)
    if (!isDoor) throw this.#refused({ registry, what: '/v2/' }, answer)
    const door = {
      challenge: answer.status === 401 ? challenge : undefined,
      until: this.#clock.now() + doorsLastMs,
    }
    if (this.#doors.size >= maxDoors) this.#doors.clear()
    this.#doors.set(base, door)
    return door
  }

  async #prove(
    inquiry: Inquiry,
    { endpoint, credentials, signal }: Attempt,
    { challenge, fresh }: { readonly challenge: Challenge | undefined; readonly fresh: boolean },
  ): Promise<string | undefined> {
    if (challenge === undefined) return undefined
    const wanted = challenge.scheme === 'bearer' && fresh ? challenge.scope : undefined
    const scope = wanted ?? inquiry.scope
    const { registry } = inquiry
    const asked = { registry, challenge, scope, credentials, reach: endpoint.reach, signal }
    const proof = await this.#authorizer.prove(asked, { fresh })
    if (proof === undefined) return undefined
    if ('header' in proof) return proof.header
    throw this.#refused({ registry, what: `a token for ${inquiry.what}` }, proof.refused, { credentials })
  }

  async #send(
    { method, target, accept }: Inquiry,
    { endpoint, signal }: Attempt,
    authorization: string | undefined,
  ): Promise<Answer> {
    const headers = { accept, ...(authorization !== undefined && { authorization }) }
    const address = new URL(target, endpoint.base)
    return await this.#exchanges.send({ method, address, headers, reach: endpoint.reach, signal })
  }

  #refused(
    { registry, what }: Pick<Inquiry, 'registry' | 'what'>,
    { status, headers, body }: Answer,
    { credentials }: Pick<Attempt, 'credentials'> = { credentials: undefined },
  ): StatusError {
    // A registry that repeats what it was told must not make it public.
    const text = refusalText(body, credentials === undefined ? [] : secretsIn(credentials))
    const retryAfter = headers['retry-after']
    return refusal({ registry, what, status, retryAfter, text, now: this.#clock.now() })
  }
}

/** As they may come back. */
function secretsIn(credentials: Credentials): string[] {
  const { password } = credentials
  return [password, encodeURIComponent(password), basic(credentials).slice('Basic '.length)]
}

function manifestInquiry(reference: ImageReference, method: 'GET' | 'HEAD'): Inquiry {
  const { registry, repository, tag = 'latest', digest } = reference
  const what = digest === undefined ? `tag ${tag} of ${repository}` : `${repository}@${digest}`
  const target = `/v2/${repository}/manifests/${digest ?? tag}`
  return { registry, method, target, scope: pullScope(repository), accept: manifestAccept, what }
}

function pullScope(repository: string): string {
  return `repository:${repository}:pull`
}

function asWanted({ registry, digest: wanted }: ImageReference, digest: string): string {
  if (wanted === undefined || wanted === digest) return digest
  throw garbage(registry, `asked for ${wanted} it gives ${digest}`)
}

/** The last is the registry itself; when it is of no use, what its mirrors said is told too. */
function allFailed(registry: string, failures: readonly StatusError[]): StatusError {
  const last = failures.at(-1)
  if (last === undefined) return new Unreached(`registry ${registry} has no address`)
  if (last.reason !== 'RegistryUnavailable' || failures.length === 1) return last
  const others = failures.slice(0, -1).map(({ message }) => message)
  const message = `${last.message} (before that: ${others.join('; ')})`
  return new StatusError(last.reason, message, last.details, { cause: last })
}
