/** Image objects of a scene: waiting for what should become of them, and the engine's own view of images as a witness. */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { findCondition } from '#pkg/apimachinery/meta.ts'
import { type Image, type ImageStatus, imageKind } from '#pkg/apis/image.ts'
import { baseImage } from './engine.ts'
import { eventually } from './eventually.ts'
import type { Fields, Scene } from './scene.ts'

const noSignal = new AbortController().signal
const patience = { pauseMs: 40 }

export async function createImage(
  scene: Scene,
  name: string,
  spec: Fields,
  metadata: Fields = {},
): Promise<void> {
  await scene.create('Image', name, { metadata, spec })
}

/** The Image once it was reported as it is now and `check` does not throw. */
export async function untilImage(
  scene: Scene,
  name: string,
  check: Fields | ((status: ImageStatus) => void),
): Promise<Image & { status: ImageStatus }> {
  return await eventually(
    async () => {
      const image = await scene.cove.client.get(imageKind, { namespace: scene.namespace, name }, noSignal)
      const status = image.status ?? {}
      if (status.observedGeneration !== image.metadata.generation) throw new Error('not reported yet')
      try {
        if (typeof check === 'function') check(status)
        else assert.partialDeepStrictEqual(status, check)
      } catch (error) {
        throw new Error(`${String(error)}; status is ${JSON.stringify(status)}`, { cause: error })
      }
      return { ...image, status }
    },
    { ...patience, what: `Image ${name}` },
  )
}

export async function imageReady(scene: Scene, name: string): Promise<ImageStatus> {
  const { status } = await untilImage(scene, name, ({ conditions, phase }) => {
    const ready = findCondition(conditions, 'Ready')
    if (ready?.status !== 'True' || phase !== 'Ready') throw new Error(`${ready?.reason}: ${ready?.message}`)
  })
  return status
}

/** Waits until the condition is False for the reason; resolves with its message. */
export async function imageFails(
  scene: Scene,
  name: string,
  reason: string,
  type: 'Ready' | 'Pushed' = 'Ready',
): Promise<string> {
  const { status } = await untilImage(scene, name, ({ conditions }) => {
    const found = findCondition(conditions, type)
    if (found?.status !== 'False' || found.reason !== reason)
      throw new Error(`${found?.reason}: ${found?.message}`)
  })
  return findCondition(status.conditions, type)?.message ?? ''
}

/** As the engine has it; undefined: there is none. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
export async function engineImage(scene: Scene, image: string): Promise<any> {
  const answer = await scene.raw.request('GET', `/images/${image}/json`)
  if (answer.status === 404) return undefined
  if (answer.status !== 200) throw new Error(answer.text)
  return answer.json()
}

/** Takes a name away behind Cove's back. */
export async function untag(scene: Scene, name: string): Promise<void> {
  await scene.call('DELETE', `/images/${name}`)
}

export async function tagAs(scene: Scene, image: string, name: string): Promise<void> {
  const colon = name.lastIndexOf(':')
  const [repo, tag] = [name.slice(0, colon), name.slice(colon + 1)]
  await scene.call('POST', `/images/${image}/tag?repo=${repo}&tag=${tag}`)
}

/** An image of its own, with as many further layers as there are `files`, in the registry only. */
export async function pushed(
  scene: Scene,
  registry: { push(host: string, image: string, name: string): Promise<string> },
  repositoryAndTag: string,
  files: readonly string[] = [],
): Promise<string> {
  const name = repositoryAndTag.replace(/[^a-z0-9]+/g, '-')
  // Of its own content, too: the engine has one image of each.
  const own = `${scene.namespace}-${name}`
  const lines = files.map((text) => `RUN ["/bin/sh", "-c", "echo ${own} > /made-${text}"]`)
  const built = files.length === 0 ? baseImage : await scene.image(name, lines)
  const reference = await registry.push(scene.cove.engine, built, `${scene.cove.mark}/${repositoryAndTag}`)
  if (built !== baseImage) await untag(scene, built)
  return reference
}

/** What docker save writes of an image, and what docker export writes of a container. */
export async function saved(scene: Scene, image: string): Promise<Uint8Array> {
  return await bytesOf(scene, `/images/${image}/get`)
}

export async function exported(scene: Scene, container: string): Promise<Uint8Array> {
  return await bytesOf(scene, `/containers/${container}/export`)
}

async function bytesOf(scene: Scene, path: string): Promise<Uint8Array> {
  const { status, bytes } = await scene.raw.request('GET', path)
  assert.equal(status, 200)
  return bytes
}

export interface FileServer {
  /** `http://127.0.0.1:PORT` */
  readonly base: string
  /** Paths that were asked for. */
  readonly asked: readonly string[]
  close(): Promise<void>
}

type Answer =
  | { readonly body: Uint8Array; readonly cutAt?: number }
  | { readonly redirect: string }
  | { readonly status: number }

/** Serves files as `answers` says by path; others are not found. */
export async function serveFiles(answers: Readonly<Record<string, Answer>>): Promise<FileServer> {
  const asked: string[] = []
  const server = createServer((request, response) => {
    const path = request.url ?? ''
    asked.push(path)
    const answer = answers[path] ?? { status: 404 }
    if ('redirect' in answer) response.writeHead(302, { location: answer.redirect }).end()
    else if ('status' in answer) response.writeHead(answer.status).end()
    else {
      response.writeHead(200, { 'content-length': answer.body.length })
      if (answer.cutAt === undefined) response.end(answer.body)
      else response.write(answer.body.subarray(0, answer.cutAt), () => response.destroy())
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    base: `http://127.0.0.1:${address.port}`,
    asked,
    close: async () => {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
