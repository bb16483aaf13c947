import test from 'ava'
import fc from 'fast-check'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import { parseFound, parseManifest, parseTexts, parseToken, refusalText } from './answers.ts'
import { nextPage, parseChallenge, tokenAddress } from './challenge.ts'
import { retryAfterSeconds } from './failures.ts'

test('a challenge is read in every form that registries write it in', (t) => {
  const bearer = {
    scheme: 'bearer',
    realm: 'https://a.io/t',
    service: 's',
    scope: 'repository:x:pull',
  } as const
  for (const header of [
    'Bearer realm="https://a.io/t",service="s",scope="repository:x:pull"',
    'bearer  realm="https://a.io/t" , service=s , scope="repository:x:pull", error="invalid_token"',
    'Basic realm="x", Bearer realm="https://a.io/t",service="s",scope="repository:x:pull"',
  ])
    t.deepEqual(parseChallenge(header), bearer, header)
  t.deepEqual(parseChallenge('Basic realm="Registry, with a \\" in it"'), { scheme: 'basic' })
  t.deepEqual(parseChallenge('Bearer realm="https://a.io"'), { scheme: 'bearer', realm: 'https://a.io' })
  for (const header of [undefined, '', 'Negotiate', 'Bearer service="s"', 'realm="x"'])
    t.is(parseChallenge(header), undefined)
})

test('a token is asked for where the realm says, for each scope, and nowhere but over HTTP', (t) => {
  const asked = (realm: string, scope: string, account?: string) =>
    tokenAddress({ scheme: 'bearer', realm, service: 's' }, { scope, ...(account && { account }) })?.href
  t.is(
    asked('https://a.io/t?x=1', 'a:b:pull c:d:pull', 'me'),
    'https://a.io/t?x=1&service=s&scope=a%3Ab%3Apull&scope=c%3Ad%3Apull&account=me',
  )
  t.is(asked('https://a.io/t', ''), 'https://a.io/t?service=s')
  for (const realm of ['file:///etc/passwd', 'nowhere', 'javascript:1']) t.is(asked(realm, ''), undefined)
})

test('the next page is a path, whatever host stands before it', (t) => {
  const base = new URL('https://r.io/v2/_catalog')
  t.is(nextPage('</v2/_catalog?last=b&n=2>; rel="next"', base), '/v2/_catalog?last=b&n=2')
  t.is(nextPage('<https://evil.io/v2/x?n=1>;rel=next', base), '/v2/x?n=1')
  t.is(nextPage('<a>; rel="prev", </v2/b>; rel="next"', base), '/v2/b')
  for (const link of [undefined, '', '</v2/x>; rel="prev"', 'next']) t.is(nextPage(link, base), undefined)
})

test('the next page is on the same host, however it is written', (t) => {
  const base = new URL('https://r.io/v2/_catalog')
  const links = [
    'https://r.io//evil.io/x',
    '//evil.io//evil.io/x',
    '/\\evil.io/x',
    'foo:http://evil.io/x',
    'foo://evil.io/x',
  ]
  for (const link of links) {
    const page = nextPage(`<${link}>; rel="next"`, base)
    t.true(page === undefined || new URL(page, base).host === 'r.io', `${link} leads to ${page}`)
  }
})

test('whatever a registry writes, reading it ends soon with a value or with a StatusError', (t) => {
  const base = new URL('https://r.io/')
  const readers = [
    parseToken,
    parseManifest,
    parseFound,
    (registry: string, body: Uint8Array) => parseTexts(registry, body, 'tags'),
  ]
  const mostlyJson = fc.oneof(
    fc.json(),
    fc.string(),
    fc
      .object()
      .map((value) => JSON.stringify({ tags: value, layers: [value], manifests: value, results: [value] })),
  )
  fc.assert(
    fc.property(mostlyJson, fc.string({ maxLength: 2000 }), (body, header) => {
      parseChallenge(header)
      nextPage(header, base)
      const wait = retryAfterSeconds(header, 0)
      if (wait !== undefined && !(wait >= 1 && wait <= 21_600)) return false
      const bytes = Buffer.from(body)
      if (/[^\x20-\x7e]/.test(refusalText(bytes, []))) return false
      for (const read of readers) {
        try {
          read('r.io', bytes)
        } catch (error) {
          if (!(error instanceof StatusError)) return false
        }
      }
      return true
    }),
    { numRuns: 500 },
  )
  const started = performance.now()
  for (const piece of ['<', 'a=', '"\\', 'a="', ' ,'])
    for (const read of [parseChallenge, (text: string) => nextPage(text, base)]) read(piece.repeat(100_000))
  t.true(performance.now() - started < 2000)
})
