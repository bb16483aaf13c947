/** Everything by which the server knows who asks, and gives out means to be known: put together for serve.ts. */
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import { objectKey } from '#pkg/apimachinery/meta.ts'
import type { Handler, UserInfo } from '#pkg/apimachinery/transport.ts'
import { parseBootstrapToken } from '#pkg/apis/bootstraptoken.ts'
import { nodeKind } from '#pkg/apis/node.ts'
import type { Cache } from '../cache/cache.ts'
import { decodeObject } from '../cache/encoded.ts'
import type { Surface } from '../http/answer.ts'
import { AccountTokens, apiAudiences, type Lookup } from './accounttokens.ts'
import { type Authenticate, makeAuthenticate } from './authenticate.ts'
import { bootstrapUser } from './bootstraptokens.ts'
import { looksLikeJwt, refused } from './jwt.ts'
import { nodeCertificates } from './nodecertificate.ts'
import { isBegunBy, registerNode } from './noderegistration.ts'
import type { Identity as Authority } from './pki.ts'
import type { TokenKeys } from './tokenkeys.ts'
import { tokenRequests } from './tokenrequest.ts'
import { type ReviewToken, tokenReviews } from './tokenreview.ts'

export interface IdentityOptions {
  readonly ca: Authority
  readonly keys: TokenKeys
  readonly ambient: Ambient
  /** Asked at each request, not before. */
  readonly cache: () => Cache
  /** The verbs, unguarded; asked at each request, not before. */
  readonly handler: () => Handler
  /** Of certificates of nodes; absent: a year. */
  readonly nodeCertificateMs?: number | undefined
}

export interface Identity {
  readonly tokens: AccountTokens
  readonly authenticate: Authenticate
  readonly surfaces: readonly Surface[]
}

export function makeIdentity(options: IdentityOptions): Identity {
  const { ca, keys, ambient, cache, handler, nodeCertificateMs } = options
  const { clock } = ambient
  const lookup: Lookup = (kind, namespace, name) => {
    const entry = cache().of(kind).get(objectKey({ namespace, name }))
    return entry === undefined ? undefined : decodeObject(entry.text)
  }
  const tokens = new AccountTokens({ keys, lookup, ambient })
  const review: ReviewToken = (token, wanted = apiAudiences) => {
    if (looksLikeJwt(token)) return tokens.authenticate(token, wanted)
    const bootstrap = parseBootstrapToken(token)
    if (bootstrap === undefined) throw refused('it is of no form that this server gives out')
    const audiences = wanted.filter((audience) => apiAudiences.includes(audience))
    if (audiences.length === 0) throw refused('it is for another audience')
    return { user: bootstrapUser(bootstrap, lookup, clock), audiences }
  }
  const isTaken = (name: string, user: UserInfo) => {
    const entry = cache().of(nodeKind).get(name)
    return entry !== undefined && !isBegunBy(user, decodeObject(entry.text))
  }
  return {
    tokens,
    authenticate: makeAuthenticate((token) => review(token, undefined).user, ambient),
    surfaces: [
      tokenRequests({ tokens, lookup, clock }),
      tokenReviews(review),
      nodeCertificates({
        ca,
        ambient,
        isTaken,
        register: (joining) => registerNode(handler(), joining),
        lifetimeMs: nodeCertificateMs,
      }),
    ],
  }
}
