/** A real registry on loopback: Debian's docker-registry in a directory of its own, with or without a password. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { mustRequest, rawEngine } from './engine.ts'
import { eventually } from './eventually.ts'
import { endWithUs } from './guard.ts'

export interface TestRegistry {
  /** `127.0.0.1:PORT`, the first part of references. */
  readonly address: string
  /** PEM of who vouches for its certificate; absent: it speaks HTTP. */
  readonly authority?: string
  /** Gives `image` of the engine the name `ADDRESS/repository:tag`, pushes it and takes the name off the engine again. */
  push(host: string, image: string, repositoryAndTag: string): Promise<string>
  stop(): Promise<void>
}

/** The one account of a registry with a password; the line is its bcrypt hash at cost 5. */
export const testAccount = { username: 'cove', password: 'cove' } as const
const htpasswdLine = 'cove:$2y$05$abcdefghijklmnopqrstuuuK.Fhc9oVWrlp.bFua8Yl.SfNO5CXHS\n'

export interface RegistryOptions {
  readonly password?: boolean
  /** HTTPS, with a certificate that no machine trusts of itself. */
  readonly tls?: boolean
}

export async function startRegistry(options: RegistryOptions = {}): Promise<TestRegistry> {
  const directory = await mkdtemp(join(tmpdir(), 'cove-registry-'))
  const address = `127.0.0.1:${await freePort()}`
  const config = join(directory, 'config.yml')
  const passwords = join(directory, 'htpasswd')
  const hasPassword = options.password === true
  await writeFile(passwords, htpasswdLine)
  const authority = options.tls === true ? await makeCertificates(directory) : undefined
  const parts = { ...(hasPassword && { passwords }), tls: authority !== undefined }
  await writeFile(config, makeConfig(directory, address, parts))
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
      const status =
        authority === undefined ? await statusOf(address) : await secureStatusOf(address, authority)
      if (status !== (hasPassword ? 401 : 200)) throw new Error(`status ${status}`)
    })
  } catch (error) {
    await stop()
    throw error
  }
  return {
    address,
    stop,
    push: (host, image, name) => push(host, image, `${address}/${name}`),
    ...(authority !== undefined && { authority }),
  }
}

async function statusOf(address: string): Promise<number> {
  return (await fetch(`http://${address}/v2/`)).status
}

function secureStatusOf(address: string, ca: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request(`https://${address}/v2/`, { ca, agent: false }, (answer) => {
      answer.resume()
      resolve(answer.statusCode ?? 0)
    })
    asked.on('error', reject)
    asked.end()
  })
}

/** An authority and a certificate for 127.0.0.1 by it; resolves with the PEM of the authority. */
export async function makeCertificates(directory: string): Promise<string> {
  const openssl = (...words: string[]) => promisify(execFile)('openssl', words, { cwd: directory })
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1']
  await openssl(
    'req',
    '-x509',
    ...newKey,
    '-keyout',
    'ca.key',
    '-out',
    'ca.crt',
    '-subj',
    '/CN=test authority',
  )
  const signed = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-addext', 'subjectAltName=IP:127.0.0.1']
  await openssl(
    'req',
    '-x509',
    ...newKey,
    ...signed,
    '-keyout',
    'key.pem',
    '-out',
    'cert.pem',
    '-subj',
    '/CN=registry',
  )
  return await readFile(join(directory, 'ca.crt'), 'utf8')
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

interface ConfigParts {
  readonly passwords?: string
  readonly tls: boolean
}

function makeConfig(directory: string, address: string, { passwords, tls }: ConfigParts): string {
  const auth =
    passwords === undefined ? [] : ['auth:', '  htpasswd:', '    realm: cove', `    path: ${passwords}`]
  const storage = ['storage:', '  filesystem:', `    rootdirectory: ${directory}/data`]
  const files = [`    certificate: ${directory}/cert.pem`, `    key: ${directory}/key.pem`]
  const http = ['http:', `  addr: ${address}`, ...(tls ? ['  tls:', ...files] : [])]
  return ['version: 0.1', 'log: {level: error}', ...storage, ...http, ...auth, ''].join('\n')
}
