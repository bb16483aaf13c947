/** What a registry asks for when it refuses (RFC 9110's WWW-Authenticate), and what comes of it. Pure. */

export type Challenge =
  | { readonly scheme: 'basic' }
  | {
      readonly scheme: 'bearer'
      readonly realm: string
      readonly service?: string
      readonly scope?: string
    }

/** The first that Cove can answer; Bearer before Basic, for who offers both prefers it. Undefined: none. */
export function parseChallenge(header: string | undefined): Challenge | undefined {
  const offers = offersOf(header ?? '')
  for (const { scheme, parameters } of offers) {
    const { realm, service, scope } = parameters
    if (scheme !== 'bearer' || realm === undefined || realm === '') continue
    return { scheme, realm, ...(service !== undefined && { service }), ...(scope !== undefined && { scope }) }
  }
  return offers.some(({ scheme }) => scheme === 'basic') ? { scheme: 'basic' } : undefined
}

interface Offer {
  readonly scheme: string
  readonly parameters: Readonly<Record<string, string>>
}

/** A word before its parameters begins another offer; values are tokens or quoted. */
function offersOf(header: string): Offer[] {
  const offers: { scheme: string; parameters: Record<string, string> }[] = []
  // At most this much is looked at: more is no challenge.
  for (const match of header.slice(0, 8192).matchAll(part)) {
    const { name = '', quoted, token, scheme } = match.groups ?? {}
    if (scheme !== undefined) offers.push({ scheme: scheme.toLowerCase(), parameters: {} })
    else {
      const value = quoted?.replace(/\\(.)/g, '$1') ?? token ?? ''
      const parameters = offers.at(-1)?.parameters
      if (parameters !== undefined) parameters[name.toLowerCase()] = value
    }
  }
  return offers
}

const part =
  /(?<name>[\w-]{1,64})=(?:"(?<quoted>(?:[^"\\]|\\.)*)"|(?<token>[^\s",]+))|(?<scheme>[\w-]{1,64})/g

/** Where to ask for a token; undefined when the realm is no address. */
export function tokenAddress(
  challenge: Extract<Challenge, { scheme: 'bearer' }>,
  { scope, account }: { readonly scope: string; readonly account?: string },
): URL | undefined {
  const { realm, service } = challenge
  if (!URL.canParse(realm)) return undefined
  const address = new URL(realm)
  if (address.protocol !== 'https:' && address.protocol !== 'http:') return undefined
  if (service !== undefined) address.searchParams.set('service', service)
  for (const each of scope.split(' ').filter((text) => text !== ''))
    address.searchParams.append('scope', each)
  if (account !== undefined) address.searchParams.set('account', account)
  return address
}

/** The address of the next page, as path and query; undefined when there is none. The host it names is of no interest. */
export function nextPage(link: string | undefined, base: URL): string | undefined {
  for (const match of (link ?? '').slice(0, 8192).matchAll(/<([^<>]*)>([^<]*)/g)) {
    const [, target = '', parameters = ''] = match
    if (!/;\s*rel="?next"?/i.test(parameters) || !URL.canParse(target, base)) continue
    const { protocol, pathname, search } = new URL(target, base)
    if (!/^https?:$/.test(protocol)) continue
    // With two slashes it would name a host, and credentials go where it leads.
    return `${pathname.replace(/^\/+/, '/')}${search}`
  }
  return undefined
}
