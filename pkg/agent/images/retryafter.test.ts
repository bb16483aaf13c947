import test from 'ava'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import { withRetryAfter } from './retryafter.ts'

const { signal } = new AbortController()
const offered = { found: [], troubles: [] }
const silent = new StatusError('RegistryRateLimited', 'toomanyrequests')
const exact = new StatusError('RegistryRateLimited', '429', { retryAfterSeconds: 600 })

async function told(error: unknown, answer: StatusError | undefined, reference = 'r.io/app') {
  let asked = 0
  const registry = {
    head: async () => {
      asked++
      if (answer !== undefined) throw answer
      return { digest: '', mediaType: '' }
    },
  }
  return { error: await withRetryAfter(error, { reference, offered, registry, signal }), asked }
}

test('a registry that wants to be asked less is asked for how long, once', async (t) => {
  t.deepEqual(await told(silent, exact), { error: exact, asked: 1 })
})

test('whatever else it answers, the pull was told to wait', async (t) => {
  for (const answer of [undefined, new StatusError('ImageNotFound', 'gone'), silent])
    t.deepEqual(await told(silent, answer), { error: silent, asked: 1 })
})

test('who is told already, or failed for another reason, asks nobody', async (t) => {
  const other = new StatusError('RegistryUnauthorized', 'no')
  for (const error of [exact, other, new Error('x')])
    t.deepEqual(await told(error, exact), { error, asked: 0 })
  t.is(await withRetryAfter(silent, { reference: 'r.io/app', offered, registry: undefined, signal }), silent)
})
