/** A real registry in the network of a private engine, which reaches it by loopback and by the address of its bridge. */
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { mustRequest, rawEngine } from './engine.ts'
import { eventually } from './eventually.ts'
import { endWithUs } from './guard.ts'
import type { PrivateEngine } from './private-engine.ts'
import { makeTempDir, type Teardown } from './tempdir.ts'

export interface EngineNetRegistry {
  /** Exempt: engines speak plain HTTP to loopback. */
  readonly loopback: string
  /** The same registry, where engines insist on TLS. */
  readonly bridge: string
  /** Pushes an image of the engine as `repository:tag`, by loopback. */
  push(image: string, repositoryAndTag: string): Promise<void>
}

const port = 5000

export async function startEngineNetRegistry(t: Teardown, engine: PrivateEngine): Promise<EngineNetRegistry> {
  const directory = await makeTempDir(t, 'registry')
  const config = join(directory, 'config.yml')
  const storage = ['storage:', '  filesystem:', `    rootdirectory: ${directory}/data`]
  await writeFile(
    config,
    ['version: 0.1', 'log: {level: error}', ...storage, 'http:', `  addr: ":${port}"`, ''].join('\n'),
  )
  const child = engine.command(['docker-registry', 'serve', config])
  endWithUs(child)
  t.teardown(async () => {
    const gone = once(child, 'exit')
    if (child.exitCode === null && child.signalCode === null && child.kill()) await gone
  })
  const loopback = `127.0.0.1:${port}`
  const push = async (image: string, name: string) => {
    const raw = rawEngine(engine.host)
    try {
      await pushOnce(raw, image, `${loopback}/${name}`)
    } finally {
      raw.close()
    }
  }
  return { loopback, bridge: `172.17.0.1:${port}`, push }
}

async function pushOnce(raw: ReturnType<typeof rawEngine>, image: string, reference: string): Promise<void> {
  const colon = reference.lastIndexOf(':')
  const [repository, tag] = [reference.slice(0, colon), reference.slice(colon + 1)]
  await mustRequest(raw, 'POST', `/images/${image}/tag?repo=${repository}&tag=${tag}`)
  await eventually(
    async () => {
      const headers = { 'X-Registry-Auth': Buffer.from('{}').toString('base64') }
      const pushed = await raw.request('POST', `/images/${repository}/push?tag=${tag}`, undefined, headers)
      if (pushed.status !== 200 || pushed.text.includes('"errorDetail"')) throw new Error(pushed.text)
    },
    { pauseMs: 100, what: `the push of ${reference}` },
  )
  await mustRequest(raw, 'DELETE', `/images/${reference}`)
}
