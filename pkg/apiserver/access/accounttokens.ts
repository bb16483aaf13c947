/**
 * Tokens of ServiceAccounts: what they claim, and whether a claim still holds. A token is good while its signature,
 * times and audience are, and while the ServiceAccount it is of, and the Secret it is bound to, are the very objects
 * they were: deleting either ends it at once.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { timestamp } from '#pkg/apimachinery/meta.ts'
import type { UserInfo } from '#pkg/apimachinery/transport.ts'
import { secretKind } from '#pkg/apis/core.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import {
  accountNameAnnotation,
  accountUidAnnotation,
  serviceAccountTokenType,
} from '#pkg/apis/secret.types.ts'
import { serviceAccountKind, serviceAccountUser } from '#pkg/apis/serviceaccount.ts'
import type { ApiObject } from '../cache/encoded.ts'
import { authenticatedGroup } from './authenticate.ts'
import { type Claims, refused, signToken, verifyToken } from './jwt.ts'
import type { TokenKeys } from './tokenkeys.ts'

/** What Kubernetes calls its API by default, so that whoever asks for that audience by name gets a usable token. */
export const issuer = 'https://kubernetes.default.svc.cluster.local'
export const apiAudiences: readonly string[] = [issuer]
/** Of the long-lived tokens in Secrets, which name no audience. */
const secretIssuer = 'kubernetes/serviceaccount'
/** So many tokens are remembered at most. */
const verifiedLimit = 1000
const credentialId = 'authentication.kubernetes.io/credential-id'

/** Undefined: there is none. */
export type Lookup = (
  kind: Pick<Kind, 'group' | 'plural' | 'kind'>,
  namespace: string,
  name: string,
) => ApiObject | undefined

export interface Subject {
  readonly namespace: string
  readonly name: string
  readonly uid: string
}

export interface Bound {
  readonly name: string
  readonly uid: string
}

export interface AccountTokensOptions {
  readonly keys: TokenKeys
  readonly lookup: Lookup
  readonly ambient: Pick<Ambient, 'clock' | 'random'>
}

export interface Wanted {
  readonly account: Subject
  readonly audiences: readonly string[]
  readonly expirationSeconds: number
  readonly secret?: Bound
}

export class AccountTokens {
  readonly #options: AccountTokensOptions
  /** Claims by the hash of their token: what a signature says does not change, and checking it costs most. */
  readonly #verified = new Map<string, Claims>()

  constructor(options: AccountTokensOptions) {
    this.#options = options
  }

  /** A token that ends by itself. */
  issue({ account, audiences, expirationSeconds, secret }: Wanted): { token: string; expiration: string } {
    const { keys, ambient } = this.#options
    const now = Math.floor(ambient.clock.now() / 1000)
    const { namespace, name, uid } = account
    const claims = {
      aud: audiences,
      exp: now + expirationSeconds,
      iat: now,
      iss: issuer,
      jti: ambient.random.uuid(),
      'kubernetes.io': { namespace, ...(secret && { secret }), serviceaccount: { name, uid } },
      nbf: now,
      sub: serviceAccountUser(namespace, name),
    }
    return { token: signToken(claims, keys.signing), expiration: timestamp(claims.exp * 1000) }
  }

