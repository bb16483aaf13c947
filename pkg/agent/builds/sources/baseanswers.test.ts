/** What registries are asked about base images, and what is held of their answers. */
import test from 'ava'
import { ManualClock } from '#pkg/apimachinery/ambient.ts'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import type { RegistryClient } from '#pkg/registry/port.ts'
import { secret } from '#test/helpers/world.ts'
import { BaseAnswers, type BaseQuestion } from './baseanswers.ts'

const minute = 60_000
const digestOf = (digit: string) => `sha256:${digit.repeat(64)}`

function scene(answer: () => string | Error) {
  const clock = new ManualClock()
  const asked: string[] = []
  const none = () => Promise.reject(new Error('nobody asks that'))
  const registry: RegistryClient = {
    async head({ registry: server, repository, tag }, { credentials }) {
      const logins = credentials.map(({ username }) => username).join(',')
      asked.push(`${server}/${repository}:${tag} ${logins}`.trim())
      const found = answer()
      if (found instanceof Error) throw found
      return { digest: found, mediaType: 'm' }
    },
    tags: none,
    catalog: none,
    layers: none,
    search: none,
    login: none,
  }
  const auths = JSON.stringify({ auths: { 'r.example': { username: 'me', password: 'secret' } } })
  const login = { ...secret('login', { '.dockerconfigjson': auths }), type: 'kubernetes.io/dockerconfigjson' }
  let told = 0
  const bases = new BaseAnswers({
    clock,
    registry,
    credentials: {
      secretOf: (key) => (key === 'default/login' ? login : undefined),
      registries: () => [],
    },
    onAnswer: () => {
      told++
    },
  })
  const question = (reference: string, more: Partial<BaseQuestion> = {}): BaseQuestion => ({
    reference,
    namespace: 'default',
    secrets: [],
    interval: 10 * minute,
    again: true,
    ...more,
  })
  return { clock, asked, bases, question, told: () => told }
}

test('each base is asked about once for all who are made of it, at the shortest of their intervals', async (t) => {
  let digest = digestOf('a')
  const { clock, asked, bases, question, told } = scene(() => digest)
  bases.follow([
    question('bb:1'),
    question('docker.io/library/bb:1', { interval: minute }),
    question('other'),
  ])
  await clock.advance(0)
  t.deepEqual(asked.toSorted(), ['docker.io/library/bb:1', 'docker.io/library/other:latest'])
  t.is(bases.answers().get('docker.io/library/bb:1')?.digest, digest)
  t.is(told(), 2)
  digest = digestOf('b')
  await clock.advance(minute)
  t.is(asked.length, 3)
  t.is(bases.answers().get('docker.io/library/bb:1')?.digest, digestOf('b'))
  t.is(bases.answers().get('docker.io/library/other:latest')?.digest, digestOf('a'))
  t.true((bases.nextAskAt('bb:1') ?? 0) <= clock.now() + minute)
})

test('one with a digest means what it says, and nobody is asked', async (t) => {
  const { clock, asked, bases, question } = scene(() => digestOf('a'))
  bases.follow([question(`bb@${digestOf('c')}`), question('NOT A NAME')])
  await clock.advance(10 * minute)
  t.deepEqual(asked, [])
})

test('a registry is shown the credentials that the Build names', async (t) => {
  const { clock, asked, bases, question } = scene(() => digestOf('a'))
  bases.follow([question('r.example/a:1', { secrets: ['default/login'] })])
  await clock.advance(0)
  t.deepEqual(asked, ['r.example/a:1 me'])
})

test('a failure stands beside what was known, and a registry that says when is not asked before', async (t) => {
  let answer: string | Error = digestOf('a')
  const { clock, asked, bases, question } = scene(() => answer)
  const name = 'docker.io/library/bb:1'
  bases.follow([question('bb:1')])
  await clock.advance(0)
  answer = new StatusError('RegistryRateLimited', 'not now', { retryAfterSeconds: 300 })
  await clock.advance((bases.nextAskAt('bb:1') ?? 0) - clock.now())
  const failed = bases.answers().get(name)
  t.is(failed?.digest, digestOf('a'))
  t.deepEqual(failed?.failure, { reason: 'RegistryRateLimited', message: 'not now' })
  await clock.advance(4 * minute)
  t.is(asked.length, 2)
  answer = digestOf('b')
  await clock.advance(minute)
  t.is(asked.length, 3)
  t.is(bases.answers().get(name)?.digest, digestOf('b'))
  t.is(bases.answers().get(name)?.failure, undefined)
})

test('what nobody is made of any more is asked no more, and forgotten', async (t) => {
  const { clock, asked, bases, question } = scene(() => digestOf('a'))
  bases.follow([question('bb:1', { again: false })])
  await clock.advance(100 * minute)
  t.is(asked.length, 1)
  bases.follow([])
  t.is(bases.answers().size, 0)
  await clock.advance(100 * minute)
  t.is(asked.length, 1)
  await bases.close()
})
