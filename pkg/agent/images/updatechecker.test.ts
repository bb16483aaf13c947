import test from 'ava'
import { ManualClock } from '#pkg/apimachinery/ambient.ts'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import type { RegistryClient } from '#pkg/registry/port.ts'
import { type UpdateCheck, UpdateChecker } from './updatechecker.ts'

const digest = `sha256:${'a'.repeat(64)}`

interface Registry {
  readonly asked: string[]
  /** What is asked is answered when this is called. */
  readonly release: () => void
  readonly client: RegistryClient
}

function registry(answer: () => string = () => digest, { waits = false } = {}): Registry {
  const asked: string[] = []
  const waiting: (() => void)[] = []
  const none = () => Promise.reject(new Error('nobody asks that'))
  const client: RegistryClient = {
    async head({ repository, tag }, { signal }) {
      asked.push(`HEAD ${repository}:${tag}`)
      if (waits)
        await new Promise<void>((resolve, reject) => {
          waiting.push(resolve)
          signal.addEventListener('abort', () => reject(signal.reason), { once: true })
        })
      return { digest: answer(), mediaType: 'm' }
    },
    async tags({ repository }) {
      asked.push(`tags ${repository}`)
      return ['1.0.0', '1.2.0', 'latest']
    },
    catalog: none,
    layers: none,
    search: none,
    login: none,
  }
  const release = () => {
    for (const resolve of waiting.splice(0)) resolve()
  }
  return { asked, client, release }
}

function check(uid: string, more: Partial<UpdateCheck> = {}): UpdateCheck {
  return {
    uid,
    question: { key: uid, reference: `docker.io/library/${uid}:1` },
    askAt: 0,
    credentials: () => Promise.resolve([]),
    ...more,
  }
}

function checker(client: RegistryClient) {
  const clock = new ManualClock()
  const told: number[] = []
  const made = new UpdateChecker({ clock, registry: client, onAnswer: () => told.push(clock.now()) })
  const sync = (...checks: UpdateCheck[]) => made.sync(checks, new Set(checks.map(({ uid }) => uid)))
  return { clock, told, made, sync }
}

test('a tag is one HEAD, at its time, and the answer is told of', async (t) => {
  const { asked, client } = registry()
  const { clock, told, made, sync } = checker(client)
  const at = clock.now() + 1000
  sync(check('app', { askAt: at, request: 'r' }))
  await clock.advance(999)
  t.deepEqual(asked, [])
  await clock.advance(1)
  t.deepEqual(asked, ['HEAD library/app:1'])
  t.deepEqual(told, [at])
  t.deepEqual(made.answers().get('app'), {
    question: 'app',
    at,
    request: 'r',
    failures: 0,
    found: { tag: '1', digest },
  })
  await clock.advance(3_600_000)
  t.is(asked.length, 1, 'it is not asked again before the next plan says so')
  await made.close()
})

test('of versions the tags are read, and the newest is asked for', async (t) => {
  const { asked, client } = registry()
  const { clock, made, sync } = checker(client)
  sync(check('app', { question: { key: 'k', reference: 'docker.io/library/app', range: '^1' } }))
  await clock.advance(0)
  t.deepEqual(asked, ['tags library/app', 'HEAD library/app:1.2.0'])
  t.deepEqual(made.answers().get('app')?.found, { tag: '1.2.0', digest })
  sync(check('app', { question: { key: 'l', reference: 'docker.io/library/app', range: '^2' } }))
  await clock.advance(0)
  t.is(made.answers().get('app')?.found, undefined)
  t.is(made.answers().get('app')?.error, undefined)
  await made.close()
})

test('a failure is an answer, counts those in a row, and says when the registry wants to be asked', async (t) => {
  const refusal = () => {
    throw new StatusError('RegistryRateLimited', 'slow down', { retryAfterSeconds: 7 })
  }
  const { client } = registry(refusal)
  const { clock, made, sync } = checker(client)
  for (const failures of [1, 2]) {
    sync(check('app'))
    await clock.advance(7000)
    const { error, failures: counted } = made.answers().get('app') ?? {}
    t.is(counted, failures)
    t.deepEqual(error, { reason: 'RegistryRateLimited', message: 'slow down', retryAfterSeconds: 7 })
  }
  sync(check('app', { question: { key: 'other', reference: 'docker.io/library/app:2' } }))
  await clock.advance(0)
  t.is(made.answers().get('app')?.failures, 1, 'of another question it is the first')
  await made.close()
})

test('a registry that wants to be left alone is, whatever it is to be asked about', async (t) => {
  const refusal = () => {
    throw new StatusError('RegistryRateLimited', 'slow down', { retryAfterSeconds: 60 })
  }
  const { asked, client } = registry(refusal)
  const { clock, made, sync } = checker(client)
  sync(check('one'))
  await clock.advance(10_000)
  sync(check('one'), check('two'), check('three'))
  await clock.advance(0)
  t.is(asked.length, 1)
  t.deepEqual(made.answers().get('two')?.error, {
    reason: 'RegistryRateLimited',
    message: 'slow down',
    retryAfterSeconds: 50,
  })
  sync(check('two', { askAt: clock.now() + 50_000 }))
  await clock.advance(50_000)
  t.deepEqual(asked, ['HEAD library/one:1', 'HEAD library/two:1'])
  await made.close()
})

test('four are asked at once, the others in turn', async (t) => {
  const { asked, client, release } = registry(() => digest, { waits: true })
  const { clock, made, sync } = checker(client)
  sync(...Array.from({ length: 10 }, (_, index) => check(`app${index}`)))
  await clock.advance(0)
  t.is(asked.length, 4)
  release()
  await clock.advance(0)
  t.is(asked.length, 8)
  release()
  await clock.advance(0)
  release()
  await clock.advance(0)
  t.is(asked.length, 10)
  t.is(made.answers().size, 10)
  await made.close()
})

test('a registry that hangs is waited for a minute', async (t) => {
  const { client } = registry(() => digest, { waits: true })
  const { clock, made, sync } = checker(client)
  sync(check('app'))
  await clock.advance(59_999)
  t.is(made.answers().size, 0)
  await clock.advance(1)
  t.deepEqual(made.answers().get('app')?.error, {
    reason: 'RegistryUnavailable',
    message: 'no answer within 60s',
  })
  await made.close()
})

test('what is not followed any more is forgotten, and not asked though it was to be', async (t) => {
  const { asked, client } = registry()
  const { clock, made, sync } = checker(client)
  sync(check('app'), check('later', { askAt: clock.now() + 1000 }))
  await clock.advance(0)
  t.is(made.answers().size, 1)
  sync()
  await clock.advance(2000)
  t.is(made.answers().size, 0)
  t.is(asked.length, 1)
  await made.close()
})

test('the end of the agent ends what is under way, and nothing is told of it', async (t) => {
  const { client } = registry(() => digest, { waits: true })
  const { clock, told, made, sync } = checker(client)
  sync(...Array.from({ length: 6 }, (_, index) => check(`app${index}`)))
  await clock.advance(0)
  await made.close()
  t.deepEqual([told.length, made.answers().size], [0, 0])
})
