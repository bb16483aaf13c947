import test, { type ExecutionContext } from 'ava'
import { ask, startTestServer } from '#test/helpers/apiserver.ts'

const api = '/apis/cove.run/v1/namespaces/default'

async function startWithBuild(t: ExecutionContext) {
  const { transport, close } = await startTestServer()
  t.teardown(close)
  const send = async (words: string, body: unknown): Promise<readonly string[]> => {
    const { status, headers } = await ask(transport, words, { body })
    t.true(status < 300, `${words}: ${status}`)
    return [headers['warning'] ?? []].flat().filter((text) => text.includes('VOLUME'))
  }
  const create = (kind: string, name: string, spec: object) =>
    send(`POST ${api}/${kind.toLowerCase()}s`, { apiVersion: 'cove.run/v1', kind, metadata: { name }, spec })
  await create('Build', 'db', {
    context: { empty: {} },
    dockerfileInline: 'FROM a:1\nVOLUME ["/data", "/log/"]\n',
    tags: ['shop/db:1'],
  })
  return { transport, send, create }
}

test('a Container of a Build that declares volumes is warned of those where it mounts nothing', async (t) => {
  const { send, create } = await startWithBuild(t)
  const [warning = ''] = await create('Container', 'bare', { imageFrom: { build: 'db' } })
  t.regex(warning, /declares VOLUME \/data, \/log\/, and nothing is mounted there/)
  const some = { mounts: [{ tmpfs: {}, mountPath: '/log' }] }
  t.regex(
    (await create('Container', 'half', { imageFrom: { build: 'db' }, ...some }))[0] ?? '',
    /VOLUME \/data, and/,
  )
  t.deepEqual(await send(`PATCH ${api}/containers/half`, { spec: { env: [{ name: 'A', value: '1' }] } }), [])
  const all = { mounts: [...some.mounts, { volume: 'data', mountPath: '/data' }] }
  t.deepEqual(await send(`PATCH ${api}/containers/half`, { spec: all }), [])
})

test('so is a Container that names the image by one of its tags, and one of an Image that a node has', async (t) => {
  const { transport, create } = await startWithBuild(t)
  t.regex((await create('Container', 'tag', { image: 'docker.io/shop/db:1' }))[0] ?? '', /VOLUME \/data/)
  t.deepEqual(await create('Container', 'other', { image: 'shop/db:2' }), [])
  await create('Image', 'pulled', { reference: 'shop/pulled:1' })
  t.deepEqual(await create('Container', 'early', { imageFrom: { image: 'pulled' } }), [])
  const status = { config: { volumes: ['/var/lib'] } }
  const written = await ask(transport, `PATCH ${api}/images/pulled/status`, { body: { status } })
  t.is(written.status, 200)
  t.regex(
    (await create('Container', 'late', { imageFrom: { image: 'pulled' } }))[0] ?? '',
    /VOLUME \/var\/lib/,
  )
})
