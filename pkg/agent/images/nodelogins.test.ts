import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { ManualClock, systemClock } from '#pkg/apimachinery/ambient.ts'
import { makeTempDir, type Teardown } from '#test/helpers/tempdir.ts'
import { nodeLogins } from './nodelogins.ts'

const { signal } = new AbortController()
const base64 = (text: string) => Buffer.from(text).toString('base64')

/** A node with a docker configuration and helpers, which are shell scripts. */
async function node(t: Teardown, config: object | string, helpers: Readonly<Record<string, string>> = {}) {
  const directory = await makeTempDir(t, 'logins')
  const file = join(directory, 'config.json')
  await writeFile(file, typeof config === 'string' ? config : JSON.stringify(config))
  for (const [name, script] of Object.entries(helpers)) {
    const path = join(directory, `docker-credential-${name}`)
    await writeFile(path, `#!/bin/sh\n${script}\n`)
    await chmod(path, 0o755)
  }
  return { file, searchPath: `relative:${directory}`, clock: systemClock() }
}

test('auths of the file count for their registry, and the Hub is one under each of its names', async (t) => {
  const logins = nodeLogins(
    await node(t, {
      auths: {
        'r.io:5000': { auth: base64('me:a:b') },
        'https://index.docker.io/v1/': { auth: base64('hub:x') },
      },
    }),
  )
  const { found } = await logins('r.io:5000', signal)
  t.deepEqual(found[0]?.credentials, { username: 'me', password: 'a:b' })
  t.is((await logins('docker.io', signal)).found[0]?.credentials.username, 'hub')
  t.deepEqual(await logins('r.io', signal), { found: [], troubles: [] })
})

test('no file is no login, and a broken one is a trouble that tells nothing of what is in it', async (t) => {
  const gone = { file: '/nowhere/config.json', searchPath: '', clock: systemClock() }
  t.deepEqual(await nodeLogins(gone)('r.io', signal), { found: [], troubles: [] })
  const { found, troubles } = await nodeLogins(await node(t, '{"auths": "hunter2'))('r.io', signal)
  t.is(found.length, 0)
  t.regex(troubles.join(), /is no JSON object/)
  t.notRegex(troubles.join(), /hunter2/)
})

test('the helper of a registry comes before the one of all, is told the server, and asked each time', async (t) => {
  const helper = (name: string) =>
    `[ "$1" = get ] || exit 9
read server
echo asked >> "$0.count"
printf '{"ServerURL":"%s","Username":"${name}-%s","Secret":"s%s"}' "$server" "$server" "$(wc -l < "$0.count")"`
  const setting = await node(
    t,
    { credsStore: 'all', credHelpers: { 'r.io': 'own' } },
    { all: helper('all'), own: helper('own') },
  )
  const logins = nodeLogins(setting)
  t.is((await logins('r.io', signal)).found[0]?.credentials.username, 'own-r.io')
  t.deepEqual((await logins('r.io', signal)).found[0]?.credentials.password.trim(), 's2')
  t.is((await logins('docker.io', signal)).found[0]?.credentials.username, 'all-https://index.docker.io/v1/')
})

test('a helper that has nothing is no trouble; one that fails is, without its words', async (t) => {
  const setting = await node(
    t,
    {
      credHelpers: {
        'none.io': 'none',
        'bad.io': 'bad',
        'odd.io': 'odd',
        'gone.io': 'gone',
        'path.io': '../x',
      },
    },
    {
      none: 'echo "credentials not found in native keychain"; exit 1',
      bad: 'echo hunter2; echo hunter2 >&2; exit 3',
      odd: 'echo hunter2',
    },
  )
  const logins = nodeLogins(setting)
  t.deepEqual(await logins('none.io', signal), { found: [], troubles: [] })
  const expected = {
    'bad.io': /docker-credential-bad on the node fails with exit code 3$/,
    'odd.io': /docker-credential-odd on the node answers what is no credentials$/,
    'gone.io': /there is no program docker-credential-gone on the node$/,
    'path.io': /names a program that is none$/,
  }
  for (const [host, why] of Object.entries(expected)) {
    const { found, troubles } = await logins(host, signal)
    t.is(found.length, 0, host)
    t.regex(troubles.join(), why)
    t.notRegex(troubles.join(), /hunter2/)
  }
})

test('a helper that hangs is ended after ten seconds, and at once when nobody waits any more', async (t) => {
  const clock = new ManualClock()
  const setting = await node(t, { credsStore: 'slow' }, { slow: 'sleep 600' })
  const waiting = nodeLogins({ ...setting, clock })('r.io', signal)
  while (clock.nextTimer() === undefined) await new Promise(setImmediate)
  await clock.advance(10_000)
  t.regex((await waiting).troubles.join(), /gives no answer in 10 s/)
  const controller = new AbortController()
  const leaving = nodeLogins(setting)('r.io', controller.signal)
  controller.abort(new Error('enough'))
  await t.throwsAsync(leaving, { message: 'enough' })
})

test('a helper that writes without an end is broken off', async (t) => {
  const setting = await node(t, { credsStore: 'loud' }, { loud: 'yes hunter2' })
  t.regex((await nodeLogins(setting)('r.io', signal)).troubles.join(), /answers without an end/)
})
