import test from 'ava'
import { readWarnings, withWarnings } from './warnings.ts'

test('a header may hold several warnings, with quotes and commas in them', (t) => {
  t.deepEqual(readWarnings('299 - "unknown field \\"spec.a\\"", 299 - "one, two"'), [
    'unknown field "spec.a"',
    'one, two',
  ])
  t.deepEqual(readWarnings('299 - "a \\\\ b"'), ['a \\ b'])
})

test('what is no warning of the API is left alone', (t) => {
  for (const header of ['', '110 cache "stale"', '299', '299 - unquoted', '299 - "open'])
    t.deepEqual(readWarnings(header), [])
})

test('warnings are told before the answer is handed on', async (t) => {
  const told: string[] = []
  const transport = withWarnings(
    async () => ({ status: 200, headers: { warning: '299 - "careful"' }, body: '' }),
    async (text) => void told.push(text),
  )
  const request = { method: 'GET', path: '/', query: new URLSearchParams(), headers: {} }
  await transport({ ...request, signal: new AbortController().signal })
  t.deepEqual(told, ['careful'])
})
