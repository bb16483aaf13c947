import test from 'ava'
import { ManualClock } from '#pkg/apimachinery/ambient.ts'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { asContainer, ended, made, started } from './containerstate.ts'
import { Followed, type FollowedObject, Trouble } from './followed.ts'
import { builtinResource } from './resources.ts'
import type { Session } from './session.ts'
import { untilLeft } from './streaming.ts'
import { nextExit } from './waitexit.ts'

function container(status: Record<string, unknown>, generation = 1): KubeObject {
  const metadata = { name: 'web', uid: 'u', generation }
  return { apiVersion: 'cove.run/v1', kind: 'Container', metadata, spec: {}, status } as KubeObject
}

function seen(status: Record<string, unknown>, isGone = false): FollowedObject {
  return { object: container({ observedGeneration: 1, ...status }), isGone }
}

const condition = (type: string, status: string, reason: string) => ({ type, status, reason, message: 'so' })

test('made: the id once it is made and not started', (t) => {
  t.deepEqual(made(seen({ phase: 'Pulling', containerID: 'x' })), {})
  t.deepEqual(made(seen({ phase: 'Created', containerID: 'x' })), { value: 'x' })
  const older = { object: container({ phase: 'Created', containerID: 'x' }, 2), isGone: false }
  t.deepEqual(made(older), {})
})

test('what passes by itself is no trouble, a stall is final, a failed start is one', (t) => {
  t.deepEqual(started(seen({ conditions: [condition('Ready', 'False', 'Pulling')] })), {})
  t.deepEqual(started(seen({ conditions: [condition('Ready', 'False', 'HostPortInUse')] })), {
    trouble: { reason: 'HostPortInUse', message: 'HostPortInUse: so', isFinal: false },
  })
  t.deepEqual(started(seen({ conditions: [condition('Stalled', 'True', 'InvalidSpec')] })), {
    trouble: { reason: 'InvalidSpec', message: 'InvalidSpec: so', isFinal: true },
  })
  const failed = { exitCode: 127, reason: 'StartError', message: 'no such program' }
  t.deepEqual(started(seen({ lastTermination: failed })), {
    trouble: { reason: 'StartError', message: 'no such program', isFinal: true },
  })
  t.deepEqual(started(seen({ startedAt: 'now', containerID: 'x' }, true)), { value: 'x' })
})

test('ended: also of one that has gone since, when its end was seen', (t) => {
  const lastTermination = { exitCode: 3, reason: 'Error' }
  t.deepEqual(ended(seen({ phase: 'Running' })), {})
  t.like(ended(seen({ lastTermination }, true)), { value: lastTermination })
  t.like(ended(seen({}, true)), { trouble: { isFinal: true } })
})

test('wait: the end that is there, of what runs the next one', (t) => {
  const end = (finishedAt: string, exitCode: number) => ({ finishedAt, exitCode, reason: 'Error' })
  const over = container({ phase: 'Failed', lastTermination: end('1', 4) })
  t.deepEqual(nextExit(asContainer(over))({ object: over, isGone: false }), { value: 4 })
  const runs = container({ phase: 'Running', lastTermination: end('1', 4) })
  const next = nextExit(asContainer(runs))
  t.deepEqual(next({ object: runs, isGone: false }), {})
  const again = container({ phase: 'Running', lastTermination: end('2', 5) })
  t.deepEqual(next({ object: again, isGone: false }), { value: 5 })
})

/** A followed object whose server never answers. */
function followed(clock: ManualClock, status: Record<string, unknown>) {
  const client = { json: () => new Promise(() => undefined) }
  const session = { clock, signal: new AbortController().signal, client } as unknown as Session
  return new Followed(session, builtinResource('Container'), container({ observedGeneration: 1, ...status }))
}

test('trouble counts when it lasts, and time that is up is told with it', async (t) => {
  const clock = new ManualClock()
  const troubled = followed(clock, { conditions: [condition('Ready', 'False', 'HostPortInUse')] })
  const patient = t.throwsAsync(troubled.until(started, { troubleMs: 3000 }), { instanceOf: Trouble })
  await clock.advance(3000)
  t.is((await patient).obstacle?.reason, 'HostPortInUse')
  const slow = followed(clock, { phase: 'Pulling' })
  const timed = t.throwsAsync(slow.until(started, { timeoutMs: 1000 }), { instanceOf: Trouble })
  await clock.advance(1000)
  t.is((await timed).message, 'it takes too long')
  for (const one of [troubled, slow]) one.close()
})

async function typed(...chunks: readonly string[]): Promise<string> {
  async function* keys() {
    for (const chunk of chunks) yield Buffer.from(chunk)
  }
  let text = ''
  for await (const data of untilLeft(keys(), () => {
    text += '<left>'
  }))
    text += Buffer.from(data).toString()
  return text
}

test('Ctrl-P Ctrl-Q leaves, in one piece or in two; anything else goes through', async (t) => {
  t.is(await typed('ls\r', '\x10\x11', 'never'), 'ls\r<left>')
  t.is(await typed('ls', '\x10', '\x11', 'never'), 'ls\x10<left>')
  t.is(await typed('\x10x\x11', '\x11'), '\x10x\x11\x11')
})
