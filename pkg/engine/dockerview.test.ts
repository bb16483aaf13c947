import test from 'ava'
import { readContainer, readInfo } from './dockerview.ts'

const entry = (ExitCode: number) => ({
  Start: '2026-01-01T12:00:00Z',
  End: '2026-01-01T12:00:01Z',
  ExitCode,
  Output: '',
})

/** The health that is read of a container that runs, or not. */
function health(
  Status: string,
  FailingStreak: number,
  codes: readonly number[],
  Running = true,
  Retries = 0,
) {
  const State = { Running, Health: { Status, FailingStreak, Log: codes.map(entry) } }
  return readContainer({ State, Config: { Healthcheck: { Retries } } }).health?.status
}

test('what the engine calls unhealthy because it is frozen, or was a moment ago, is as it was before', (t) => {
  t.is(health('unhealthy', 0, [0, 0]), 'healthy')
  t.is(health('unhealthy', 2, [0, 1, 1]), 'healthy')
  t.is(health('unhealthy', 0, []), 'starting')
  t.is(health('unhealthy', 1, [1]), 'starting')
})

test('so many failures in a row as the check allows are unhealthy', (t) => {
  t.is(health('unhealthy', 3, [1, 1, 1]), 'unhealthy')
  t.is(health('unhealthy', 1, [1], true, 1), 'unhealthy')
  t.is(health('unhealthy', 4, [1, 1, 1, 1], true, 5), 'starting')
})

test('what has ended keeps what the engine says of it', (t) => {
  t.is(health('unhealthy', 0, [0], false), 'unhealthy')
  t.is(health('healthy', 0, [0], false), 'healthy')
  t.is(health('none', 0, []), undefined)
})

test('registries that are spoken to in plain are told by network and by host', (t) => {
  const config = {
    Mirrors: ['http://mirror.test:5000/'],
    InsecureRegistryCIDRs: ['127.0.0.0/8'],
    IndexConfigs: { 'docker.io': { Secure: true }, 'plain.test:5000': { Secure: false } },
  }
  t.like(readInfo({ RegistryConfig: config, Containers: 3, Images: 2 }, '1.41'), {
    registries: { mirrors: ['http://mirror.test:5000/'], insecure: ['127.0.0.0/8', 'plain.test:5000'] },
    containers: 3,
    images: 2,
  })
  t.deepEqual(readInfo({}, '1.41').registries, { mirrors: [], insecure: [] })
})
