/**
 * One question to one address over HTTP or HTTPS: bounded in time, in size and in redirects. What proves who asks goes to
 * the first host only.
 */
import http from 'node:http'
import https from 'node:https'
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import { fingerprint } from '#pkg/apimachinery/hash.ts'
import { plainHeaders } from '#pkg/apimachinery/wire.ts'
import { machineAuthorities } from './authorities.ts'
import { Unreached, unreached } from './failures.ts'

/** How a host is believed. */
export interface Reach {
  /** Whether certificates that nobody vouches for will do, and HTTP where HTTPS was. */
  readonly insecure: boolean
  /** PEM, besides the machine's own. */
  readonly authorities: readonly string[]
}

export interface Question {
  readonly method: 'GET' | 'HEAD' | 'POST'
  readonly address: URL
  readonly headers: Readonly<Record<string, string>>
  /** Of a POST: a form. */
  readonly form?: URLSearchParams
  readonly reach: Reach
  readonly signal: AbortSignal
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

/** Of one question with all its redirects. */
const patienceMs = 30_000
const maxAnswerBytes = 4 * 1024 * 1024
const maxRedirects = 5

export class Exchanges {
  readonly #clock: Clock
  readonly #reachOf: (host: string) => Promise<Reach>
  /** Connections are kept by how their other side is believed. */
  readonly #agents = new Map<string, http.Agent>()

  /** `reachOf` is asked for hosts that a redirect leads to. */
  constructor(clock: Clock, reachOf: (host: string) => Promise<Reach>) {
    this.#clock = clock
    this.#reachOf = reachOf
  }

  /** Throws Unreached when there is no whole answer; any status is an answer. */
  async send(question: Question): Promise<Answer> {
    const patience = new AbortController()
    const end = this.#clock.after(patienceMs, () => patience.abort())
    const signal = AbortSignal.any([question.signal, patience.signal])
    try {
      return await this.#follow({ ...question, signal }, 0)
    } catch (error) {
      if (question.signal.aborted) throw question.signal.reason
      if (!patience.signal.aborted) throw error
      throw new Unreached(`registry at ${question.address.host} gave no answer in ${patienceMs / 1000} s`)
    } finally {
      end()
    }
  }

  /** Ends connections that are kept. */
  close(): void {
    for (const agent of this.#agents.values()) agent.destroy()
    this.#agents.clear()
  }

  async #follow(question: Question, redirects: number): Promise<Answer> {
    const answer = await this.#once(question, true)
    const { location } = answer.headers
    const moved = [301, 302, 303, 307, 308].includes(answer.status)
    if (!moved || location === undefined || question.method === 'POST') return answer
    if (redirects === maxRedirects)
      throw new Unreached(`registry at ${question.address.host} sends on more than ${maxRedirects} times`)
    return await this.#follow(await this.#redirected(question, location), redirects + 1)
  }

  async #redirected(question: Question, location: string): Promise<Question> {
    const { address, headers } = question
    const target = URL.canParse(location, address) ? new URL(location, address) : undefined
    if (target === undefined || !/^https?:$/.test(target.protocol))
      throw new Unreached(`registry at ${address.host} sends on to what is no address`)
    const reach = target.host === address.host ? question.reach : await this.#reachOf(target.host)
    // A registry that must prove itself leads nowhere that need not: to what listens on this machine, say.
    const mayBePlain = reach.insecure && question.reach.insecure
    if (address.protocol === 'https:' && target.protocol === 'http:' && !mayBePlain)
      throw new Unreached(`registry at ${address.host} sends on from HTTPS to HTTP`)
    if (target.origin === address.origin) return { ...question, address: target }
    const { authorization: _, ...others } = headers
    return { ...question, address: target, reach, headers: others }
  }

  /** A kept connection may have been closed meanwhile: then it is asked once more on a new one. */
  #once(question: Question, mayRetry: boolean): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const { address, signal } = question
      if (signal.aborted) {
        reject(signal.reason)
        return
      }
      const sent = this.#open(question)
      sent.on('error', (error) => {
        if (signal.aborted) reject(signal.reason)
        else if (mayRetry && sent.reusedSocket) this.#once(question, false).then(resolve, reject)
        else reject(unreached(address, error))
      })
      sent.on('response', (incoming) => {
        collect(incoming, address).then(resolve, (error: unknown) =>
          reject(signal.aborted ? signal.reason : error),
        )
      })
      sent.end(question.form?.toString())
    })
  }

  #open({ method, address, headers, form, reach, signal }: Question): http.ClientRequest {
    const { request } = address.protocol === 'https:' ? https : http
    const formType = form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }
    return request(address, {
      method,
      agent: this.#agentOf(address, reach),
      headers: { 'user-agent': 'cove', ...headers, ...formType },
      signal,
    })
  }

  #agentOf(address: URL, reach: Reach): http.Agent {
    const key = address.protocol === 'https:' ? fingerprint(reach) : 'http'
    const known = this.#agents.get(key)
    if (known !== undefined) return known
    const agent = address.protocol === 'https:' ? secureAgent(reach) : new http.Agent(kept)
    this.#agents.set(key, agent)
    return agent
  }
}

const kept = { keepAlive: true, maxFreeSockets: 4 }

/** The machine's authorities, as its engine has them. */
function secureAgent({ insecure, authorities }: Reach): https.Agent {
  const ca = [...machineAuthorities(), ...authorities]
  return new https.Agent({ ...kept, ca, rejectUnauthorized: !insecure })
}

async function collect(incoming: http.IncomingMessage, address: URL): Promise<Answer> {
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    for await (const chunk of incoming) {
      size += chunk.length
      if (size > maxAnswerBytes) {
        incoming.destroy()
        throw new Unreached(`registry at ${address.host} answers with more than ${maxAnswerBytes} bytes`)
      }
      chunks.push(chunk)
    }
  } catch (error) {
    throw error instanceof Unreached ? error : unreached(address, error)
  }
  return {
    status: incoming.statusCode ?? 0,
    headers: plainHeaders(incoming.headers),
    body: Buffer.concat(chunks),
  }
}