  /** A token that is good for as long as both exist and the Secret holds this very token. */
  issueForSecret({ namespace, name, uid }: Subject, secretName: string): string {
    const part = (key: string) => `kubernetes.io/serviceaccount/${key}`
    const claims = {
      iss: secretIssuer,
      [part('namespace')]: namespace,
      [part('secret.name')]: secretName,
      [part('service-account.name')]: name,
      [part('service-account.uid')]: uid,
      sub: serviceAccountUser(namespace, name),
    }
    return signToken(claims, this.#options.keys.signing)
  }

  /** Throws Unauthorized with a reason for the log. `audiences`: those of the token that were asked for. */
  authenticate(
    token: string,
    wanted: readonly string[] = apiAudiences,
  ): { user: UserInfo; audiences: readonly string[] } {
    const claims = this.#claimsOf(token)
    if (claims['iss'] === issuer) return this.#projected(claims, wanted)
    if (claims['iss'] === secretIssuer) return this.#fromSecret(claims, token, wanted)
    throw refused('it is of another issuer')
  }

  #claimsOf(token: string): Claims {
    const hash = createHash('sha256').update(token).digest('base64')
    const known = this.#verified.get(hash)
    if (known !== undefined) return known
    const claims = verifyToken(token, this.#options.keys.verification)
    const [oldest] = this.#verified.keys()
    if (this.#verified.size >= verifiedLimit && oldest !== undefined) this.#verified.delete(oldest)
    this.#verified.set(hash, claims)
    return claims
  }

  #projected(claims: Claims, wanted: readonly string[]) {
    this.#checkTimes(claims)
    const aud: unknown[] = Array.isArray(claims['aud']) ? claims['aud'] : []
    const audiences = wanted.filter((audience) => aud.includes(audience))
    if (audiences.length === 0) throw refused('it is for another audience')
    const own = members(claims['kubernetes.io'])
    const { name, uid } = members(own['serviceaccount'])
    const account = this.#account(String(own['namespace']), String(name), uid)
    if (own['secret'] !== undefined) this.#boundSecret(account, members(own['secret']))
    const { jti } = claims
    const extra = typeof jti === 'string' ? { [credentialId]: [`JTI=${jti}`] } : {}
    return { user: { ...userOf(account), extra }, audiences }
  }

  #fromSecret(claims: Claims, token: string, wanted: readonly string[]) {
    const claim = (key: string) => String(claims[`kubernetes.io/serviceaccount/${key}`])
    const account = this.#account(
      claim('namespace'),
      claim('service-account.name'),
      claim('service-account.uid'),
    )
    const audiences = wanted.filter((audience) => apiAudiences.includes(audience))
    if (audiences.length === 0) throw refused('it is for another audience')
    const secret = this.#options.lookup(secretKind, account.namespace, claim('secret.name'))
    if (secret === undefined || !isTokenSecretOf(secret, account)) throw refused('its Secret is gone')
    if (!sameText(String(members(secret['data'])['token']), Buffer.from(token).toString('base64')))
      throw refused('its Secret holds another token')
    return { user: userOf(account), audiences }
  }

  #checkTimes({ exp, nbf }: Claims): void {
    const now = this.#options.ambient.clock.now() / 1000
    if (typeof exp !== 'number' || now >= exp) throw refused('it has expired')
    if (typeof nbf !== 'number' || now < nbf) throw refused('it is not valid yet')
  }

  /** The account that is there, if it is the one the token was made for. */
  #account(namespace: string, name: string, uid: unknown): Subject {
    const found = this.#options.lookup(serviceAccountKind, namespace, name)
    if (found === undefined || isGoing(found)) throw refused(`ServiceAccount ${namespace}/${name} is gone`)
    if (found.metadata.uid !== uid)
      throw refused(`ServiceAccount ${namespace}/${name} is another than the one it was made for`)
    return { namespace, name, uid: String(uid) }
  }

  #boundSecret({ namespace }: Subject, { name, uid }: Record<string, unknown>): void {
    const found = this.#options.lookup(secretKind, namespace, String(name))
    if (found === undefined || isGoing(found) || found.metadata.uid !== uid)
      throw refused(`Secret ${namespace}/${String(name)}, to which it is bound, is gone`)
  }
}

function userOf({ namespace, name, uid }: Subject): UserInfo {
  const groups = ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, authenticatedGroup]
  return { name: serviceAccountUser(namespace, name), uid, groups }
}

function isGoing({ metadata }: ApiObject): boolean {
  return metadata.deletionTimestamp !== undefined
}

function isTokenSecretOf(secret: ApiObject, { name, uid }: Subject): boolean {
  const { annotations = {} } = secret.metadata
  return (
    !isGoing(secret) &&
    secret['type'] === serviceAccountTokenType &&
    annotations[accountNameAnnotation] === name &&
    annotations[accountUidAnnotation] === uid
  )
}

function members(value: unknown): Record<string, unknown> {
  return isPlainObject(value) ? value : {}
}

/** In a time that tells nothing but the length. */
export function sameText(left: string, right: string): boolean {
  const [a, b] = [Buffer.from(left), Buffer.from(right)]
  return a.length === b.length && timingSafeEqual(a, b)
}
