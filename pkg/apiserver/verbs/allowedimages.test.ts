import test from 'ava'
import { ask, startTestServer } from '#test/helpers/apiserver.ts'

const api = '/apis/cove.run/v1/namespaces/default'

test('a namespace that says which images it allows refuses others, and touches nothing that is there', async (t) => {
  const { transport, close } = await startTestServer()
  t.teardown(close)
  const object = (kind: string, name: string, spec: object) => ({
    body: { apiVersion: 'cove.run/v1', kind, metadata: { name }, spec },
  })
  const container = (name: string, image: string) =>
    ask(transport, `POST ${api}/containers`, object('Container', name, { image }))
  t.is((await container('old', 'evil/x:1')).status, 201)
  const annotations = { 'cove.run/allowed-images': 'library/*, reg.example.com/*' }
  await ask(transport, 'PATCH /api/v1/namespaces/default', { body: { metadata: { annotations } } })
  t.is((await container('fine', 'nginx:1')).status, 201)
  const refused = await container('bad', 'evil/x:1')
  t.is(refused.status, 403)
  t.is(refused.body.details.causes[0].field, 'spec.image')
  t.regex(
    refused.body.message,
    /"evil\/x:1" is not allowed: the namespace allows only library\/\*, reg\.example/,
  )
  t.is(
    (await ask(transport, `POST ${api}/images`, object('Image', 'bad', { reference: 'evil/x' }))).status,
    403,
  )
  const patch = (image: string) =>
    ask(transport, `PATCH ${api}/containers/old`, { body: { spec: { image } } })
  t.is(
    (await ask(transport, `PATCH ${api}/containers/old`, { body: { spec: { state: 'Stopped' } } })).status,
    200,
  )
  t.is((await patch('evil/x:2')).status, 403)
  t.is((await patch('reg.example.com/x:2')).status, 200)
})

test('a Build names only images that its namespace allows, and only where the server can read them', async (t) => {
  const { transport, close } = await startTestServer()
  t.teardown(close)
  const annotations = { 'cove.run/allowed-images': 'reg.example.com/*' }
  await ask(transport, 'PATCH /api/v1/namespaces/default', { body: { metadata: { annotations } } })
  const build = async (name: string, dockerfile: string, spec: object = {}) => {
    const body = {
      apiVersion: 'cove.run/v1',
      kind: 'Build',
      metadata: { name },
      spec: { context: { empty: {} }, dockerfileInline: dockerfile, ...spec },
    }
    const { status, body: answer } = await ask(transport, `POST ${api}/builds`, { body })
    return status === 201 ? [] : answer.details.causes.map((cause: { message: string }) => cause.message)
  }
  const all =
    'FROM reg.example.com/a AS a\nFROM scratch\nCOPY --from=a / /\nCOPY --from=localhost/default/other / /\n'
  t.deepEqual(await build('fine', all), [])
  const why = 'the namespace allows only reg.example.com/* (annotation cove.run/allowed-images)'
  t.deepEqual(await build('bad', 'ARG V=1\nFROM evil/x:$V\nCOPY --from=localhost/shop/x / /\n'), [
    `"evil/x:1" is not allowed: ${why}`,
    `"localhost/shop/x" is not allowed: ${why}`,
  ])
  t.deepEqual(await build('read', '# syntax=evil/x:1\nFROM reg.example.com/a\n'), [
    `"evil/x:1" is not allowed: ${why}`,
  ])
  const args = { BUILDKIT_SYNTAX: 'evil/y' }
  t.deepEqual(await build('given', 'FROM reg.example.com/a\n', { args }), [`"evil/y" is not allowed: ${why}`])
  const more = { tags: ['web:1', 'reg.example.com/web'], cacheFrom: ['evil/cache'] }
  t.deepEqual(await build('named', 'FROM scratch\nENV A=1\n', more), [
    `"web:1" is not allowed: ${why}`,
    `"evil/cache" is not allowed: ${why}`,
  ])
  const context = { git: { url: 'https://git.example.com/x' } }
  const body = { apiVersion: 'cove.run/v1', kind: 'Build', metadata: { name: 'git' }, spec: { context } }
  const cloned = await ask(transport, `POST ${api}/builds`, { body })
  t.is(cloned.body.details.causes[0].message, `which images it names must be readable here: ${why}`)
  const kept = { reference: 'localhost/default/fine:latest', source: { build: 'fine' } }
  const image = { apiVersion: 'cove.run/v1', kind: 'Image', metadata: { name: 'other' }, spec: kept }
  // Refused for its name, which is of the Build, and not by the namespace.
  t.is((await ask(transport, `POST ${api}/images`, { body: image })).status, 422)
})
