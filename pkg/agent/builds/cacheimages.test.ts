/** Images whose layers count as cache: brought where they can be, and no build waits or fails for one that cannot. */
import test from 'ava'
import { ManualClock } from '#pkg/apimachinery/ambient.ts'
import type { BuildEvent } from '#pkg/engine/builds.ts'
import type { Engine } from '#pkg/engine/port.ts'
import { SimEngine } from '#pkg/engine/sim.ts'
import { SimRegistry } from '#pkg/engine/simregistry.ts'
import { imageContext } from '#test/helpers/imagecontext.ts'
import type { OpOf } from '../ops.ts'
import { bringCacheImages, longestSilence } from './cacheimages.ts'

const signal = new AbortController().signal

/** Its registry takes every call, and says nothing. */
class SilentEngine extends SimEngine {
  override async pullImage(
    _: string,
    { signal: end }: Parameters<Engine['pullImage']>[1],
  ): ReturnType<Engine['pullImage']> {
    const { promise, reject } = Promise.withResolvers<never>()
    end.throwIfAborted()
    end.addEventListener('abort', () => reject(end.reason), { once: true })
    return await promise
  }
}

function setUp(kind: typeof SimEngine = SimEngine) {
  const clock = new ManualClock(0)
  const registry = new SimRegistry()
  registry.set('reg.test:5000/cache:1', {})
  const engine = new kind({ clock, registry })
  const [lines, events]: [string[], BuildEvent[]] = [[], []]
  const attempt = {
    say: (line: string) => void lines.push(line),
    add: (event: BuildEvent) => void events.push(event),
  }
  const context = imageContext({ engine, clock })
  const bring = (references: readonly string[], until = signal) =>
    bringCacheImages(references.map(pullOf), { attempt, context }, until)
  return { clock, engine, lines, events, bring }
}

function pullOf(reference: string): OpOf<'pullImage'> {
  return { type: 'pullImage', reference, secrets: [] }
}

test('what is in its registry is on the node afterwards; what is not is told as a warning', async (t) => {
  const { engine, lines, events, bring } = setUp()
  await bring(['reg.test:5000/gone:1', 'reg.test:5000/cache:1'])
  t.not(await engine.imageDetails('reg.test:5000/cache:1'), undefined)
  t.is(events.length, 1)
  const [warning] = events
  t.is(warning?.type, 'warning')
  t.regex(JSON.stringify(warning), /spec\.cacheFrom: reg\.test:5000\/gone:1 is not pulled/)
  t.deepEqual(
    lines.filter((line) => line.startsWith('pulling')),
    [
      'pulling reg.test:5000/gone:1, whose layers count as cache',
      'pulling reg.test:5000/cache:1, whose layers count as cache',
    ],
  )
})

test('a registry that says nothing keeps no build waiting for long', async (t) => {
  const { clock, events, bring } = setUp(SilentEngine)
  const brought = bring(['reg.test:5000/cache:1'])
  await clock.advance(longestSilence)
  await brought
  t.regex(JSON.stringify(events), /nothing was heard for 30 s/)
})

test('it ends at once when the build is broken off', async (t) => {
  const { events, bring } = setUp(SilentEngine)
  const end = new AbortController()
  const brought = bring(['reg.test:5000/cache:1'], end.signal)
  end.abort(new Error('canceled'))
  await t.throwsAsync(brought, { message: 'canceled' })
  t.deepEqual(events, [])
})
