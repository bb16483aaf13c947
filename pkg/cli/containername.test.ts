import test, { type ExecutionContext } from 'ava'
import { systemClock } from '#pkg/apimachinery/ambient.ts'
import type { Transport } from '#pkg/apimachinery/transport.ts'
import { Client } from '#pkg/client/rest.ts'
import { ask, startTestServer } from '#test/helpers/apiserver.ts'
import { findContainer, withoutType } from './containername.ts'
import { CliError } from './errors.ts'
import type { Session } from './session.ts'
import { parseTargets } from './targets.ts'

const ids = {
  web: `cafe00${'1'.repeat(58)}`,
  db: `cafe01${'2'.repeat(58)}`,
  beef: `dead00${'3'.repeat(58)}`,
}

/** Containers of two namespaces with these ids, and what is asked of the server from then on. */
async function start(t: ExecutionContext) {
  const { transport, close } = await startTestServer()
  t.teardown(close)
  await ask(transport, 'POST /api/v1/namespaces', {
    body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } },
  })
  const make = async (namespace: string, name: string, containerID: string) => {
    const base = `/apis/cove.run/v1/namespaces/${namespace}/containers`
    const body = {
      apiVersion: 'cove.run/v1',
      kind: 'Container',
      metadata: { name },
      spec: { image: 'app:1' },
    }
    t.is((await ask(transport, `POST ${base}`, { body })).status, 201)
    t.is(
      (await ask(transport, `PATCH ${base}/${name}/status`, { body: { status: { containerID } } })).status,
      200,
    )
  }
  await make('default', 'web', ids.web)
  await make('default', 'beef', `face00${'4'.repeat(58)}`)
  await make('default', 'db', ids.db)
  await make('shop', 'beef', ids.beef)
  const asked: string[] = []
  const counting: Transport = (request) => {
    asked.push(request.path)
    return transport(request)
  }
  const session: Session = {
    client: new Client(counting, 'test'),
    open: async () => {
      throw new Error('no streams here')
    },
    warned: new Set(),
    signal: new AbortController().signal,
    clock: systemClock(),
    namespace: 'default',
    server: '',
  }
  const find = async (word: string) => {
    const found = await findContainer(word, session)
    return `${found.session.namespace}/${found.name}`
  }
  const targets = async (...words: readonly string[]) =>
    (await parseTargets(words, session, 'get')).flatMap(({ names = [] }) => names)
  return { find, asked, targets }
}

test('a name is taken as it is, without asking', async (t) => {
  const { find, asked } = await start(t)
  t.is(await find('web'), 'default/web')
  t.is(await find('container/cafe'), 'default/cafe')
  t.is(await find('abc'), 'default/abc')
  t.deepEqual(asked, [])
})

test('the beginning of an id is as good as the name, which comes first', async (t) => {
  const { find } = await start(t)
  t.is(await find('cafe00'), 'default/web')
  t.is(await find(ids.db), 'default/db')
  t.is(await find('beef'), 'default/beef')
})

test('what several ids begin with is refused with all of them', async (t) => {
  const { find } = await start(t)
  const error = await t.throwsAsync(find('cafe'), { instanceOf: CliError })
  t.is(error?.message, '"cafe" is the beginning of several ids: cafe00111111 (web), cafe01222222 (db)')
})

test('as much of an id as is printed is found in every namespace, less of it is not', async (t) => {
  const { find } = await start(t)
  t.is(await find(ids.beef.slice(0, 12)), 'shop/beef')
  await t.throwsAsync(find('dead00'), { message: 'containers.cove.run "dead00" not found' })
  await t.throwsAsync(find('0123456789ab'), { message: 'containers.cove.run "0123456789ab" not found' })
})

test('the type may stand before names as a word of its own', (t) => {
  t.deepEqual(withoutType(['container', 'a', 'b']), ['a', 'b'])
  t.deepEqual(withoutType(['container']), ['container'])
  t.deepEqual(withoutType(['a', 'b']), ['a', 'b'])
})

test('commands about objects take a Container by as much of its id as is printed, and by no less', async (t) => {
  const { targets, asked } = await start(t)
  t.deepEqual(await targets('container', 'web', 'cafe00'), ['web', 'cafe00'])
  t.deepEqual(asked, [])
  t.deepEqual(await targets('ctr', ids.web.slice(0, 12), 'web', ids.db), ['web', 'db'])
  t.deepEqual(await targets(`container/${ids.db.slice(0, 12)}`), ['db'])
  t.deepEqual(await targets('container', ids.beef.slice(0, 12)), [ids.beef.slice(0, 12)])
  t.deepEqual(await targets('secret', ids.web.slice(0, 12)), [ids.web.slice(0, 12)])
})
