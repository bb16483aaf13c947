/** Getting and listing objects, in all their forms. */
import type { TestFn } from 'ava'
import type { Transport } from '#pkg/apimachinery/transport.ts'
import { ask } from '#test/helpers/apiserver.ts'
import type { OpenApi } from './apiserver.factory.ts'
import { configMap, configMaps, container, containers, namespace } from './apiserver.objects.ts'

/** As kubectl sends it. */
const table = {
  accept:
    'application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json',
}
const partial = { accept: 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1' }

interface Named {
  readonly metadata: { readonly name: string; readonly namespace: string }
}

export function reading(test: TestFn, name: string, open: OpenApi): void {
  forms(test, name, open)
  selecting(test, name, open)
  paging(test, name, open)
}

async function names(transport: Transport, url: string): Promise<string[]> {
  const { body } = await ask(transport, `GET ${url}`)
  return body.items.map((item: Named) => item.metadata.name)
}

function forms(test: TestFn, name: string, open: OpenApi): void {
  test(`${name}: what is not there, or cannot be done, is told as a Status`, async (t) => {
    const { transport } = await open(t)
    const codes = async (line: string) => {
      const { status, body } = await ask(transport, line)
      return [status, body.kind, body.reason]
    }
    t.deepEqual(await codes('GET /nowhere'), [404, 'Status', 'NotFound'])
    t.deepEqual(await codes('GET /apis/cove.run/v9/containers'), [404, 'Status', 'NotFound'])
    t.deepEqual(await codes('GET /apis/cove.run/v1/containers/web'), [404, 'Status', 'NotFound'])
    t.deepEqual(await codes(`GET ${containers}/web/logs`), [404, 'Status', 'NotFound'])
    t.deepEqual(await codes(`GET ${containers}/web`), [404, 'Status', 'NotFound'])
    t.deepEqual(await codes('POST /apis/cove.run/v1/containers'), [405, 'Status', 'MethodNotAllowed'])
    t.deepEqual(await codes(`PUT ${containers}`), [405, 'Status', 'MethodNotAllowed'])
    t.deepEqual(await codes(`POST ${containers}/web`), [405, 'Status', 'MethodNotAllowed'])
    t.deepEqual(await codes(`GET ${containers}?limit=many`), [400, 'Status', 'BadRequest'])
    t.deepEqual(await codes(`GET ${containers}?watch=perhaps`), [400, 'Status', 'BadRequest'])
    t.deepEqual(await codes(`GET ${containers}?labelSelector=a%3D%3D%3Db`), [400, 'Status', 'BadRequest'])
    t.deepEqual(await codes('GET /api/v1/namespaces/%E0%A4%A'), [400, 'Status', 'BadRequest'])
  })

  test(`${name}: kubectl's Accept gets a Table with the kind's columns`, async (t) => {
    const { transport } = await open(t)
    await ask(transport, `POST ${containers}`, { body: container('web') })
    const { body } = await ask(transport, `GET ${containers}?limit=500`, { headers: table })
    t.is(body.kind, 'Table')
    t.is(body.apiVersion, 'meta.k8s.io/v1')
    const columns: { name: string; priority: number }[] = body.columnDefinitions
    t.is(columns[0]?.name, 'Name')
    t.is(columns.find((column) => column.name === 'Node')?.priority, 1)
    t.is(body.rows.length, 1)
    t.is(body.rows[0].cells.length, columns.length)
    t.is(body.rows[0].cells[0], 'web')
    t.is(body.rows[0].object.kind, 'PartialObjectMetadata')
    t.is(body.rows[0].object.metadata.namespace, 'default')
    const one = await ask(transport, `GET ${containers}/web?includeObject=None`, { headers: table })
    t.is(one.body.rows[0].object, undefined)
    const whole = await ask(transport, `GET ${containers}?includeObject=Object`, { headers: table })
    t.is(whole.body.rows[0].object.spec.image, 'registry.example/web:1')
  })

  test(`${name}: metadata alone can be had, and a form the server lacks answers 406`, async (t) => {
    const { transport } = await open(t)
    await ask(transport, `POST ${configMaps}`, { body: configMap('c', { a: '1' }) })
    const { body } = await ask(transport, `GET ${configMaps}`, { headers: partial })
    t.is(body.kind, 'PartialObjectMetadataList')
    t.deepEqual(Object.keys(body.items[0]).sort(), ['apiVersion', 'kind', 'metadata'])
    const pb = 'application/vnd.kubernetes.protobuf'
    t.is((await ask(transport, `GET ${configMaps}`, { headers: { accept: pb } })).status, 406)
    t.is(
      (await ask(transport, `GET ${configMaps}`, { headers: { accept: `${pb}, */*` } })).body.kind,
      'ConfigMapList',
    )
  })
}

function selecting(test: TestFn, name: string, open: OpenApi): void {
  test(`${name}: lists hold what the namespace and the selectors match, in the order of names`, async (t) => {
    const { transport } = await open(t)
    await ask(transport, 'POST /api/v1/namespaces', { body: namespace('other') })
    const put = (space: string, object: string, labels: object) =>
      ask(transport, `POST ${configMaps.replace('default', space)}`, {
        body: configMap(object, {}, { labels }),
      })
    await put('other', 'z', { app: 'x' })
    await put('default', 'b', { app: 'x', tier: 'front' })
    await put('default', 'a', { app: 'y' })
    await put('default', 'c', {})
    const all = '/api/v1/configmaps'
    t.deepEqual(await names(transport, all), ['a', 'b', 'c', 'z'])
    t.deepEqual(await names(transport, configMaps), ['a', 'b', 'c'])
    const labels = (selector: string) =>
      names(transport, `${all}?labelSelector=${encodeURIComponent(selector)}`)
    t.deepEqual(await labels('app=x'), ['b', 'z'])
    t.deepEqual(await labels('app!=x'), ['a', 'c'])
    t.deepEqual(await labels('app in (x,y),tier'), ['b'])
    t.deepEqual(await labels('app notin (x)'), ['a', 'c'])
    t.deepEqual(await labels('!app'), ['c'])
    const fields = (selector: string) =>
      names(transport, `${all}?fieldSelector=${encodeURIComponent(selector)}`)
    t.deepEqual(await fields('metadata.name=b'), ['b'])
    t.deepEqual(await fields('metadata.namespace!=default'), ['z'])
    t.deepEqual(await names(transport, `${configMaps}?fieldSelector=metadata.name%3Da`), ['a'])
  })

  test(`${name}: fields of the kind can be selected, others cannot`, async (t) => {
    const { transport } = await open(t)
    await ask(transport, `POST ${containers}`, { body: container('web', { nodeName: 'n1' }) })
    await ask(transport, `POST ${containers}`, { body: container('db') })
    t.deepEqual(await names(transport, `${containers}?fieldSelector=spec.nodeName%3Dn1`), ['web'])
    t.deepEqual(await names(transport, `${containers}?fieldSelector=spec.nodeName%3D`), ['db'])
    const { status, body } = await ask(transport, `GET ${containers}?fieldSelector=spec.command%3Dx`)
    t.is(status, 400)
    t.is(body.message, 'field label not supported: spec.command')
  })
}

function paging(test: TestFn, name: string, open: OpenApi): void {
  test(`${name}: the pages of a list fit together while others write`, async (t) => {
    const { transport } = await open(t)
    const before = Array.from({ length: 10 }, (_, index) => `c${index}`)
    for (const object of before) {
      await ask(transport, `POST ${configMaps}`, {
        body: configMap(object, { v: 'old' }, { labels: { page: 'yes' } }),
      })
    }
    const disturb = async (turn: string) => {
      await ask(transport, `PATCH ${configMaps}/c9`, { body: { data: { v: turn } } })
      await ask(transport, `POST ${configMaps}`, { body: configMap(`c5-${turn}`) })
    }
    const plain = await allPages(transport, `${configMaps}?limit=3`, (turn) => disturb(`a${turn}`))
    t.deepEqual(plain.names, before)
    t.is(plain.last.data.v, 'old')
    t.deepEqual(plain.remaining, [7, 4, 1, undefined])
    t.is(new Set(plain.revisions).size, 1)
    const url = `${configMaps}?limit=3&labelSelector=page%3Dyes`
    const selected = await allPages(transport, url, (turn) => disturb(`b${turn}`))
    t.deepEqual(selected.names, before)
    t.is(new Set(selected.remaining).size, 1)
    t.is(new Set(selected.revisions).size, 1)
  })

  test(`${name}: a continue token that is none is refused`, async (t) => {
    const { transport } = await open(t)
    t.is((await ask(transport, `GET ${configMaps}?limit=1&continue=rubbish`)).status, 400)
  })

  test(`${name}: a list waits for a revision, and gives up on one that does not come`, async (t) => {
    const { transport, clock } = await open(t)
    const { body } = await ask(transport, `POST ${configMaps}`, { body: configMap('c') })
    const revision = Number(body.metadata.resourceVersion)
    t.is((await ask(transport, `GET ${configMaps}?resourceVersion=${revision}`)).status, 200)
    const late = ask(transport, `GET ${configMaps}?resourceVersion=${revision + 50}`)
    await clock?.advance(5_000)
    const { status, body: failure } = await late
    t.is(status, 504)
    t.is(failure.details.causes[0].reason, 'ResourceVersionTooLarge')
  })
}

/** Follows the continue tokens, and lets `between` happen after each page. */
async function allPages(transport: Transport, url: string, between: (turn: number) => Promise<void>) {
  // biome-ignore lint/suspicious/noExplicitAny: tests look into objects of every shape
  const items: any[] = []
  const remaining: (number | undefined)[] = []
  const revisions: string[] = []
  let token = ''
  for (let turn = 0; turn === 0 || token !== ''; turn++) {
    const { body } = await ask(transport, `GET ${url}${token === '' ? '' : `&continue=${token}`}`)
    items.push(...body.items)
    remaining.push(body.metadata.remainingItemCount)
    revisions.push(body.metadata.resourceVersion)
    token = body.metadata.continue ?? ''
    await between(turn)
  }
  return { names: items.map((item: Named) => item.metadata.name), last: items.at(-1), remaining, revisions }
}
