/**
 * The agent killed before, in and after every call that an Image object makes of the engine: all ends as wished, nothing is
 * left over on the engine or on the disk, and what is recorded as done is not done again.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import test from 'ava'
import { Daemon, program, startCove } from '#test/helpers/cove.ts'
import { EngineProxy, type Strike } from '#test/helpers/engineproxy.ts'
import {
  createImage,
  engineImage,
  exported,
  type FileServer,
  imageReady,
  pushed,
  saved,
  serveFiles,
  untag,
  untilImage,
} from '#test/helpers/images.ts'
import { startRegistry, type TestRegistry } from '#test/helpers/registry.ts'
import { type Fields, makeScene, type Scene } from '#test/helpers/scene.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'

const noSignal = new AbortController().signal
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

interface Made {
  readonly spec: Fields & { readonly reference: string }
  /** Further names that it has in the end. */
  readonly names?: readonly string[]
  /** Is to be so in the end. */
  readonly id?: string
}

interface Stage {
  readonly scene: Scene
  readonly registry: TestRegistry
  readonly files: (answers: Parameters<typeof serveFiles>[0]) => Promise<FileServer>
}

interface Scenario {
  /** What is there before; `round` makes it another one. */
  readonly make: (stage: Stage, round: number) => Promise<Made>
  readonly check?: (scene: Scene, made: Made, name: string) => Promise<void>
  /** The object is deleted under the strike, not made. */
  readonly deletes?: boolean
}

/** What docker save writes of an image that the engine has no more. */
async function archive({ scene }: Stage, name: string) {
  const reference = await scene.image(name, [`LABEL name=${name} of=${scene.namespace}`])
  const { Id: id } = await engineImage(scene, reference)
  const bytes = await saved(scene, reference)
  await untag(scene, reference)
  return { reference, id, bytes }
}

async function filesOf({ scene }: Stage): Promise<Uint8Array> {
  if ((await scene.inspect('files')) === undefined) await scene.running('files')
  return await exported(scene, scene.engineName('files'))
}

const scenarios: Readonly<Record<string, Scenario>> = {
  'a pull': {
    make: async ({ scene, registry }, round) => {
      const reference = await pushed(scene, registry, `pulled:${round}`, [`a${round}`, 'b'])
      const name = reference.replace('/pulled:', '/named:')
      return { spec: { reference, tags: [name] }, names: [name] }
    },
  },
  'a load from an address': {
    make: async (stage, round) => {
      const { reference, id, bytes } = await archive(stage, `saved${round}`)
      const { base } = await stage.files({ '/a.tar': { body: bytes } })
      const source = { archive: { url: `${base}/a.tar`, sha256: sha256(bytes) } }
      return { spec: { reference, source }, id }
    },
  },
  'a load of an upload': {
    make: async (stage, round) => {
      const { reference, id, bytes } = await archive(stage, `uploaded${round}`)
      const { scene } = stage
      const upload = `sha256:${sha256(bytes)}`
      const path = `/apis/cove.run/v1/namespaces/${scene.namespace}/uploads/${upload}`
      const headers = { 'content-type': 'application/octet-stream', 'content-length': String(bytes.length) }
      await scene.cove.client.stream(
        { method: 'PUT', path, headers, input: Readable.from([bytes]) },
        noSignal,
      )
      return { spec: { reference, source: { archive: { upload } } }, id }
    },
  },
  'an import': {
    make: async (stage, round) => {
      const { base } = await stage.files({ '/a.tar': { body: await filesOf(stage) } })
      const reference = `cove-test/${stage.scene.cove.mark}-imported:${round}`
      return { spec: { reference, source: { rootfs: { url: `${base}/a.tar` } } } }
    },
  },
  'a commit': {
    make: async (stage, round) => {
      await filesOf(stage)
      const reference = `cove-test/${stage.scene.cove.mark}-committed:${round}`
      return { spec: { reference, source: { commit: { container: 'files' } } } }
    },
  },
  'a push': {
    make: async ({ scene, registry }, round) => {
      const reference = await scene.image(`pushed${round}`, [`LABEL round=${round} of=${scene.namespace}`])
      const target = `${registry.address}/${scene.cove.mark}/copy:${round}`
      return { spec: { reference, pullPolicy: 'Never', push: [{ reference: target }] } }
    },
    check: async (scene, { spec }, name) => {
      const [{ reference }] = spec['push'] as [{ reference: string }]
      const { status } = await untilImage(scene, name, ({ pushed: all }) => assert.equal(all?.length, 1))
      const [host = '', path = ''] = reference.split(/\/(.*)/s)
      const [repository, tag] = path.split(':')
      const answer = await fetch(`http://${host}/v2/${repository}/manifests/${tag}`, {
        method: 'HEAD',
        headers: { accept: 'application/vnd.docker.distribution.manifest.v2+json' },
      })
      assert.equal(answer.headers.get('docker-content-digest'), status.pushed?.[0]?.digest)
    },
  },
  'a deletion': {
    deletes: true,
    make: async ({ scene, registry }, round) => {
      const reference = await pushed(scene, registry, `deleted:${round}`, [`d${round}`])
      const tags = ['x', 'y'].map((tag) => `${reference}-${tag}`)
      return { spec: { reference, tags }, names: tags }
    },
  },
}

