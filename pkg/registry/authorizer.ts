/**
 * What proves to a registry who asks: Basic, or a token that is fetched once and used until it expires. Which of the two
 * the registry has said when it was first asked; it is not asked again before each question.
 */
import { createHash } from 'node:crypto'
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import { parseToken } from './answers.ts'
import { type Challenge, tokenAddress } from './challenge.ts'
import type { Answer, Exchanges, Reach } from './exchange.ts'
import { Unreached } from './failures.ts'
import type { Credentials } from './port.ts'

export interface Asked {
  /** As references name it. */
  readonly registry: string
  readonly challenge: Challenge
  /** `repository:team/app:pull`; empty: none. */
  readonly scope: string
  readonly credentials: Credentials | undefined
  readonly reach: Reach
  readonly signal: AbortSignal
}

export type Proof = { readonly header: string } | { readonly refused: Answer }

/** A token is not used in its last seconds, for it may be late when it arrives. */
const marginMs = 5000
const maxTokens = 1000
/** Credential helpers give this name when what they keep is a refresh token. */
const refreshName = '<token>'

export class Authorizer {
  readonly #clock: Clock
  readonly #exchanges: Exchanges
  readonly #tokens = new Map<string, { readonly header: string; readonly until: number }>()

  constructor(clock: Clock, exchanges: Exchanges) {
    this.#clock = clock
    this.#exchanges = exchanges
  }

  /** The header; undefined when there is nothing to prove. */
  async prove(asked: Asked, { fresh }: { readonly fresh: boolean }): Promise<Proof | undefined> {
    const { challenge, credentials } = asked
    if (challenge.scheme === 'basic')
      return credentials === undefined ? undefined : { header: basic(credentials) }
    const key = keyOf(asked)
    const known = fresh ? undefined : this.#tokens.get(key)
    if (known !== undefined && known.until > this.#clock.now()) return { header: known.header }
    const answer = await this.#ask(asked, challenge)
    if (answer.status !== 200) return { refused: answer }
    const { token, lifetimeMs } = parseToken(asked.registry, answer.body)
    const header = `Bearer ${token}`
    this.#keep(key, { header, until: this.#clock.now() + lifetimeMs - marginMs })
    return { header }
  }

  async #ask(asked: Asked, challenge: Extract<Challenge, { scheme: 'bearer' }>): Promise<Answer> {
    const { registry, scope, credentials, reach, signal } = asked
    const refreshes = credentials?.username === refreshName
    const account = credentials === undefined || refreshes ? {} : { account: credentials.username }
    const address = tokenAddress(challenge, { scope, ...account })
    if (address === undefined) throw new Unreached(`registry ${registry} gives tokens at what is no address`)
    // Credentials would be readable; and what answers to anybody over HTTP is often meant for its own network only.
    if (address.protocol === 'http:' && !reach.insecure)
      throw new Unreached(`registry ${registry} gives tokens over HTTP, which anybody could read`)
    const common = { reach, signal, headers: { accept: 'application/json' } }
    if (credentials === undefined || !refreshes) {
      const headers = { ...common.headers, ...(credentials && { authorization: basic(credentials) }) }
      return await this.#exchanges.send({ ...common, headers, method: 'GET', address })
    }
    const form = new URLSearchParams(address.searchParams)
    form.set('grant_type', 'refresh_token')
    form.set('client_id', 'cove')
    form.set('refresh_token', credentials.password)
    address.search = ''
    return await this.#exchanges.send({ ...common, method: 'POST', address, form })
  }

  #keep(key: string, token: { readonly header: string; readonly until: number }): void {
    if (this.#tokens.size >= maxTokens) this.#forgetOld()
    this.#tokens.set(key, token)
  }

  #forgetOld(): void {
    const now = this.#clock.now()
    for (const [key, { until }] of this.#tokens) if (until <= now) this.#tokens.delete(key)
    if (this.#tokens.size >= maxTokens) this.#tokens.clear()
  }
}

export function basic({ username, password }: Credentials): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}

/** No password stays in the key, and who comes with another one gets another token. */
function keyOf({ registry, challenge, scope, credentials }: Asked): string {
  const parts = [registry, challenge, scope, credentials?.username ?? '', credentials?.password ?? '']
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex')
}
