import test from 'ava'
import { ask, startTestServer } from '#test/helpers/apiserver.ts'

const api = '/apis/cove.run/v1/namespaces/default'

test('a working directory that takes a relative program of its image away is warned of', async (t) => {
  const { transport, close } = await startTestServer()
  t.teardown(close)
  const create = async (kind: string, name: string, spec: object) => {
    const body = { apiVersion: 'cove.run/v1', kind, metadata: { name }, spec }
    const { status, headers } = await ask(transport, `POST ${api}/${kind.toLowerCase()}s`, { body })
    t.is(status, 201, name)
    return [headers['warning'] ?? []].flat().filter((text) => text.includes('workingDir'))
  }
  await create('Image', 'app', { reference: 'shop/app:1' })
  const config = { workingDir: '/app', command: ['./server', '-v'] }
  const words = `PATCH ${api}/images/app/status`
  t.is((await ask(transport, words, { body: { status: { config } } })).status, 200)
  const [warning = ''] = await create('Container', 'moved', {
    imageFrom: { image: 'app' },
    workingDir: '/',
  })
  t.regex(warning, /starts \.\/server, which is looked for in \/ then, and not in its own WORKDIR \/app/)
  t.is((await create('Container', 'tag', { image: 'shop/app:1', workingDir: '/tmp' })).length, 1)
  const fine = [
    { workingDir: '/app/' },
    { workingDir: '/', args: ['/app/server'] },
    { workingDir: '/', command: ['./other'] },
    {},
  ]
  for (const [index, spec] of fine.entries())
    t.deepEqual(await create('Container', `fine${index}`, { imageFrom: { image: 'app' }, ...spec }), [])
})
