import test from 'ava'
import fc from 'fast-check'
import { type ApiRequest, inProcess, readAll } from './transport.ts'

test('a body is read whole, however it comes', async (t) => {
  t.is(await readAll('ä'), 'ä')
  t.is(await readAll(new TextEncoder().encode('ä')), 'ä')
  await t.notThrowsAsync(
    fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), fc.array(fc.nat(20)), async (text, cuts) => {
        const bytes = Buffer.from(text)
        async function* chunks() {
          let at = 0
          for (const size of cuts) {
            yield bytes.subarray(at, at + size)
            at += size
          }
          yield bytes.subarray(at)
          yield 'end'
        }
        return (await readAll(chunks())) === `${bytes.toString('utf8')}end`
      }),
    ),
  )
})

test('a handler called in process sees the request as it is, and who asks', async (t) => {
  const user = { name: 'admin', groups: [] }
  const request: ApiRequest = {
    method: 'GET',
    path: '/api',
    query: new URLSearchParams(),
    headers: {},
    signal: new AbortController().signal,
  }
  const transport = inProcess(async (seen, by) => {
    t.is(seen, request)
    t.is(by, user)
    return { status: 200, headers: {}, body: 'yes' }
  }, user)
  t.is((await transport(request)).body, 'yes')
})
