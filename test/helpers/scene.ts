/**
 * A namespace of one test in a running `cove up`: objects in few words, waiting for what should become of them,
 * and the engine's own view of it as an independent witness. Everything of it goes with the cove.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { findCondition } from '#pkg/apimachinery/meta.ts'
import { buildKind } from '#pkg/apis/build.ts'
import { containerKind } from '#pkg/apis/container.kind.ts'
import type { Container, ContainerStatus } from '#pkg/apis/container.ts'
import { configMapKind, namespaceKind, secretKind } from '#pkg/apis/core.ts'
import { eventKind } from '#pkg/apis/event.ts'
import { imageKind } from '#pkg/apis/image.ts'
import { anyKind, type Kind } from '#pkg/apis/kind.ts'
import { networkKind } from '#pkg/apis/network.ts'
import { collectionPath } from '#pkg/apis/paths.ts'
import { volumeKind } from '#pkg/apis/volume.ts'
import { decode, type TestCove } from './cove.ts'
import { baseImage, ensureBaseImage, mustRequest, type RawEngine } from './engine.ts'
import { eventually } from './eventually.ts'
import { tar } from './tar.ts'

export type Fields = Readonly<Record<string, unknown>>

const kindsByName = {
  Container: anyKind(containerKind),
  Volume: anyKind(volumeKind),
  Network: anyKind(networkKind),
  Image: anyKind(imageKind),
  Build: anyKind(buildKind),
  Secret: anyKind(secretKind),
  ConfigMap: anyKind(configMapKind),
} satisfies Record<string, Kind>

export type SceneKind = keyof typeof kindsByName

const noSignal = new AbortController().signal
const patience = { pauseMs: 40 }
/** Nothing in it hears SIGTERM, so nothing waits for it. */
const idle = { command: ['sleep', '86400'], terminationGracePeriodSeconds: 0 }

export class Scene {
  readonly cove: TestCove
  readonly raw: RawEngine
  readonly namespace: string

  constructor(cove: TestCove, namespace: string) {
    this.cove = cove
    this.raw = cove.raw
    this.namespace = namespace
  }

  /** What the engine calls an object of the namespace. */
  engineName(name: string): string {
    return `${this.namespace}.${name}`
  }

  async create(kind: SceneKind, name: string, fields: Fields = {}): Promise<void> {
    const { group, version } = kindsByName[kind]
    const { metadata = {}, ...rest } = decode(fields)
    const apiVersion = group === '' ? version : `${group}/${version}`
    const object = { apiVersion, kind, metadata: { name, namespace: this.namespace, ...metadata }, ...rest }
    const path = collectionPath(kindsByName[kind], this.namespace)
    const headers = { 'content-type': 'application/json' }
    await this.cove.client.json({ method: 'POST', path, headers, body: JSON.stringify(object) }, noSignal)
  }

  /** A Container of the base image that sleeps, changed by `spec`; a field that is undefined is left out. */
  async run(name: string, spec: Fields = {}, metadata: Fields = {}): Promise<void> {
    await this.create('Container', name, { metadata, spec: { image: baseImage, ...idle, ...spec } })
  }

  /** `run`, and waits until it is ready; resolves with the engine's id of it. */
  async running(name: string, spec: Fields = {}, metadata: Fields = {}): Promise<string> {
    await this.run(name, spec, metadata)
    return await this.ready(name)
  }

  async patch(kind: SceneKind, name: string, patch: Fields): Promise<void> {
    await this.cove.client.patch(kindsByName[kind], { namespace: this.namespace, name }, patch, noSignal)
  }

  async patchSpec(name: string, spec: Fields): Promise<void> {
    await this.patch('Container', name, { spec })
  }

  async delete(kind: SceneKind, name: string): Promise<void> {
    await this.cove.client.delete(kindsByName[kind], { namespace: this.namespace, name }, noSignal)
  }

