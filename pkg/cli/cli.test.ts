import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { makeCove } from '#test/helpers/cli.ts'
import { commands } from './commandtable.ts'

const directory = mkdtempSync(join(tmpdir(), 'cove-examples-'))
test.after.always(() => rmSync(directory, { recursive: true }))

// Some examples are about the folder where they are run.
const cove = makeCove({
  kubeconfig: '/nonexistent',
  directory,
  others: [{ name: 'up', summary: 'Run it' }],
})

test('every command has help, and is in the overview', async (t) => {
  const overview = (await cove('help')).stdout
  for (const { name, summary } of commands) {
    t.true(overview.includes(summary), name)
    const { code, stdout } = await cove(`${name} --help`)
    t.is(code, 0)
    t.true(stdout.startsWith(`${summary}.`), name)
    t.is((await cove(`help ${name}`)).stdout, stdout)
  }
})

test('every example of the help is a command line that is understood', async (t) => {
  for (const { name, examples } of commands)
    for (const example of examples) {
      const words = example
        .replace(/^.*\| /, '')
        .replace(/^cove /, '')
        .replace(/ 2?>.*$/, '')
      const { code } = await cove(words)
      // Without a server it fails, but not as a usage error; nor is there anybody who could be asked for a password.
      t.true(name === 'diff' || name === 'login' || code !== 2, example)
    }
})

test('commands of others are listed, and their help is pointed to', async (t) => {
  t.regex((await cove('')).stdout, / up +Run it\n/)
  t.is((await cove('help up')).stdout, 'Run it.\n\nUse "cove up --help" for its options.\n')
  t.regex((await cove('upp')).stderr, /did you mean "up"/)
})

test('flags of every command may stand in front of it, whatever letters it has itself', async (t) => {
  t.is((await cove('--help')).stdout, (await cove('help')).stdout)
  t.is((await cove('-h get')).stdout, (await cove('get --help')).stdout)
  t.regex((await cove('-n shop --kubeconfig /elsewhere get nodes')).stderr, /\/elsewhere/)
  const unknown = await cove('--nonsense get nodes')
  t.deepEqual([unknown.code, unknown.stderr.split('\n')[0]], [2, 'error: unknown flag: --nonsense'])
})
