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
