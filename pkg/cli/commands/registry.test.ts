import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { streamsHandler } from '#pkg/agent/streams.ts'
import { systemClock } from '#pkg/apimachinery/ambient.ts'
import type { Transport } from '#pkg/apimachinery/transport.ts'
import { SimEngine } from '#pkg/engine/sim.ts'
import { HttpRegistryClient } from '#pkg/registry/client.ts'
import { ask } from '#test/helpers/apiserver.ts'
import { makeCove, startCliServer } from '#test/helpers/cli.ts'
import { startRegistryStub } from '#test/helpers/registrystub.ts'

const secretsPath = '/api/v1/namespaces/default/secrets'

/** `cove` with a node that asks a registry of the test's own, which is Docker Hub too. */
async function scene(t: ExecutionContext) {
  const { transport, directory } = await startCliServer(t)
  const stub = await startRegistryStub()
  const clock = systemClock()
  const hub = `http://${stub.address}`
  const registry = new HttpRegistryClient({
    clock,
    access: async () => ({ insecure: true, mirrors: [], authorities: [] }),
    hub: { registry: hub, search: hub },
  })
  t.teardown(async () => {
    registry.close()
    await stub.stop()
  })
  const node = streamsHandler({
    engine: new SimEngine({ clock }),
    clock,
    nodeName: 'n1',
    ownerOf: () => undefined,
    registry,
  })
  const prefix = '/apis/cove.run/v1/nodes/n1'
  const through: Transport = (request) =>
    request.path.startsWith(`${prefix}/registry`)
      ? node({ ...request, path: request.path.slice(prefix.length) }, { name: 'admin', groups: [] })
      : transport(request)
  const cove = makeCove({ kubeconfig: join(directory, 'kubeconfig'), directory, transport: through })
  const login = async () => {
    const { body } = await ask(transport, `GET ${secretsPath}`)
    return body.items.map(
      ({ metadata, type, data }: { metadata: { name: string }; type: string; data: object }) => {
        const [text = ''] = Object.values(data).map((value) =>
          Buffer.from(String(value), 'base64').toString(),
        )
        return { name: metadata.name, type, ...JSON.parse(text) }
      },
    )
  }
  return { cove, stub, login }
}

const challenge = { 'www-authenticate': 'Basic realm="cove"' }
const good = `Basic ${Buffer.from('ci:hunter2').toString('base64')}`
const guarded = ({ authorization }: { authorization: string | undefined }) =>
  authorization === good ? {} : { status: 401, headers: challenge }

test('a good login is stored in a Secret as kubectl would make it, a bad one nowhere', async (t) => {
  const { cove, stub, login } = await scene(t)
  stub.answer(guarded)
  const words = `login ${stub.address} -u ci --password-stdin --node n1`
  const bad = await cove(words, { stdin: 'wrong\n' })
  t.is(bad.code, 1)
  t.regex(bad.stderr, /unauthorized/)
  t.notRegex(bad.stderr, /wrong/)
  t.deepEqual(await login(), [])
  const done = await cove(words, { stdin: 'hunter2\n' })
  t.deepEqual([done.code, done.stdout, done.stderr], [0, 'Login Succeeded\n', ''])
  const auth = Buffer.from('ci:hunter2').toString('base64')
  t.deepEqual(await login(), [
    {
      name: `login.${stub.address.replace(':', '-')}`,
      type: 'kubernetes.io/dockerconfigjson',
      auths: { [stub.address]: { username: 'ci', password: 'hunter2', auth } },
    },
  ])
})

test('a second login takes the place of the first, and logout takes it away', async (t) => {
  const { cove, login } = await scene(t)
  const store = (password: string) => cove('login -u me --password-stdin --skip-check', { stdin: password })
  t.is((await store('one')).stdout, 'Login stored, not checked\n')
  await store('two')
  const [secret, more] = await login()
  t.is(secret.auths['https://index.docker.io/v1/'].password, 'two')
  t.is(secret.name, 'login.docker.io')
  t.is(more, undefined)
  t.is((await cove('logout')).stdout, 'Removing login credentials for docker.io\n')
  t.is((await cove('logout')).stdout, 'Not logged in to docker.io\n')
  t.deepEqual(await login(), [])
})

