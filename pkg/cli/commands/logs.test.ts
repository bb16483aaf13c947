import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type Clock, ManualClock } from '#pkg/apimachinery/ambient.ts'
import type { ApiRequest, ApiResponse, Transport } from '#pkg/apimachinery/transport.ts'
import { makeCove } from '#test/helpers/cli.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'

/** A server that only knows one log. */
async function makeLogServer(t: ExecutionContext, answer: Omit<ApiResponse, 'status'>) {
  const requests: ApiRequest[] = []
  const transport = async (request: ApiRequest) => {
    requests.push(request)
    return { status: 200, ...answer }
  }
  return { cove: await makeClient(t, transport), requests }
}

async function makeClient(t: ExecutionContext, transport: Transport, clock?: Clock) {
  const directory = await makeTempDir(t, 'logs')
  const kubeconfig = join(directory, 'kubeconfig')
  const config = {
    'current-context': 'c',
    contexts: [{ name: 'c', context: { cluster: 'c', namespace: 'team' } }],
    clusters: [{ name: 'c', cluster: { server: 'https://nowhere' } }],
  }
  await writeFile(kubeconfig, JSON.stringify(config))
  return makeCove({ transport, kubeconfig, directory, ...(clock !== undefined && { clock }) })
}

function frame(stream: 1 | 2, text: string): Buffer {
  const header = Buffer.from([stream, 0, 0, 0, text.length])
  return Buffer.concat([header, Buffer.from(text)])
}

const plain = { headers: { 'content-type': 'text/plain' }, body: 'line\n' }

test('what a container wrote to each stream comes out of the same stream', async (t) => {
  const body = Buffer.concat([frame(1, 'one\n'), frame(2, 'oops\n'), frame(1, 'two\n')])
  const headers = { 'content-type': 'application/vnd.cove.run.frames' }
  const { cove, requests } = await makeLogServer(t, { headers, body })
  t.deepEqual(await cove('logs web'), { code: 0, stdout: 'one\ntwo\n', stderr: 'oops\n' })
  t.regex(requests[0]?.headers['accept'] ?? '', /^application\/vnd\.cove\.run\.frames/)
})

test('plain text is standard output', async (t) => {
  const { cove } = await makeLogServer(t, plain)
  t.deepEqual(await cove('logs container/web'), { code: 0, stdout: 'line\n', stderr: '' })
})

test('options become the parameters of the API', async (t) => {
  const { cove, requests } = await makeLogServer(t, plain)
  const asked = async (words: string) => {
    await cove(words)
    const request = requests.at(-1)
    return `${request?.path}?${request?.query}`
  }
  const path = '/apis/cove.run/v1/namespaces/team/containers/web/log'
  t.is(await asked('logs web'), `${path}?`)
  t.is(
    await asked('logs -f --tail 20 --since 1500ms ctr/web'),
    `${path}?follow=true&tailLines=20&sinceSeconds=2`,
  )
  t.is(
    await asked('logs container web --timestamps --since-time 2026-01-01T00:00:00Z'),
    `${path}?timestamps=true&sinceTime=2026-01-01T00%3A00%3A00Z`,
  )
})

const pending = { phase: 'Pending', observedGeneration: 1, conditions: [notReady('its registry is away')] }

function notReady(message: string) {
  return { type: 'Ready', status: 'False', reason: 'Waiting', message, observedGeneration: 1 }
}

/** A server with a Build that is in these states, one after the other, each once it is `next`; it has a log with an attempt. */
async function makeBuildServer(t: ExecutionContext, states: readonly object[]) {
  const clock = new ManualClock()
  const metadata = { name: 'web', namespace: 'team', uid: 'u', generation: 1 }
  const spec = { nodeName: 'n1', context: { empty: {} }, tags: [] }
  const builds = states.map((status) => ({
    apiVersion: 'cove.run/v1',
    kind: 'Build',
    metadata,
    spec,
    status,
  }))
  let at = 0
  let step = Promise.withResolvers<void>()
  const next = () => {
    at += 1
    step.resolve()
    step = Promise.withResolvers<void>()
  }
  async function* watch() {
    for (let told = at; ; ) {
      if (told === at) await step.promise
      told = at
      yield `${JSON.stringify({ type: 'MODIFIED', object: builds[at] })}\n`
    }
  }
  const answer = (body: ApiResponse['body']) => ({ status: 200, headers: {}, body })
  const transport: Transport = async ({ path, query }) => {
    const status = builds[at]?.status ?? {}
    if (path.endsWith('/log')) {
      if ('attempt' in status) return answer('[1/1] FROM x\n')
      const failure = { kind: 'Status', code: 404, reason: 'NotFound', message: 'there is no log' }
      return { ...answer(JSON.stringify(failure)), status: 404 }
    }
    if (query.has('watch')) return answer(watch())
    if (path.endsWith('/web')) return answer(JSON.stringify(builds[at]))
    return answer(
      JSON.stringify({ kind: 'BuildList', metadata: { resourceVersion: '1' }, items: [builds[at]] }),
    )
  }
  return { cove: await makeClient(t, transport, clock), clock, next }
}

test('with -f the first attempt of a Build is waited for, and what it waits for is told', async (t) => {
  const { cove, clock, next } = await makeBuildServer(t, [
    {},
    pending,
    { ...pending, phase: 'Building', attempt: 1 },
  ])
  const reading = cove('logs -f build/web')
  while (clock.nextTimer() === undefined) await new Promise((resolve) => setImmediate(resolve))
  await clock.advance(2000)
  next()
  await clock.advance(2000)
  next()
  t.deepEqual(await reading, {
    code: 0,
    stdout: '[1/1] FROM x\n',
    stderr:
      'build/web: waits for its first attempt: node n1 has not seen it yet\n' +
      'build/web: waits for its first attempt: its registry is away\n',
  })
})

test('without -f a Build that has not begun is told with what to do, and one that never will with why', async (t) => {
  const { cove } = await makeBuildServer(t, [pending])
  const advice =
    'waits for its first attempt: its registry is away; `cove logs -f build/web` waits for it, `cove why build/web` says why'
  t.deepEqual(await cove('logs build/web'), {
    code: 1,
    stdout: '',
    stderr: `error: build/web has no log yet: it ${advice}\n`,
  })
  t.is((await cove('logs --attempt 3 build/web')).stderr, 'Error from server (NotFound): there is no log\n')
  const stalled = { type: 'Stalled', status: 'True', reason: 'X', message: 'no FROM', observedGeneration: 1 }
  const refused = await makeBuildServer(t, [{ ...pending, phase: 'Failed', conditions: [stalled] }])
  t.deepEqual(await refused.cove('logs -f build/web'), {
    code: 1,
    stdout: '',
    stderr: 'error: build/web has no log: it was never built: no FROM; `cove why build/web` says why\n',
  })
})
