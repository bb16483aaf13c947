import test from 'ava'
import { ManualClock } from '#pkg/apimachinery/ambient.ts'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import type { ApiRequest, ApiResponse } from '#pkg/apimachinery/transport.ts'
import { Client } from '#pkg/client/rest.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { followObjects, type Snapshot } from './follow.ts'
import { builtinResource } from './resources.ts'

const scope = { resource: builtinResource('Container'), namespace: 'default' }

function object(name: string) {
  return { apiVersion: 'cove.run/v1', kind: 'Container', metadata: { name } }
}

function list(...names: string[]): string {
  return JSON.stringify({
    kind: 'ContainerList',
    metadata: { resourceVersion: '7' },
    items: names.map(object),
  })
}

/** Answers one after another, then never. */
function start(answers: readonly (string | StatusError)[]) {
  const requests: ApiRequest[] = []
  const transport = async (request: ApiRequest): Promise<ApiResponse> => {
    requests.push(request)
    const answer = answers[requests.length - 1]
    if (answer === undefined) return new Promise(() => {})
    if (answer instanceof StatusError) throw answer
    return { status: 200, headers: {}, body: answer }
  }
  const clock = new ManualClock()
  const signal = new AbortController().signal
  const session = {
    client: new Client(transport, 'test'),
    open: async () => {
      throw new Error('no streams here')
    },
    clock,
    signal,
    namespace: 'default',
    server: '',
    warned: new Set<string>(),
  }
  const seen: Snapshot[] = []
  const done = (async () => {
    for await (const change of followObjects(scope, session)) seen.push(change)
  })()
  return { clock, seen, requests, done }
}

test('after the list come its changes, and a new list when the watch has ended', async (t) => {
  const event = JSON.stringify({ type: 'MODIFIED', object: object('aa') })
  const bookmark = JSON.stringify({ type: 'BOOKMARK', object: object('') })
  const { clock, seen, requests, done } = start([list('aa'), `${event}\n\n${bookmark}\n`, list('aa', 'bb')])
  done.catch((error: unknown) => t.fail(String(error)))
  await clock.advance(1000)
  await eventually(() => {
    if (seen.length < 3) throw new Error(`${seen.length} changes`)
  })
  t.deepEqual(
    seen.map((change) => (change.type === 'SYNC' ? change.objects.length : change.object.metadata.name)),
    [1, 'aa', 2],
  )
  t.is(requests[1]?.query.get('resourceVersion'), '7')
})

test('a revision that is gone, and a server that restarts, are waited out', async (t) => {
  const gone = JSON.stringify({
    type: 'ERROR',
    object: { kind: 'Status', code: 410, reason: 'Expired', message: 'old' },
  })
  const away = new StatusError('ServiceUnavailable', 'away')
  const { clock, seen, done } = start([list('aa'), gone, list('aa'), away, away, list('bb')])
  done.catch((error: unknown) => t.fail(String(error)))
  for (let turn = 0; turn < 5; turn++) await clock.advance(1000)
  t.is(seen.length, 3)
})

test('a server that was never there is an error at once', async (t) => {
  const { done } = start([new StatusError('ServiceUnavailable', 'away')])
  await t.throwsAsync(done, { message: 'away' })
})

test('what a retry does not mend is an error', async (t) => {
  const { done } = start([list('aa'), new StatusError('Forbidden', 'no')])
  await t.throwsAsync(done, { message: 'no' })
})
