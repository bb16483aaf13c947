/** Starting the daemons: what is refused, how it is told, and what a refused start leaves alone. */
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import test from 'ava'
import { sharedCove } from '#test/helpers/cove.ts'

const cove = sharedCove(test)

test('a second cove on the same port fails, says what to do, and leaves the kubeconfig of the first in place', async (t) => {
  const { kubeconfig, dataDir, cli } = cove()
  const users = join(dirname(dataDir), '.cove/kubeconfig')
  const before = await readFile(users, 'utf8')
  t.is(before, await readFile(kubeconfig, 'utf8'))
  const [, address = ''] = /https:\/\/(127\.0\.0\.1:\d+)/.exec(before) ?? []
  const { code, stderr } = await cli([
    'up',
    '--data-dir',
    join(dirname(dataDir), 'second'),
    '--listen',
    address,
  ])
  t.is(code, 1)
  t.regex(
    stderr,
    new RegExp(`error: ${address} is in use by another program .*; stop it, or listen on another port`),
  )
  t.is(await readFile(users, 'utf8'), before)
})

test('a second cove on the same data fails and says so', async (t) => {
  const { dataDir, cli } = cove()
  const { code, stderr } = await cli(['up', '--data-dir', dataDir, '--listen', '127.0.0.1:1'])
  t.is(code, 1)
  t.regex(stderr, /cove\.db is used by another cove process/)
})

test('a flag that does not exist, or has no sense, is told with the flag', async (t) => {
  const { cli } = cove()
  const refused: Readonly<Record<string, RegExp>> = {
    '--listn': /Unknown option '--listn'/,
    '--listen=nowhere': /--listen: "nowhere" is not HOST:PORT with a port between 1 and 65535/,
    '--log-level=loud': /--log-level: "loud" is not debug, info, warn or error/,
    '--node-name=N_1': /--node-name: "N_1" must consist of lower case letters/,
  }
  for (const [flag, message] of Object.entries(refused)) {
    const { code, stderr } = await cli(['up', flag])
    t.is(code, 1, flag)
    t.regex(stderr, message)
  }
})
