import test, { type ExecutionContext } from 'ava'
import { ask, call, startTestServer } from '#test/helpers/apiserver.ts'

const containers = '/apis/cove.run/v1/namespaces/default/containers'
const pods = '/api/v1/namespaces/default/pods'
const containerType = { apiVersion: 'cove.run/v1', kind: 'Container' }
const tableAccept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json'

async function world(t: ExecutionContext, names: readonly string[] = []) {
  const { transport, close, server, clock } = await startTestServer()
  t.teardown(close)
  const create = (name: string, labels: Record<string, string> = {}, nodeName = 'n1') =>
    ask(transport, `POST ${containers}`, {
      body: { ...containerType, metadata: { name, labels }, spec: { image: 'app:1', nodeName } },
    })
  for (const name of names) await create(name)
  const setStatus = (name: string, status: unknown) =>
    ask(transport, `PATCH ${containers}/${name}/status`, { body: { status } })
  return { transport, create, setStatus, server, clock }
}

test('a Pod is read under the name and at the revision of its Container', async (t) => {
  const { transport, create } = await world(t)
  const made = await create('web', { app: 'x' })
  const { status, body } = await ask(transport, `GET ${pods}/web`)
  t.is(status, 200)
  t.like(body, { apiVersion: 'v1', kind: 'Pod', status: { phase: 'Pending' } })
  t.deepEqual(body.metadata.labels, { app: 'x' })
  t.is(body.metadata.uid, made.body.metadata.uid)
  t.is(body.metadata.resourceVersion, made.body.metadata.resourceVersion)
  const missing = await ask(transport, `GET ${pods}/other`)
  t.is(missing.body.message, 'pods "other" not found')
})

test('lists come in pages that fit together, filtered by what the Pod shows', async (t) => {
  const { transport, create, setStatus } = await world(t, ['aa', 'bb', 'cc'])
  await create('dd', { app: 'x' }, 'n2')
  await setStatus('bb', { phase: 'Running' })
  const names = async (query: string) => {
    const { body } = await ask(transport, `GET ${pods}?${query}`)
    return body.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name).join(' ')
  }
  t.is(await names(''), 'aa bb cc dd')
  t.is(await names('labelSelector=app%3Dx'), 'dd')
  t.is(await names('fieldSelector=spec.nodeName%3Dn1,status.phase%3DRunning'), 'bb')
  t.is(await names('fieldSelector=status.phase!%3DRunning,spec.nodeName%3Dn1'), 'aa cc')
  t.is(await names('fieldSelector=metadata.name%3Dcc'), 'cc')
  const first = await ask(transport, `GET ${pods}?limit=2&fieldSelector=status.phase%3DPending`)
  t.is(first.body.kind, 'PodList')
  await create('ee')
  const rest = await ask(
    transport,
    `GET ${pods}?limit=5&fieldSelector=status.phase%3DPending&continue=${first.body.metadata.continue}`,
  )
  const both = [...first.body.items, ...rest.body.items]
  t.deepEqual(
    both.map(({ kind, metadata }) => `${kind}/${metadata.name}`),
    ['Pod/aa', 'Pod/cc', 'Pod/dd'],
  )
  const unsupported = await ask(transport, `GET ${pods}?fieldSelector=spec.image%3Dx`)
  t.is(unsupported.body.message, 'field label not supported: spec.image')
})

test('the table has the columns that kubectl prints of Pods', async (t) => {
  const { transport, setStatus } = await world(t, ['web'])
  await setStatus('web', { phase: 'Running', ip: '10.0.0.2', restartCount: 0 })
  const { body } = await ask(transport, `GET ${pods}`, { headers: { accept: tableAccept } })
  t.deepEqual(
    body.columnDefinitions.map(({ name, priority }: { name: string; priority: number }) => [name, priority]),
    [
      ['Name', 0],
      ['Ready', 0],
      ['Status', 0],
      ['Restarts', 0],
      ['Age', 0],
      ['IP', 1],
      ['Node', 1],
    ],
  )
  t.deepEqual(body.rows[0].cells, ['web', '0/1', 'Running', '0', '0s', '10.0.0.2', 'n1'])
})

test('a watch tells what happens to Containers as what happens to Pods, selections included', async (t) => {
  const { transport, create, setStatus, server } = await world(t, ['aa'])
  const before = server.cache.revision
  const query = `watch=true&resourceVersion=${before}&fieldSelector=status.phase%3DRunning`
  const { body } = await call(transport, `GET ${pods}?${query}`)
  if (typeof body === 'string' || body instanceof Uint8Array) throw new Error('not a stream')
  const lines = body[Symbol.asyncIterator]()
  const next = async () => {
    const { value } = await lines.next()
    const { type, object } = JSON.parse(Buffer.from(value ?? '').toString())
    return [type, object.kind, object.metadata.name, object.status.phase, object.metadata.resourceVersion]
  }
  const running = await setStatus('aa', { phase: 'Running' })
  t.deepEqual(await next(), ['ADDED', 'Pod', 'aa', 'Running', running.body.metadata.resourceVersion])
  await create('bb')
  const ended = await setStatus('aa', { phase: 'Succeeded' })
  t.deepEqual(await next(), ['DELETED', 'Pod', 'aa', 'Running', ended.body.metadata.resourceVersion])
  await lines.return?.()
  const again = await call(transport, `GET ${pods}?watch=true&resourceVersion=${before}`)
  if (typeof again.body === 'string' || again.body instanceof Uint8Array) throw new Error('not a stream')
  const missed = again.body[Symbol.asyncIterator]()
  const first = JSON.parse(Buffer.from((await missed.next()).value ?? '').toString())
  t.deepEqual([first.type, first.object.kind, first.object.metadata.name], ['MODIFIED', 'Pod', 'aa'])
  await missed.return?.()
})

test('what many watch is projected once', async (t) => {
  const { transport, setStatus, server } = await world(t, ['aa'])
  const watches = await Promise.all(
    Array.from({ length: 5 }, () =>
      call(transport, `GET ${pods}?watch=true&resourceVersion=${server.cache.revision}`),
    ),
  )
  const before = server.cache.stats()
  t.is(before.watchers, 5)
  await setStatus('aa', { phase: 'Running' })
  t.is(server.cache.stats().encodes - before.encodes, 1)
  for (const { body } of watches)
    if (typeof body !== 'string' && !(body instanceof Uint8Array))
      await body[Symbol.asyncIterator]().return?.()
  t.is(server.cache.stats().watchers, 0)
})

test('writing a Pod is refused with the Container to write instead', async (t) => {
  const { transport } = await world(t, ['web'])
  const refused = async (line: string) => {
    const { status, body } = await ask(transport, line, { body: {} })
    return [status, body.reason, body.message]
  }
  const only = 'pods only show containers.cove.run: write those instead, as with'
  t.deepEqual(await refused(`DELETE ${pods}/web`), [
    405,
    'MethodNotAllowed',
    `${only} "kubectl delete containers.cove.run web"`,
  ])
  t.is((await refused(`PATCH ${pods}/web`))[2], `${only} "kubectl edit containers.cove.run web"`)
  t.is((await refused(`PUT ${pods}/web`))[2], `${only} "kubectl replace containers.cove.run web"`)
  t.is((await refused(`POST ${pods}`))[2], `${only} "kubectl create containers.cove.run"`)
  t.is((await refused(`DELETE ${pods}`))[0], 405)
})
