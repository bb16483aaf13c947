/** Which options of lists and watches go together, and lists in pages whose revision is forgotten meanwhile. */
import type { TestFn } from 'ava'
import type { Transport } from '#pkg/apimachinery/transport.ts'
import { ask, call } from '#test/helpers/apiserver.ts'
import type { OpenApi } from './apiserver.factory.ts'
import { configMap, configMaps } from './apiserver.objects.ts'

const table = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' }

interface Named {
  readonly metadata: { readonly name: string }
}

export function listing(test: TestFn, name: string, open: OpenApi): void {
  combining(test, name, open)
  revisions(test, name, open)
  forgetting(test, name, open)
}

async function create(transport: Transport, ...names: string[]): Promise<string> {
  let revision = ''
  for (const each of names) {
    const { body } = await ask(transport, `POST ${configMaps}`, { body: configMap(each) })
    revision = body.metadata.resourceVersion
  }
  return revision
}

async function list(transport: Transport, query: string) {
  const { status, body } = await ask(transport, `GET ${configMaps}?${query}`)
  return { status, body, names: (body.items ?? []).map((item: Named) => item.metadata.name) }
}

function combining(test: TestFn, name: string, open: OpenApi): void {
  test(`${name}: options of a list that do not go together answer 422 and name each rule`, async (t) => {
    const { transport } = await open(t)
    await create(transport, 'a', 'b')
    const token = (await list(transport, 'limit=1')).body.metadata.continue
    const refused = async (query: string) => {
      const { status, body } = await list(transport, query)
      return [status, body.reason, body.details.causes.map(({ message }: { message: string }) => message)]
    }
    t.deepEqual(await refused('resourceVersionMatch=Exact'), [
      422,
      'Invalid',
      ['Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided'],
    ])
    t.deepEqual(await refused('resourceVersionMatch=Roughly&resourceVersion=1'), [
      422,
      'Invalid',
      ['Unsupported value: "Roughly": supported values: "Exact", "NotOlderThan"'],
    ])
    t.deepEqual(await refused('resourceVersionMatch=Exact&resourceVersion=0&sendInitialEvents=true'), [
      422,
      'Invalid',
      [
        'Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
        'Forbidden: sendInitialEvents is forbidden for list',
      ],
    ])
    t.deepEqual(await refused(`resourceVersionMatch=NotOlderThan&resourceVersion=0&continue=${token}`), [
      422,
      'Invalid',
      ['Forbidden: resourceVersionMatch is forbidden when continue is provided'],
    ])
    const other = await list(transport, `resourceVersion=1&continue=${token}`)
    t.is(other.status, 400)
    t.is(other.body.message, 'specifying resource version is not allowed when using continue')
    t.deepEqual((await list(transport, `resourceVersion=0&continue=${token}`)).names, ['b'])
  })

  test(`${name}: options of a watch that do not go together answer 422`, async (t) => {
    const { transport } = await open(t)
    for (const query of [
      'sendInitialEvents=true',
      'sendInitialEvents=false',
      'sendInitialEvents=true&resourceVersionMatch=Exact',
      'resourceVersionMatch=NotOlderThan&resourceVersion=1',
      'sendInitialEvents=true&resourceVersionMatch=NotOlderThan&continue=x',
    ]) {
      const { status, body } = await list(transport, `watch=true&${query}`)
      t.is(status, 422, query)
      t.is(body.reason, 'Invalid')
    }
  })
}