  // biome-ignore lint/suspicious/noExplicitAny: tests look into objects of every shape
  async get(kind: SceneKind, name: string): Promise<any> {
    return decode(
      await this.cove.client.get(kindsByName[kind], { namespace: this.namespace, name }, noSignal),
    )
  }

  /** The Container once it was reported as it is now and `check` does not throw; a value is what status must contain. */
  async until(name: string, check: Fields | ((status: ContainerStatus) => void)): Promise<Container> {
    return await eventually(
      async () => {
        const at = { namespace: this.namespace, name }
        const container = await this.cove.client.get(containerKind, at, noSignal)
        const status = container.status ?? {}
        if (status.observedGeneration !== container.metadata.generation) throw new Error('not reported yet')
        try {
          if (typeof check === 'function') check(status)
          else assert.partialDeepStrictEqual(status, check)
        } catch (error) {
          throw new Error(`${String(error)}; status is ${JSON.stringify(status)}`, { cause: error })
        }
        return container
      },
      { ...patience, what: `Container ${name}` },
    )
  }

  /** Waits until it is ready and up to date; resolves with the engine's id of it. */
  async ready(name: string): Promise<string> {
    const { status } = await this.until(name, ({ conditions }) => {
      for (const type of ['Ready', 'UpToDate']) {
        const condition = findCondition(conditions, type)
        if (condition?.status !== 'True')
          throw new Error(`${type}: ${condition?.reason}: ${condition?.message}`)
      }
    })
    return status?.containerID ?? ''
  }

  /** Waits until another container than `id` is ready in its place; resolves with the engine's id of that. */
  async replaced(name: string, id: string): Promise<string> {
    await this.until(name, ({ containerID }) => assert.notEqual(containerID, id))
    return await this.ready(name)
  }

  /** Waits until the condition Ready is False for the reason; resolves with its message. */
  async notReady(name: string, reason: string): Promise<string> {
    const { status } = await this.until(name, ({ conditions }) => {
      const condition = findCondition(conditions, 'Ready')
      if (condition?.status !== 'False' || condition.reason !== reason)
        throw new Error(`Ready is ${condition?.status}: ${condition?.reason}: ${condition?.message}`)
    })
    return findCondition(status?.conditions, 'Ready')?.message ?? ''
  }

  /** Waits until the object is no more. */
  async gone(kind: SceneKind, name: string): Promise<void> {
    await eventually(
      async () => {
        const { items } = await this.cove.client.list(
          kindsByName[kind],
          { namespace: this.namespace, fieldSelector: `metadata.name=${name}` },
          noSignal,
        )
        if (items.length > 0) throw new Error(`it is still there: ${JSON.stringify(items[0])}`)
      },
      { ...patience, what: `${kind} ${name}` },
    )
  }

  /** The messages of the events about an object. */
  async messages(name: string): Promise<string[]> {
    const options = { namespace: this.namespace, fieldSelector: `involvedObject.name=${name}` }
    const { items } = await this.cove.client.list(eventKind, options, noSignal)
    return items.map(({ message = '' }) => message)
  }

  /** Waits until an event about the object contains the words. */
  async told(name: string, words: string): Promise<void> {
    await eventually(
      async () => {
        const messages = await this.messages(name)
        if (!messages.some((message) => message.includes(words)))
          throw new Error(`no "${words}" in:\n${messages.join('\n')}`)
      },
      { ...patience, what: `an event of ${name}` },
    )
  }

  /** The engine's own view of a container, by the name of its object or by its whole id; undefined when there is none. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  async inspect(name: string): Promise<any> {
    // Anything shorter the engine would also take as the beginning of somebody's id.
    const container = /^[0-9a-f]{64}$/.test(name) ? name : this.engineName(name)
    const answer = await this.raw.request('GET', `/containers/${container}/json`)
    if (answer.status === 404) return undefined
    if (answer.status !== 200) throw new Error(`inspect ${container}: ${answer.status} ${answer.text}`)
    return decode(answer.json())
  }

  /** Waits until the engine's view of a container contains what is expected; resolves with that view. */
  async sees(name: string, expected: Fields) {
    return await this.eventually(`the engine's ${name}`, async () => {
      const found = await this.inspect(name)
      assert.ok(found, 'there is no such container')
      assert.partialDeepStrictEqual(found, expected)
      return found
    })
  }