test('what is no login is refused before anybody is asked', async (t) => {
  const { cove } = await scene(t)
  const refused = async (words: string, why: RegExp, stdin = 'x') => {
    const { code, stderr } = await cove(words, { stdin })
    t.is(code, 2, stderr)
    t.regex(stderr, why)
  }
  await refused('login team/app -u me --password-stdin', /is no registry/)
  await refused('login --password-stdin', /needs --username/)
  await refused('login -u me', /nobody can be asked here/)
  await refused('login -u me --password-stdin', /password is empty/, '\n')
  await refused('login -u a:b --password-stdin', /holds no colon/)
  await refused('login -u me -p x --password-stdin', /exclude each other/)
  await refused('search', /name one term/)
  await refused('search x --filter stars=many', /neither stars=N/)
  await refused('search x --limit 0', /from 1 to 100/)
  const warned = await cove('login -u me -p x --skip-check')
  t.regex(warned.stderr, /WARNING! Using --password via the CLI is insecure/)
})

test('Docker Hub is searched, and filters keep what fits', async (t) => {
  const { cove, stub } = await scene(t)
  const results = [
    { name: 'nginx', description: 'The  web server', star_count: 100, is_official: true },
    { name: 'me/nginx', description: 'x'.repeat(60), star_count: 7, is_official: false },
    { name: 'you/nginx', star_count: 3 },
  ]
  stub.answer(() => ({ body: JSON.stringify({ results }) }))
  const all = await cove('search nginx --node n1')
  t.regex(
    all.stdout,
    /^NAME +DESCRIPTION +STARS +OFFICIAL\nnginx +The web server +100 +\[OK\]\nme\/nginx +x{44}… +7/,
  )
  const names = async (words: string) =>
    (await cove(`search nginx --node n1 --format '{{.Name}}:{{.StarCount}}' ${words}`)).stdout.split('\n')
  t.deepEqual(await names('--filter stars=7'), ['nginx:100', 'me/nginx:7', ''])
  t.deepEqual(await names('--filter is-official=false --filter stars=5'), ['me/nginx:7', ''])
  t.is(stub.asked[0]?.target, '/v1/search?q=nginx&n=25')
})

test('in another registry the names of repositories are looked through, and their tags shown', async (t) => {
  const { cove, stub } = await scene(t)
  const answers: Readonly<Record<string, object>> = {
    '/v2/': {},
    '/v2/_catalog?n=1000': { repositories: ['lib/bb', 'team/app', 'team/bb'] },
    '/v2/lib/bb/tags/list?n=1000': { tags: ['1', '2'] },
    '/v2/team/bb/tags/list?n=1000': { tags: null },
  }
  stub.answer(({ target, authorization }) =>
    target === '/v2/' || authorization === good
      ? {
          body: JSON.stringify(answers[target]),
          ...(authorization !== good && { status: 401, headers: challenge }),
        }
      : { status: 401, headers: challenge },
  )
  await cove(`login ${stub.address} -u ci --password-stdin --skip-check`, { stdin: 'hunter2' })
  const found = await cove(`search bb --registry ${stub.address} --node n1`)
  t.regex(found.stdout, new RegExp(`^NAME +TAGS\n${stub.address}/lib/bb +1, 2\n${stub.address}/team/bb *\n$`))
  t.is((await cove(`registry catalog ${stub.address} --node n1`)).stdout, 'lib/bb\nteam/app\nteam/bb\n')
  t.is((await cove(`registry tags ${stub.address}/lib/bb --node n1`)).stdout, '1\n2\n')
  const json = JSON.parse((await cove(`registry tags ${stub.address}/lib/bb --node n1 -o json`)).stdout)
  t.deepEqual(json.items[0], { apiVersion: 'cove.run/v1', kind: 'Tag', name: '1' })
  await cove(`logout ${stub.address}`)
  const refused = await cove(`registry tags ${stub.address}/lib/bb --node n1`)
  t.is(refused.code, 1)
  t.regex(refused.stderr, /refuses tags of lib\/bb/)
})