function revisions(test: TestFn, name: string, open: OpenApi): void {
  test(`${name}: Exact shows one revision, NotOlderThan what is there by now`, async (t) => {
    const { transport } = await open(t)
    const old = await create(transport, 'a', 'b')
    await create(transport, 'c')
    const exact = await list(transport, `resourceVersion=${old}&resourceVersionMatch=Exact`)
    t.deepEqual(exact.names, ['a', 'b'])
    t.is(exact.body.metadata.resourceVersion, old)
    const newer = await list(transport, `resourceVersion=${old}&resourceVersionMatch=NotOlderThan`)
    t.deepEqual(newer.names, ['a', 'b', 'c'])
    t.deepEqual((await list(transport, `resourceVersion=${old}`)).names, ['a', 'b', 'c'])
    t.deepEqual(
      (await list(transport, 'resourceVersion=0&resourceVersionMatch=NotOlderThan')).names.length,
      3,
    )
  })

  test(`${name}: a first page of a named revision is of exactly that one, and so are those that follow`, async (t) => {
    const { transport } = await open(t)
    const old = await create(transport, 'a', 'b')
    await create(transport, 'a1', 'c')
    const first = await list(transport, `limit=1&resourceVersion=${old}`)
    t.deepEqual(first.names, ['a'])
    t.is(first.body.metadata.resourceVersion, old)
    t.is(first.body.metadata.remainingItemCount, 1)
    const second = await list(transport, `limit=1&continue=${first.body.metadata.continue}`)
    t.deepEqual(second.names, ['b'])
    t.is(second.body.metadata.resourceVersion, old)
    t.is(second.body.metadata.continue, undefined)
    const loose = await list(transport, `limit=2&resourceVersion=${old}&resourceVersionMatch=NotOlderThan`)
    t.deepEqual(loose.names, ['a', 'a1'])
  })

  test(`${name}: a Table comes in pages like any list`, async (t) => {
    const { transport } = await open(t)
    await create(transport, 'a', 'b', 'c')
    const first = await ask(transport, `GET ${configMaps}?limit=2`, { headers: table })
    t.is(first.body.rows.length, 2)
    t.is(first.body.metadata.remainingItemCount, 1)
    const url = `GET ${configMaps}?limit=2&continue=${first.body.metadata.continue}`
    const second = await ask(transport, url, { headers: table })
    t.deepEqual(
      second.body.rows.map((row: { cells: string[] }) => row.cells[0]),
      ['c'],
    )
    t.is(second.body.metadata.continue, undefined)
    t.is(second.body.metadata.remainingItemCount, undefined)
  })

  test(`${name}: a watch ends by itself after its time, whole`, async (t) => {
    const { transport, clock } = await open(t)
    const url = `GET ${configMaps}?watch=true&timeoutSeconds=1&allowWatchBookmarks=true&resourceVersion=0`
    const { status, body } = await call(transport, url)
    t.is(status, 200)
    if (typeof body === 'string' || body instanceof Uint8Array) return t.fail('a watch is a stream')
    const reading = Array.fromAsync(body, (chunk) => Buffer.from(chunk).toString())
    await clock?.advance(1_500)
    const lines = (await reading).join('').trim().split('\n')
    t.is(JSON.parse(lines.at(-1) ?? '').type, 'BOOKMARK')
  })
}

function forgetting(test: TestFn, name: string, open: OpenApi): void {
  test(`${name}: a page of a revision that is forgotten answers 410, with a token for what is there by now`, async (t) => {
    const { transport, forget } = await open(t)
    await create(transport, 'a', 'b', 'c')
    const first = await list(transport, 'limit=1')
    const token = first.body.metadata.continue
    await create(transport, 'b1')
    await forget()
    const { status, body } = await list(transport, `limit=1&continue=${token}`)
    t.is(status, 410)
    t.is(body.reason, 'Expired')
    t.regex(
      body.message,
      /^The provided continue parameter is too old to display a consistent list result\. /,
    )
    const rest = await list(transport, `limit=2&continue=${body.metadata.continue}`)
    t.deepEqual(rest.names, ['b', 'b1'])
    const last = await list(transport, `limit=2&continue=${rest.body.metadata.continue}`)
    t.deepEqual(last.names, ['c'])
    t.is(last.body.metadata.resourceVersion, rest.body.metadata.resourceVersion)
  })

  test(`${name}: a list of exactly a revision that is forgotten answers 410`, async (t) => {
    const { transport, forget } = await open(t)
    const old = await create(transport, 'a', 'b')
    await create(transport, 'c')
    await forget()
    for (const query of [
      `resourceVersion=${old}&resourceVersionMatch=Exact`,
      `resourceVersion=${old}&limit=1`,
    ]) {
      const { status, body } = await list(transport, query)
      t.is(status, 410)
      t.is(body.message, 'The resourceVersion for the provided list is too old.')
    }
  })
}
