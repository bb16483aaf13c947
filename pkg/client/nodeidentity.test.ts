import { X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { ManualClock, seededRandom, silentLogger } from '#pkg/apimachinery/ambient.ts'
import { ensurePki, issueNodeIdentity } from '#pkg/apiserver/access/pki.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { caPin, parsePin } from './capin.ts'
import { loadKubeconfig } from './kubeconfig.ts'
import {
  encodeIdentity,
  lifetimeOf,
  type NodeIdentity,
  nodeNameOf,
  renewAt,
  renewForever,
} from './nodeidentity.ts'

const hour = 3_600_000
const random = seededRandom(3)

async function makeAuthority(t: ExecutionContext, now: number) {
  const dir = join(await makeTempDir(t, 'authority'), 'pki')
  const { ca, admin } = await ensurePki(dir, { hosts: [], now, random })
  const sign = async (at: number, lifetimeMs = hour): Promise<NodeIdentity> => {
    const made = await issueNodeIdentity(ca, 'edge-1', { now: at, random, lifetimeMs })
    return { server: 'https://cove.example:7443', nodeName: 'edge-1', ca: ca.cert, ...made }
  }
  return { ca, admin, sign }
}

test('an identity is kept as a kubeconfig that says the same', async (t) => {
  const { sign } = await makeAuthority(t, Date.now())
  const identity = await sign(Date.now())
  const config = await loadKubeconfig({
    explicit: '/x',
    home: '/',
    directory: '/',
    readFile: async () => encodeIdentity(identity),
    parseYaml: () => t.fail(),
  })
  const { server, ca, cert, key } = identity
  t.deepEqual(config, { server, namespace: 'default', ca, cert, key })
  t.is(nodeNameOf(cert), 'edge-1')
})

test('a certificate of somebody else names no node', async (t) => {
  const { admin } = await makeAuthority(t, Date.now())
  t.is(nodeNameOf(admin.cert), undefined)
})

test('the pin is the hash of the public key, so a renewed certificate of the authority keeps it', async (t) => {
  const { ca } = await makeAuthority(t, Date.now())
  const pin = caPin(ca.cert)
  t.regex(pin, /^sha256:[0-9a-f]{64}$/)
  t.is(caPin(new X509Certificate(ca.cert).raw), pin)
  t.is(parsePin(` ${pin.toUpperCase()} `), pin)
  for (const wrong of ['', 'sha256:', pin.slice(7), `${pin}0`, `sha1:${'0'.repeat(40)}`])
    t.is(parsePin(wrong), undefined)
})

test('renewal is due after two thirds of the life, and well before its end', (t) => {
  const at = (next: number) => renewAt({ from: 1000, to: 4000 }, { next: () => next, uuid: () => '' })
  t.is(at(0), 3000)
  t.true(at(0.999) > 3200 && at(0.999) < 3400)
})

test('a certificate is renewed when it is time, and a server that is away is asked again', async (t) => {
  const clock = new ManualClock(Math.floor(Date.now() / 1000) * 1000)
  const { sign } = await makeAuthority(t, clock.now())
  let current = await sign(clock.now())
  const first = current
  const next = await sign(clock.now() + hour)
  const asked: number[] = []
  const start = clock.now()
  const stop = new AbortController()
  const running = renewForever(
    {
      current: () => current,
      request: async () => {
        asked.push(clock.now() - start)
        if (asked.length < 3) throw new Error('away')
        return next
      },
      replace: async (identity) => {
        current = identity
      },
      ambient: { clock, random, log: silentLogger },
    },
    stop.signal,
  )
  await clock.advance(hour * 0.6)
  t.deepEqual(asked, [])
  await clock.advance(hour * 0.25)
  t.is(asked.length, 3)
  t.not(current, first)
  t.true((asked[0] ?? 0) < lifetimeOf(first.cert).to - start)
  t.true((asked[2] ?? 0) - (asked[0] ?? 0) < 10_000)
  stop.abort()
  await running
})

test('a machine that slept through the time of renewal renews soon after it wakes', async (t) => {
  const clock = new ManualClock(Math.floor(Date.now() / 1000) * 1000)
  const { sign } = await makeAuthority(t, clock.now())
  const year = 365 * 24 * hour
  let current = await sign(clock.now(), year)
  let slept = 0
  const dozing = { now: () => clock.now() + slept, after: clock.after.bind(clock) }
  const next = await sign(clock.now() + year, year)
  const stop = new AbortController()
  const running = renewForever(
    {
      current: () => current,
      request: async () => next,
      replace: async (identity) => {
        current = identity
      },
      ambient: { clock: dozing, random, log: silentLogger },
    },
    stop.signal,
  )
  await clock.advance(hour)
  slept = 0.8 * year
  await clock.advance(hour)
  t.is(current, next)
  stop.abort()
  await running
})

test('what could not be kept is not used', async (t) => {
  const clock = new ManualClock(Math.floor(Date.now() / 1000) * 1000)
  const { sign } = await makeAuthority(t, clock.now())
  const current = await sign(clock.now())
  const warned: string[] = []
  const stop = new AbortController()
  const log = {
    ...silentLogger,
    warn: (message: string) => void warned.push(message),
    error: (message: string) => void warned.push(message),
  }
  const running = renewForever(
    {
      current: () => current,
      request: () => sign(clock.now()),
      replace: () => Promise.reject(new Error('disk full')),
      ambient: { clock, random, log },
    },
    stop.signal,
  )
  const deadline = Date.now() + 10_000
  while (warned.length === 0 && Date.now() < deadline) await clock.advance(hour / 10)
  t.regex(warned[0] ?? '', /could not be renewed|has expired/)
  stop.abort()
  await running
})
