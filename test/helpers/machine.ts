/** A machine that joins a cove as a node of its own: its agent is a process, its identity comes from a join token. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Daemon, program, type TestCove } from './cove.ts'
import { makeTempDir, type Teardown } from './tempdir.ts'

export interface Machine {
  readonly agent: Daemon
  readonly dir: string
  /** Starts its agent with these words beside those of the machine. */
  start(...words: string[]): Promise<void>
}

export async function makeMachine(t: Teardown, cove: TestCove): Promise<Machine> {
  const dir = await makeTempDir(t, 'machine')
  const own = ['--data-dir', join(dir, 'agent'), '--engine', cove.engine, '--node-name', cove.nodeName]
  const words: string[] = []
  const agent = new Daemon(words, dir)
  t.teardown(() => agent.end('SIGTERM'))
  const start = async (...more: string[]) => {
    words.splice(0, words.length, program, 'agent', ...own, ...more)
    await agent.start(async () => {})
  }
  return { agent, dir, start }
}

export interface Invitation {
  readonly token: string
  readonly words: readonly string[]
}

/** What the administrator gives to the machine, with the token in a file of it. */
export async function invite(cove: TestCove, { dir }: Machine, ...words: string[]): Promise<Invitation> {
  const { stdout, stderr, code } = await cove.cli(['token', 'create', ...words])
  assert.equal(code, 0, stderr)
  const [, server = '', pin = ''] = /--join (\S+) --ca-pin (\S+) /.exec(stdout) ?? []
  const [, token = ''] = /\n([a-z0-9]{6}\.[a-z0-9]{16})\n/.exec(stdout) ?? []
  const file = join(dir, 'token')
  await writeFile(file, token, { mode: 0o600 })
  return { token, words: ['--join', server, '--ca-pin', pin, '--token-file', file] }
}
