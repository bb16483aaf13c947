import test, { type ExecutionContext } from 'ava'
import { ask, startTestServer } from '#test/helpers/apiserver.ts'

async function start(t: ExecutionContext) {
  const { transport, close } = await startTestServer()
  t.teardown(() => close())
  await ask(transport, 'POST /api/v1/namespaces', {
    body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } },
  })
  const send = async (kind: string, key: string, { spec = {}, metadata = {}, verb = 'POST' }: Sent = {}) => {
    const [namespace = '', name = ''] = key.split('/')
    const path = `/apis/cove.run/v1/namespaces/${namespace}/${kind.toLowerCase()}s`
    const line = verb === 'POST' ? `POST ${path}` : `${verb} ${path}/${name}`
    const whole = { apiVersion: 'cove.run/v1', kind, metadata: { name, ...metadata } }
    const inline = { context: { empty: {} }, dockerfileInline: 'FROM scratch\nENV A=1\n' }
    const body = verb === 'POST' ? { ...whole, spec: { ...(kind === 'Build' && inline), ...spec } } : { spec }
    const answer = await ask(transport, line, { body })
    return { ...answer, causes: causesOf(answer.body) }
  }
  return { send, transport }
}

interface Sent {
  readonly spec?: object
  readonly metadata?: object
  readonly verb?: 'POST' | 'PATCH'
}

function causesOf(body: { details?: { causes?: { field: string; message: string }[] } }): string[] {
  return (body.details?.causes ?? []).map(({ field, message }) => `${field}: ${message}`)
}

const alone = 'what a Build makes has its names alone'

test('no two Builds have the same tag, in whichever namespace and however it is written', async (t) => {
  const { send } = await start(t)
  t.is((await send('Build', 'default/one', { spec: { tags: ['team/app:1', 'team/app'] } })).status, 201)
  const second = await send('Build', 'shop/two', {
    spec: { tags: ['x:1', 'docker.io/team/app:1', 'team/app:latest'] },
  })
  t.is(second.status, 422)
  t.deepEqual(second.causes, [
    `spec.tags[1]: "docker.io/team/app:1" is a name of Build default/one: ${alone}`,
    `spec.tags[2]: "team/app:latest" is a name of Build default/one: ${alone}`,
  ])
  t.is((await send('Build', 'shop/two', { spec: { tags: ['x:1'] } })).status, 201)
  const changed = await send('Build', 'shop/two', { verb: 'PATCH', spec: { tags: ['team/app:1'] } })
  t.regex(changed.causes[0] ?? '', /^spec\.tags\[0\]: .* Build default\/one/)
  t.is((await send('Build', 'default/one', { verb: 'PATCH', spec: { tags: ['team/app:2'] } })).status, 200)
  t.is((await send('Build', 'shop/two', { verb: 'PATCH', spec: { tags: ['team/app:1'] } })).status, 200)
})

test('the name that a Build has without tags is its own too', async (t) => {
  const { send } = await start(t)
  t.is((await send('Build', 'shop/web')).status, 201)
  const thief = await send('Build', 'default/thief', { spec: { tags: ['localhost/shop/web'] } })
  t.deepEqual(thief.causes, [`spec.tags[0]: "localhost/shop/web" is a name of Build shop/web: ${alone}`])
  t.is((await send('Build', 'default/early', { spec: { tags: ['localhost/shop/late'] } })).status, 201)
  const late = await send('Build', 'shop/late')
  t.regex(
    late.causes[0] ?? '',
    /^metadata\.name: "localhost\/shop\/late:latest" is a name of Build default\/early/,
  )
})

test('an Image has no name of a Build, and a Build none of an Image, but for the one that the Build keeps', async (t) => {
  const { send } = await start(t)
  t.is(
    (await send('Image', 'default/nginx', { spec: { reference: 'nginx:1', tags: ['web:2'] } })).status,
    201,
  )
  t.is((await send('Image', 'shop/nginx', { spec: { reference: 'nginx:1' } })).status, 201)
  const build = await send('Build', 'default/app', { spec: { tags: ['nginx:1', 'web:2'] } })
  t.is(build.causes.length, 2)
  t.regex(build.causes[1] ?? '', /"web:2" is a name of Image default\/nginx/)
  const made = await send('Build', 'default/app', { spec: { tags: ['app:1'] } })
  const other = await send('Image', 'default/app', { spec: { reference: 'app:1', source: { build: 'app' } } })
  t.deepEqual(other.causes, [`spec.reference: "app:1" is a name of Build default/app: ${alone}`])
  const { uid } = made.body.metadata
  const owner = { apiVersion: 'cove.run/v1', kind: 'Build', name: 'app', uid, controller: true }
  const owned = {
    spec: { reference: 'app:1', source: { build: 'app' } },
    metadata: { ownerReferences: [owner] },
  }
  t.is((await send('Image', 'shop/app', owned)).status, 422)
  t.is((await send('Image', 'default/app', owned)).status, 201)
})

test('of two Builds that claim one tag at once the second is refused', async (t) => {
  const { send } = await start(t)
  const answers = await Promise.all(
    ['one', 'two', 'three'].map((name) => send('Build', `default/${name}`, { spec: { tags: ['app:1'] } })),
  )
  t.deepEqual(answers.map(({ status }) => status).toSorted(), [201, 422, 422])
})

test('a tag with a digest is refused', async (t) => {
  const { send } = await start(t)
  const { causes } = await send('Build', 'default/a', { spec: { tags: [`a:1@sha256:${'a'.repeat(64)}`] } })
  t.deepEqual(causes, ['spec.tags: must be without a digest: what is built gets one in registries only'])
})