/** Names of the engine's images that belong to the test, digests left out. */
async function namesOf(scene: Scene): Promise<string[]> {
  const images: { RepoTags: string[] | null }[] = await scene.call('GET', '/images/json')
  return images.flatMap(({ RepoTags }) => RepoTags ?? []).filter((name) => name.includes(scene.cove.mark))
}

async function leftOnDisk(dataDir: string): Promise<string[]> {
  const spooled = await readdir(join(dataDir, 'fetch')).catch(() => [])
  const lent = await readFile(join(dataDir, 'images.lent'), 'utf8').catch(() => '{}')
  return [...spooled, ...Object.keys(JSON.parse(lent))]
}

/** Calls that last: what they do may be half done. */
const lasting = /\/images\/(create|load|.*\/push)|\/commit/

interface Shared extends Stage {
  readonly proxy: EngineProxy
  readonly agent: Daemon
  readonly dataDir: string
}

const endings: (() => Promise<void>)[] = []
const running: { stage?: Shared } = {}

test.before(async () => {
  const t = { teardown: (end: () => Promise<void>) => void endings.unshift(end) }
  const cove = await startCove(t, { alone: true })
  const { proxy, host } = await EngineProxy.start(t, cove.engine)
  const registry = await startRegistry()
  t.teardown(registry.stop)
  const home = await makeTempDir(t, 'agent')
  const dataDir = join(home, 'data')
  const words = ['--data-dir', dataDir, '--kubeconfig', cove.kubeconfig]
  const agent = new Daemon([program, 'agent', ...words, '--engine', host, '--node-name', cove.nodeName], home)
  t.teardown(() => agent.end('SIGTERM'))
  await agent.start(async () => {})
  const files = async (answers: Parameters<typeof serveFiles>[0]) => {
    const server = await serveFiles(answers)
    t.teardown(server.close)
    return server
  }
  running.stage = { scene: await makeScene(cove), registry, files, proxy, agent, dataDir }
})

test.after.always(async () => {
  for (const end of endings) await end()
})

for (const [what, { make, check, deletes = false }] of Object.entries(scenarios)) {
  test.serial(`${what}, with the agent killed at every call of it`, async (t) => {
    t.timeout(170_000)
    const { stage } = running
    if (stage === undefined) throw new Error('nothing is started')
    const { scene, proxy, agent, dataDir } = stage
    const round = async (number: number, strike?: Omit<Strike, 'act'>) => {
      const made = await make(stage, number)
      const name = `${what.replaceAll(' ', '-')}-${number}`
      const before = await namesOf(scene)
      if (deletes) {
        await createImage(scene, name, made.spec)
        await imageReady(scene, name)
        await untilImage(scene, name, ({ names }) =>
          assert.equal(names?.length, 1 + (made.names?.length ?? 0)),
        )
      }
      const pid = agent.pid ?? 0
      let struck = false
      const act = () => {
        if (!struck) process.kill(pid, 'SIGKILL')
        struck = true
      }
      proxy.arm(strike && { ...strike, act })
      if (deletes) await scene.delete('Image', name)
      else await createImage(scene, name, made.spec)
      const told = strike && `killed ${strike.when} call ${strike.call}`
      if (strike !== undefined) {
        await agent.ended()
        t.log(`${told}: ${proxy.calls.at(-1)}`)
        proxy.arm()
        await agent.end('SIGKILL')
        await agent.start(async () => {})
      }
      if (deletes) await scene.gone('Image', name)
      else {
        const { id } = await imageReady(scene, name)
        if (made.id !== undefined) t.is(id, made.id, told)
        await check?.(scene, made, name)
      }
      const names = deletes ? before : [...before, made.spec.reference, ...(made.names ?? [])]
      await scene.eventually(`the names, ${told}`, async () => {
        assert.deepEqual((await namesOf(scene)).sort(), [...new Set(names)].sort())
        assert.deepEqual(await leftOnDisk(dataDir), [])
      })
      return [...proxy.calls]
    }

    const calls = await round(0)
    t.true(calls.length > 0)
    let number = 0
    const struck = async (strike: Omit<Strike, 'act'>) =>
      await t.notThrowsAsync(round(++number, strike), `killed ${strike.when} call ${strike.call}`)
    // What is there after a call is what is there before the next one.
    for (const [index, call] of calls.entries()) {
      await struck({ call: index + 1, when: 'before' })
      if (lasting.test(call)) await struck({ call: index + 1, when: 'during' })
    }
    await struck({ call: calls.length, when: 'after' })
  })
}
