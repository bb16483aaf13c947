import test from 'ava'
import { ask, startTestServer } from '#test/helpers/apiserver.ts'

const api = '/apis/cove.run/v1/namespaces/default/builds'

test('an argument that is called like a secret is refused by name, unless it is said to be public', async (t) => {
  const { transport, close } = await startTestServer()
  t.teardown(close)
  const create = (name: string, spec: object) =>
    ask(transport, `POST ${api}`, {
      body: {
        apiVersion: 'cove.run/v1',
        kind: 'Build',
        metadata: { name },
        spec: { context: { git: { url: 'https://git.example.com/x.git' } }, ...spec },
      },
    })
  const refused = await create('b', { args: { DB_PASSWORD: 'x', V: '1' } })
  t.is(refused.status, 422)
  t.like(refused.body.details.causes[0], { reason: 'FieldValueForbidden', field: 'spec.args.DB_PASSWORD' })
  t.is(refused.body.details.causes.length, 1)
  t.is((await create('b', { args: { DB_PASSWORD: 'x' }, publicArgs: ['DB_PASSWORD'] })).status, 201)
  const more = await ask(transport, `PATCH ${api}/b`, { body: { spec: { args: { API_KEY: 'y' } } } })
  t.is(more.body.details.causes[0].field, 'spec.args.API_KEY')
})