  /** Waits until the engine has no such container any more. */
  async vanished(name: string): Promise<void> {
    await this.eventually(`the end of container ${name}`, async () =>
      assert.equal(await this.inspect(name), undefined),
    )
  }

  /** One call behind Cove's back that must succeed. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  async call(method: string, path: string, body?: unknown): Promise<any> {
    return decode(await mustRequest(this.raw, method, path, body))
  }

  /** Waits until the check of the engine's state does not throw. */
  async eventually<T>(what: string, check: () => Promise<T>): Promise<T> {
    return await eventually(check, { ...patience, what })
  }

  /** What a command prints in a running container; fails when it exits with something other than 0. */
  async exec(name: string, command: readonly string[]): Promise<string> {
    const body = { AttachStdout: true, AttachStderr: true, Tty: true, Cmd: command }
    const { Id } = await this.call('POST', `/containers/${this.engineName(name)}/exec`, body)
    const started = await this.raw.request('POST', `/exec/${Id}/start`, { Detach: false, Tty: true })
    const { ExitCode } = await this.call('GET', `/exec/${Id}/json`)
    if (ExitCode !== 0) throw new Error(`${command.join(' ')} ended with ${ExitCode}: ${started.text}`)
    return started.text.replaceAll('\r\n', '\n').trim()
  }

  /** From now on, what happens to containers of the scene, in the engine's words: `create NAME`, oldest first. */
  async record(): Promise<{ readonly lines: readonly string[]; readonly stop: () => void }> {
    const lines: string[] = []
    const label = [`cove.run/namespace=${this.namespace}`]
    const filters = encodeURIComponent(JSON.stringify({ type: ['container'], label }))
    const stop = await this.raw.follow(`/events?filters=${filters}`, (line) => {
      const { Action, Actor } = decode(JSON.parse(line))
      lines.push(`${Action} ${Actor.Attributes['cove.run/name']}`)
    })
    return { lines, stop }
  }

  /** An image of the test's own: the base image and further lines of a Dockerfile. */
  async image(name: string, lines: readonly string[] = []): Promise<string> {
    const reference = `cove-test/${this.cove.mark}-${this.namespace}-${name}:1`
    const dockerfile = [`FROM ${baseImage}`, ...lines, ''].join('\n')
    const context = tar([{ name: 'Dockerfile', mode: 0o644, data: Buffer.from(dockerfile) }])
    const built = await this.raw.request('POST', `/build?t=${encodeURIComponent(reference)}`, context)
    if (built.status !== 200 || built.text.includes('"errorDetail"')) throw new Error(built.text)
    return reference
  }

  /** A container of nobody's, that goes with the test. */
  async stranger(name: string, body: Fields = {}): Promise<string> {
    const Labels = { 'cove-test/owner': this.cove.mark }
    const create = { Image: baseImage, Cmd: ['sleep', '86400'], Labels, ...body }
    const { Id } = await this.call('POST', `/containers/create?name=${name}`, create)
    await this.call('POST', `/containers/${Id}/start`)
    return Id
  }
}

/**
 * A scene in a cove; the namespace's name is its own, so that tests may run beside each other on one engine, and has the
 * cove's mark in it, so that images that are called by it go with the cove.
 */
export async function makeScene(
  cove: TestCove,
  name: string = `t-${cove.mark}${randomBytes(3).toString('hex')}`,
): Promise<Scene> {
  await ensureBaseImage(cove.engine)
  const namespace = { apiVersion: 'v1', kind: 'Namespace' as const, metadata: { name } }
  await cove.client.create(namespaceKind, namespace, noSignal)
  return new Scene(cove, name)
}
