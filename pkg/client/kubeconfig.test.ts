import test from 'ava'
import { type KubeconfigInput, loadKubeconfig } from './kubeconfig.ts'

const base64 = (text: string) => Buffer.from(text).toString('base64')

function config(more: Record<string, unknown> = {}): string {
  return JSON.stringify({
    'current-context': 'one',
    contexts: [
      { name: 'one', context: { cluster: 'c', user: 'u' } },
      { name: 'two', context: { cluster: 'c', user: 'u', namespace: 'team' } },
    ],
    clusters: [{ name: 'c', cluster: { server: 'https://h:1', 'certificate-authority-data': base64('CA') } }],
    users: [{ name: 'u', user: { 'client-certificate': 'pki/c.pem', 'client-key-data': base64('KEY') } }],
    ...more,
  })
}

function load(files: Readonly<Record<string, string>>, more: Partial<KubeconfigInput> = {}) {
  return loadKubeconfig({
    home: '/home/me',
    directory: '/srv',
    readFile: async (path) => files[path],
    parseYaml: () => {
      throw new Error('no YAML here')
    },
    ...more,
  })
}

const certificate = { '/home/me/.cove/pki/c.pem': 'CERT', '/srv/pki/c.pem': 'CERT' }

test('without anything named it is ~/.cove/kubeconfig; paths in it are relative to it', async (t) => {
  t.deepEqual(await load({ '/home/me/.cove/kubeconfig': config(), ...certificate }), {
    server: 'https://h:1',
    namespace: 'default',
    ca: 'CA',
    cert: 'CERT',
    key: 'KEY',
  })
})

test('--kubeconfig goes before $KUBECONFIG, and --context before the current one', async (t) => {
  const other = config({ clusters: [{ name: 'c', cluster: { server: 'https://other' } }] })
  const files = { '/srv/a': config(), '/srv/b': other, ...certificate }
  t.is((await load(files, { environment: 'b' })).server, 'https://other')
  const found = await load(files, { explicit: 'a', environment: 'b', context: 'two' })
  t.deepEqual([found.server, found.namespace], ['https://h:1', 'team'])
})

test('of several files in $KUBECONFIG the first that says a thing wins', async (t) => {
  const first = JSON.stringify({
    'current-context': 'two',
    clusters: [{ name: 'c', cluster: { server: 'https://first' } }],
  })
  const found = await load(
    { '/srv/a': first, '/srv/b': config(), ...certificate },
    { environment: '/srv/a:/srv/missing:/srv/b' },
  )
  t.deepEqual([found.server, found.namespace], ['https://first', 'team'])
})

test('a token, and files in other forms than JSON, are read too', async (t) => {
  const parsed = JSON.parse(config({ users: [{ name: 'u', user: { token: 'T' } }] }))
  const found = await load({ '/srv/a': 'a: yaml' }, { explicit: 'a', parseYaml: () => parsed })
  t.deepEqual(found, { server: 'https://h:1', namespace: 'default', ca: 'CA', token: 'T' })
})

test('a token comes from its file, which wins over one beside it', async (t) => {
  const users = [{ name: 'u', user: { tokenFile: 'token', token: 'old' } }]
  const files = { '/srv/a': config({ users }), '/srv/token': 'T\n' }
  t.is((await load(files, { explicit: 'a' })).token, 'T')
  await t.throwsAsync(load({ '/srv/a': files['/srv/a'] }, { explicit: 'a' }), {
    message: /names a missing file: token/,
  })
})

test('what is missing is named, with what to do', async (t) => {
  const fails = (files: Record<string, string>, more: Partial<KubeconfigInput>, message: RegExp) =>
    t.throwsAsync(load(files, more), { message })
  await fails(
    {},
    {},
    /no kubeconfig found at \/home\/me\/\.cove\/kubeconfig: start a server here with `cove up`/,
  )
  await fails({}, { explicit: 'x' }, /there is no kubeconfig at "x"/)
  await fails({ '/srv/a': config() }, { explicit: 'a', context: 'three' }, /has no context "three"/)
  await fails({ '/srv/a': config() }, { explicit: 'a' }, /names a missing file: pki\/c\.pem/)
  await fails({ '/srv/a': '{' }, { explicit: 'a' }, /the kubeconfig \/srv\/a cannot be read/)
  const exec = config({ users: [{ name: 'u', user: { exec: {} } }] })
  await fails({ '/srv/a': exec }, { explicit: 'a' }, /logs in with "exec", which cove does not support/)
})
