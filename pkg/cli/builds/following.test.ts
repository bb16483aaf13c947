/** Builds followed with a server that answers as the test says, and logs that it cannot give. */
import test from 'ava'
import { ManualClock } from '#pkg/apimachinery/ambient.ts'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { Trouble } from '../followed.ts'
import type { Session } from '../session.ts'
import { followBuild } from './following.ts'
import { makeBuildScreen } from './screen.ts'

function build(status: Record<string, unknown>): KubeObject {
  const metadata = { name: 'web', namespace: 'default', uid: 'u', generation: 1 }
  const spec = { nodeName: 'n1', context: { empty: {} }, dockerfile: 'Dockerfile', suspend: false, tags: [] }
  const all = { observedGeneration: 1, ...status }
  return { apiVersion: 'cove.run/v1', kind: 'Build', metadata, spec, status: all } as KubeObject
}

const running = {
  phase: 'Building',
  attempt: 1,
  steps: [{ number: 1, instruction: 'FROM x', state: 'Running' }],
}
const done = { phase: 'Succeeded', attempt: 1, steps: [{ number: 1, instruction: 'FROM x', state: 'Done' }] }

/** `changes`: how the object is at first and after each step of the watch; `log`: its lines, or why there are none. */
function world(changes: readonly KubeObject[], log: readonly string[] | StatusError) {
  const clock = new ManualClock()
  const { signal } = new AbortController()
  const gate = Promise.withResolvers<void>()
  const written: string[] = []
  const warned: string[] = []
  async function* watch() {
    for (const object of changes.slice(1)) {
      await gate.promise
      yield `${JSON.stringify({ type: 'MODIFIED', object })}\n`
    }
    await new Promise(() => undefined)
  }
  async function* lines() {
    for (const line of log instanceof StatusError ? [] : log) yield `${line}\n`
    gate.resolve()
  }
  const client = {
    json: async () => ({ kind: 'BuildList', metadata: { resourceVersion: '1' }, items: [changes[0]] }),
    stream: async ({ path }: { path: string }) => {
      if (!path.endsWith('/log')) return { status: 200, headers: {}, body: watch() }
      if (!(log instanceof StatusError)) return { status: 200, headers: {}, body: lines() }
      gate.resolve()
      throw log
    },
  }
  const session = { clock, signal, client, namespace: 'default' } as unknown as Session
  const write = async (text: string | Uint8Array) => {
    written.push(String(text))
  }
  const screen = makeBuildScreen({ isTTY: false, columns: 80, write }, clock, 'build/web')
  const warn = async (text: string) => {
    warned.push(text)
  }
  return { clock, written, warned, followers: { session, screen, warn } }
}

const asked = { generation: 1, attempts: 0 }

test('the log is shown, and then the object says how it ended', async (t) => {
  const { followers, written } = world(
    [build(running), build(done)],
    ['[1/1] FROM x', '[1/1] DONE 0.1s', 'built sha256:ab'],
  )
  const { standing } = await followBuild(build(running), asked, followers)
  t.deepEqual(standing, { state: 'built', attempt: 1, isNew: true })
  t.deepEqual(written, ['[1/1] FROM x\n', '[1/1] DONE 0.1s\n'])
})

test('an attempt that was over before it was seen is shown, too', async (t) => {
  const { followers, written } = world([build(done)], ['[1/1] FROM x'])
  await followBuild(build(done), asked, followers)
  t.deepEqual(written, ['[1/1] FROM x\n'])
  const known = world([build(done)], ['[1/1] FROM x'])
  const ended = await followBuild(build(done), { generation: 1, attempts: 1 }, known.followers)
  t.deepEqual([ended.standing, known.written], [{ state: 'built', attempt: 1, isNew: false }, []])
})

test('without a log the steps of the object are shown, and why', async (t) => {
  const refusal = new StatusError('Forbidden', 'no logs for you')
  const { followers, written, warned } = world([build(running), build(done)], refusal)
  const { standing } = await followBuild(build(running), asked, followers)
  t.is(standing.state, 'built')
  t.deepEqual(warned, ['what the steps write cannot be shown: no logs for you'])
  t.deepEqual(written, ['[1/1] FROM x\n', '[1/1] DONE\n'])
})

test('time that is up ends the following', async (t) => {
  const { followers, clock } = world([build({ phase: 'Pending' })], [])
  const following = followBuild(build({ phase: 'Pending' }), asked, { ...followers, timeoutMs: 5000 })
  const told = t.throwsAsync(following, { instanceOf: Trouble, message: 'it takes too long' })
  await clock.advance(5000)
  await told
})
