/** The forms of answers: methods that are not allowed, bodies that say something twice, layout for people. */
import type { TestFn } from 'ava'
import { readAll } from '#pkg/apimachinery/transport.ts'
import { ask, call } from '#test/helpers/apiserver.ts'
import type { OpenApi } from './apiserver.factory.ts'
import { configMap, configMaps, container, containers } from './apiserver.objects.ts'

export function answering(test: TestFn, name: string, open: OpenApi): void {
  methods(test, name, open)
  twice(test, name, open)
  layout(test, name, open)
}

function methods(test: TestFn, name: string, open: OpenApi): void {
  test(`${name}: a method that is not allowed answers 405 with those that are`, async (t) => {
    const { transport } = await open(t)
    const allowed = async (line: string) => {
      const { status, headers, body } = await ask(transport, line)
      t.is(body.reason, 'MethodNotAllowed')
      return [status, headers['allow']]
    }
    t.deepEqual(await allowed(`PUT ${configMaps}`), [405, 'GET, HEAD, POST, DELETE'])
    t.deepEqual(await allowed(`POST ${configMaps}/c`), [405, 'GET, HEAD, PUT, PATCH, DELETE'])
    t.deepEqual(await allowed('POST /api/v1/configmaps'), [405, 'GET, HEAD'])
    t.deepEqual(await allowed(`DELETE ${containers}/web/status`), [405, 'GET, HEAD, PUT, PATCH'])
    t.deepEqual(await allowed(`OPTIONS ${configMaps}`), [405, 'GET, HEAD, POST, DELETE'])
    t.deepEqual(await allowed('POST /api/v1/namespaces/default/pods'), [405, 'GET, HEAD'])
  })

  test(`${name}: HEAD answers as GET does, without the body over a wire`, async (t) => {
    const { transport } = await open(t)
    await ask(transport, `POST ${configMaps}`, { body: configMap('c') })
    t.is((await call(transport, `HEAD ${configMaps}/c`)).status, 200)
    t.is((await call(transport, `HEAD ${configMaps}?watch=true`)).status, 200)
    t.is((await call(transport, `HEAD ${configMaps}/other`)).status, 404)
  })

  test(`${name}: query parameters that nobody knows change nothing`, async (t) => {
    const { transport } = await open(t)
    t.is((await ask(transport, `GET ${configMaps}?timeout=30s&colour=blue`)).status, 200)
  })
}

function twice(test: TestFn, name: string, open: OpenApi): void {
  const body =
    '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c","labels":{"a":"1","a":"2"}},"data":{"k":"1"},"data":{"k":"2"}}'

  test(`${name}: a body that gives a member twice is refused, and told with its paths`, async (t) => {
    const { transport } = await open(t)
    const { status, body: answer } = await ask(transport, `POST ${configMaps}`, { body })
    t.is(status, 400)
    t.is(
      answer.message,
      'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: duplicate field "metadata.labels.a", duplicate field "data"',
    )
    t.is((await ask(transport, `GET ${configMaps}/c`)).status, 404)
  })

  test(`${name}: with Warn it is told and taken, with Ignore just taken: the last one counts`, async (t) => {
    const { transport } = await open(t)
    const warned = await ask(transport, `POST ${configMaps}?fieldValidation=Warn`, { body })
    t.is(warned.status, 201)
    t.deepEqual(warned.body.data, { k: '2' })
    t.is(
      warned.headers['warning'],
      '299 - "duplicate field \\"metadata.labels.a\\"", 299 - "duplicate field \\"data\\""',
    )
    const ignored = await ask(transport, `PUT ${configMaps}/c?fieldValidation=Ignore`, { body })
    t.is(ignored.status, 200)
    t.is(ignored.headers['warning'], undefined)
  })

  test(`${name}: a patch is read as strictly as a whole object`, async (t) => {
    const { transport } = await open(t)
    await ask(transport, `POST ${containers}`, { body: container('web') })
    const { status, body: answer } = await ask(transport, `PATCH ${containers}/web?fieldValidation=Strict`, {
      body: '{"spec":{"image":"a:1","image":"b:1"}}',
    })
    t.is(status, 400)
    t.regex(answer.message, /strict decoding error: duplicate field "spec\.image"$/)
  })

  test(`${name}: a body that is nested without end is refused`, async (t) => {
    const { transport } = await open(t)
    const deep = `{"apiVersion":"v1","kind":"ConfigMap","metadata":${'{"a":'.repeat(50_000)}1${'}'.repeat(50_001)}`
    const { status, body: answer } = await ask(transport, `POST ${configMaps}`, { body: deep })
    t.is(status, 400)
    t.regex(answer.message, /nested too deeply/)
  })
}

function layout(test: TestFn, name: string, open: OpenApi): void {
  test(`${name}: pretty answers are the same ones on many lines`, async (t) => {
    const { transport } = await open(t)
    await ask(transport, `POST ${configMaps}`, { body: configMap('c', { a: '1' }) })
    const text = async (query: string) =>
      await readAll((await call(transport, `GET ${configMaps}/c${query}`)).body)
    const plain = await text('')
    t.false(plain.includes('\n'))
    const laidOut = await text('?pretty=true')
    t.regex(laidOut, /^\{\n {2}"apiVersion": "v1",\n/)
    t.deepEqual(JSON.parse(laidOut), JSON.parse(plain))
    t.is(await text('?pretty=false'), plain)
  })
}
