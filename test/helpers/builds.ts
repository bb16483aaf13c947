/** Builds of a scene: in few words, what became of them, and the engine's own view of what they made as a witness. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { findCondition } from '#pkg/apimachinery/meta.ts'
import { namesOfBuild } from '#pkg/apis/build.said.ts'
import { type Build, type BuildStatus, buildKind } from '#pkg/apis/build.ts'
import { decode, type TestCove } from './cove.ts'
import { baseImage } from './engine.ts'
import { eventually } from './eventually.ts'
import { type Fields, makeScene, type Scene } from './scene.ts'

const noSignal = new AbortController().signal
const patience = { timeoutMs: 120_000, pauseMs: 50 }

export type Built = Build & { readonly status: BuildStatus }

/** Its namespace has the cove's mark in its name, so that all that is built in it goes with the cove. */
export async function makeBuildScene(cove: TestCove): Promise<Scene> {
  return await makeScene(cove, `b-${cove.mark}-${randomBytes(3).toString('hex')}`)
}

/** Of lines after `FROM` the base image, unless one of them is a FROM; `files` is the context. */
export async function createBuild(
  scene: Scene,
  name: string,
  lines: readonly string[],
  { files, ...spec }: Fields & { readonly files?: Readonly<Record<string, string>> } = {},
): Promise<void> {
  const whole = lines.some((line) => /^FROM /i.test(line)) ? lines : [`FROM ${baseImage}`, ...lines]
  const context = files === undefined ? { empty: {} } : { inline: { files } }
  await scene.create('Build', name, {
    spec: { context, dockerfileInline: `${whole.join('\n')}\n`, ...spec },
  })
}

/** The Build once it was reported as it is now and `check` does not throw. */
export async function untilBuild(
  scene: Scene,
  name: string,
  check: (status: BuildStatus) => void,
): Promise<Built> {
  return await eventually(
    async () => {
      const build = await scene.cove.client.get(buildKind, { namespace: scene.namespace, name }, noSignal)
      const status = build.status ?? {}
      if (status.observedGeneration !== build.metadata.generation) throw new Error('not reported yet')
      try {
        check(status)
      } catch (error) {
        throw new Error(`${String(error)}; status is ${JSON.stringify(status)}`, { cause: error })
      }
      return { ...build, status }
    },
    { ...patience, what: `Build ${name}` },
  )
}

/** Waits until its image is what its inputs say; resolves with its status. */
export async function built(scene: Scene, name: string): Promise<BuildStatus & { image: { id: string } }> {
  const { status } = await untilBuild(scene, name, ({ conditions, image }) => {
    for (const type of ['Ready', 'UpToDate']) {
      const condition = findCondition(conditions, type)
      if (condition?.status !== 'True')
        throw new Error(`${type}: ${condition?.reason}: ${condition?.message}`)
    }
    assert.ok(image)
  })
  if (status.image === undefined) throw new Error('no image')
  return { ...status, image: status.image }
}

/** Waits for the good end of the attempt of that number; resolves with what came of it. */
export async function attempt(scene: Scene, name: string, number: number): Promise<BuildStatus> {
  const { status } = await untilBuild(scene, name, (now) => {
    assert.equal(now.attempt, number)
    assert.equal(now.phase, 'Succeeded')
  })
  return status
}

/** Waits until it has failed; resolves with why. */
export async function buildFails(
  scene: Scene,
  name: string,
  reason?: string,
): Promise<NonNullable<BuildStatus['failure']>> {
  const { status } = await untilBuild(scene, name, ({ phase, failure }) => {
    assert.equal(phase, 'Failed')
    if (reason !== undefined) assert.equal(failure?.reason, reason)
  })
  return status.failure ?? { reason: '', message: '' }
}

/** `createBuild`, and waits until it is built. */
export async function build(
  scene: Scene,
  name: string,
  lines: readonly string[],
  spec: Parameters<typeof createBuild>[3] = {},
): Promise<BuildStatus & { image: { id: string } }> {
  await createBuild(scene, name, lines, spec)
  return await built(scene, name)
}

/** Why the API refuses a Build: the message of its answer. */
export async function refused(
  scene: Scene,
  lines: readonly string[],
  spec: Parameters<typeof createBuild>[3] = {},
): Promise<string> {
  try {
    await createBuild(scene, 'refused', lines, spec)
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
  throw new Error('it was not refused')
}

/** What its first name is on the engine. */
export function imageOf(scene: Scene, name: string): string {
  const metadata = { namespace: scene.namespace, name }
  return namesOfBuild({ metadata, spec: decode({ tags: [] }) })[0] ?? ''
}

/** As the engine has it. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
export async function inspectImage(scene: Scene, image: string): Promise<any> {
  return await scene.call('GET', `/images/${image}/json`)
}

export interface Ran {
  readonly output: string
  readonly exitCode: number
}

/** Runs a container of an image behind Cove's back, to its end; `create` is what the engine's API takes besides. */
export async function runImage(scene: Scene, image: string, create: Fields = {}): Promise<Ran> {
  const body = { Image: image, Labels: { 'cove-test/owner': scene.cove.mark }, ...create, Tty: true }
  const { Id } = await scene.call('POST', '/containers/create', body)
  try {
    const started = await scene.raw.request('POST', `/containers/${Id}/start`)
    if (started.status !== 204) return { output: started.text, exitCode: -1 }
    const { StatusCode } = await scene.call('POST', `/containers/${Id}/wait`)
    const { text } = await scene.raw.request('GET', `/containers/${Id}/logs?stdout=1&stderr=1`)
    return { output: text.replaceAll('\r\n', '\n').trim(), exitCode: StatusCode }
  } finally {
    await scene.raw.request('DELETE', `/containers/${Id}?force=1&v=1`)
  }
}

/** What a shell of the image prints. */
export async function shell(scene: Scene, image: string, script: string): Promise<string> {
  const { output, exitCode } = await runImage(scene, image, {
    Entrypoint: ['/bin/sh', '-c', script],
    Cmd: null,
  })
  assert.equal(exitCode, 0, output)
  return output
}
