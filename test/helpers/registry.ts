/** A real registry on loopback: Debian's docker-registry in a directory of its own, with or without a password. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mustRequest, rawEngine } from './engine.ts'
import { eventually } from './eventually.ts'
import { endWithUs } from './guard.ts'

export interface TestRegistry {
  /** `127.0.0.1:PORT`, the first part of references. */
  readonly address: string
  /** Gives `image` of the engine the name `ADDRESS/repository:tag`, pushes it and takes the name off the engine again. */
  push(host: string, image: string, repositoryAndTag: string): Promise<string>
  stop(): Promise<void>
}

/** The one account of a registry with a password; the line is its bcrypt hash at cost 5. */
export const testAccount = { username: 'cove', password: 'cove' } as const
const htpasswdLine = 'cove:$2y$05$abcdefghijklmnopqrstuuuK.Fhc9oVWrlp.bFua8Yl.SfNO5CXHS\n'

export async function startRegistry(options: { password?: boolean } = {}): Promise<TestRegistry> {
  const directory = await mkdtemp(join(tmpdir(), 'cove-registry-'))
  const address = `127.0.0.1:${await freePort()}`
  const config = join(directory, 'config.yml')
  const passwords = join(directory, 'htpasswd')
  const hasPassword = options.password === true
  await writeFile(passwords, htpasswdLine)
  await writeFile(config, makeConfig(directory, address, hasPassword ? passwords : undefined))
  const child = spawn('docker-registry', ['serve', config], { stdio: 'ignore' })
  const ended = once(child, 'exit')
  endWithUs(child)
  const stop = async () => {
    child.kill()
    await ended
    await rm(directory, { recursive: true, force: true })
  }
  try {
    await eventually(async () => {
      const answer = await fetch(`http://${address}/v2/`)
      if (answer.status !== (hasPassword ? 401 : 200)) throw new Error(`status ${answer.status}`)
    })
  } catch (error) {
    await stop()
    throw error
  }
  return { address, stop, push: (host, image, name) => push(host, image, `${address}/${name}`) }
}

/** A port nobody listens on at this moment. */
export async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

async function push(host: string, image: string, reference: string): Promise<string> {
  const engine = rawEngine(host)
  const colon = reference.lastIndexOf(':')
  const [repository, tag] = [reference.slice(0, colon), reference.slice(colon + 1)]
  // URL-safe base64, but with its padding: without it the engine reads no credentials at all.
  const plain = Buffer.from(JSON.stringify(testAccount)).toString('base64')
  const authorization = plain.replaceAll('+', '-').replaceAll('/', '_')
  try {
    await mustRequest(engine, 'POST', `/images/${image}/tag?repo=${repository}&tag=${tag}`)
    const headers = { 'X-Registry-Auth': authorization }
    const pushed = await engine.request('POST', `/images/${repository}/push?tag=${tag}`, undefined, headers)
    if (pushed.status !== 200 || pushed.text.includes('"errorDetail"')) throw new Error(pushed.text)
    await mustRequest(engine, 'DELETE', `/images/${reference}`)
    return reference
  } finally {
    engine.close()
  }
}

function makeConfig(directory: string, address: string, passwords: string | undefined): string {
  const auth =
    passwords === undefined ? [] : ['auth:', '  htpasswd:', '    realm: cove', `    path: ${passwords}`]
  const storage = ['storage:', '  filesystem:', `    rootdirectory: ${directory}/data`]
  return ['version: 0.1', 'log: {level: error}', ...storage, 'http:', `  addr: ${address}`, ...auth, ''].join(
    '\n',
  )
}
