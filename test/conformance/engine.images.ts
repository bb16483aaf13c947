/** The engine port's promises about images: where they come from, what they are called, how they go. */
import type { ExecutionContext } from 'ava'
import type { PullProgress } from '#pkg/engine/images.ts'
import {
  compress,
  editArchive,
  gather,
  layerPaths,
  makeRootfs,
  piecesOf,
} from '#test/helpers/imagearchive.ts'
import { tar } from '#test/helpers/tar.ts'
import {
  create,
  type EngineUnderTest,
  fails,
  makeVolumeCreate,
  mustInspect,
  never,
  run,
} from './enginesubject.ts'

type Body = (t: ExecutionContext, on: EngineUnderTest) => Promise<void>

/** Titles of promises about archives compressed so, for engines that cannot read them. */
export const aboutCompression = 'an archive may be compressed with bzip2 or xz'

interface Made {
  readonly id: string
  readonly reference: string
}

/** An image of its own with one layer, under a name of its own. */
async function make(on: EngineUnderTest, changes: readonly string[] = []): Promise<Made> {
  const reference = `${on.uniqueName()}:1`
  const options = { reference, changes, signal: never() }
  const { image } = await on.engine.importImage(piecesOf(makeRootfs(reference)), options)
  return { id: image, reference }
}

/** One with another layer upon it. */
async function makeChild(on: EngineUnderTest, base: Made): Promise<Made> {
  const container = await create(on, { image: base.id, cmd: ['/content'] })
  const reference = `${on.uniqueName()}:1`
  const { image } = await on.engine.commitContainer(container, {
    reference,
    changes: ['LABEL child=yes'],
    pause: false,
    signal: never(),
  })
  await on.engine.removeContainer(container, { anonymousVolumes: true })
  return { id: image, reference }
}

async function save(on: EngineUnderTest, ...images: readonly string[]): Promise<Buffer> {
  return await gather(await on.engine.saveImages(images, never()))
}

function load(on: EngineUnderTest, archive: Uint8Array) {
  return on.engine.loadImages(piecesOf(archive), { signal: never() })
}

function remove(on: EngineUnderTest, image: string, force = false) {
  return on.engine.removeImage(image, { force })
}

async function namesOf(on: EngineUnderTest, id: string): Promise<readonly string[] | undefined> {
  return (await on.engine.imageDetails(id))?.references
}

const registryOf = (reference: string) => reference.slice(0, reference.indexOf('/'))

export const imagePromises: Record<string, Body> = {
  async 'an image is imported with its settings, and says what it is'(t, on) {
    const { engine } = on
    const reference = `${on.uniqueName()}:1`
    const changes = ['CMD ["/content","x"]', 'ENV A=b', 'LABEL c=d', 'USER 12', 'EXPOSE 80']
    const options = { reference, changes, message: 'by hand', signal: never() }
    const { image } = await engine.importImage(piecesOf(makeRootfs(reference)), options)
    t.like(await engine.inspectImage(reference), {
      cmd: ['/content', 'x'],
      labels: { c: 'd' },
      user: '12',
      exposedPorts: ['80/tcp'],
    })
    const details = await engine.imageDetails(reference)
    t.like(details, { id: image, references: [reference], digests: [], parent: '', os: 'linux' })
    t.like(details?.config, { user: '12', cmd: ['/content', 'x'], exposedPorts: ['80/tcp'], onBuild: [] })
    t.is(details?.layers.length, 1)
    t.regex(details?.layers[0] ?? '', /^sha256:[0-9a-f]{64}$/)
    t.true((details?.sizeBytes ?? 0) > 0)
    const [step, ...more] = await engine.imageHistory(reference)
    t.like(step, { id: image, comment: 'by hand', tags: [reference] })
    t.deepEqual(more, [])
    t.like(await engine.rawImage(image), { Id: image, RepoTags: [reference] })
  },

  async 'an image is found by its name, its id and a beginning of that'(t, on) {
    const { id, reference } = await make(on)
    const bare = id.replace('sha256:', '')
    for (const name of [reference, id, bare, bare.slice(0, 20), `sha256:${bare.slice(0, 20)}`])
      t.is((await on.engine.imageDetails(name))?.id, id, name)
    const nobody = `${on.uniqueName()}:1`
    t.is(await on.engine.imageDetails(nobody), undefined)
    t.is(await on.engine.rawImage(nobody), undefined)
    await fails(t, 'NotFound', on.engine.imageHistory(nobody))
    await fails(t, 'NotFound', remove(on, nobody))
    await fails(t, 'NotFound', on.engine.saveImages([nobody], never()))
  },

  async 'an image without a name is one of the list all the same'(t, on) {
    const content = makeRootfs(on.uniqueName())
    const { image } = await on.engine.importImage(piecesOf(content), {
      changes: ['LABEL a=b'],
      signal: never(),
    })
    const listed = (await on.engine.listAllImages()).find(({ id }) => id === image)
    t.like(listed, { references: [], digests: [], labels: { a: 'b' }, parent: '' })
    t.deepEqual((await remove(on, image)).deleted[0], image)
    t.is(await on.engine.imageDetails(image), undefined)
  },

  async 'names go one by one, and the image with the last'(t, on) {
    const { id, reference } = await make(on)
    const second = `${on.uniqueName()}:2`
    await on.engine.tagImage(id, second)
    t.deepEqual(await remove(on, reference), { untagged: [reference], deleted: [] })
    t.deepEqual(await namesOf(on, id), [second])
    const last = await remove(on, second)
    t.deepEqual(last.untagged, [second])
    t.is(last.deleted[0], id)
    t.is(await on.engine.imageDetails(id), undefined)
  },

  async 'by its id an image of several repositories goes by force alone'(t, on) {
    const { id, reference } = await make(on)
    const second = `${on.uniqueName()}:1`
    await on.engine.tagImage(id, second)
    await fails(t, 'InUse', remove(on, id))
    t.deepEqual([...((await namesOf(on, id)) ?? [])].sort(), [reference, second].sort())
    const { untagged, deleted } = await remove(on, id, true)
    t.deepEqual([...untagged].sort(), [reference, second].sort())
    t.is(deleted[0], id)
  },

  async 'what a container uses stays, even when it has ended'(t, on) {
    const { id, reference } = await make(on)
    const container = await create(on, { image: reference, cmd: ['/content'] })
    await fails(t, 'InUse', remove(on, reference))
    await fails(t, 'InUse', remove(on, id))
    const second = `${on.uniqueName()}:1`
    await on.engine.tagImage(id, second)
    t.deepEqual(await remove(on, second), { untagged: [second], deleted: [] })
    await on.engine.removeContainer(container, { anonymousVolumes: true })
    t.is((await remove(on, reference)).deleted[0], id)
  },

  async 'what a running container uses is not even deleted by force'(t, on) {
    const child = await makeChild(on, { id: on.image, reference: on.image })
    const name = await run(on, { image: child.reference })
    await fails(t, 'InUse', remove(on, child.id, true))
    t.is((await mustInspect(on, name)).state, 'running')
    t.deepEqual(await namesOf(on, child.id), [child.reference])
  },

  async 'what images are made of stays, and is told of as their parent'(t, on) {
    const base = await make(on)
    const child = await makeChild(on, base)
    const listed = (await on.engine.listAllImages()).find(({ id }) => id === child.id)
    t.like(listed, { parent: base.id, labels: { child: 'yes' }, references: [child.reference] })
    t.is((await on.engine.imageDetails(child.id))?.parent, base.id)
    await fails(t, 'InUse', remove(on, base.id))
    await fails(t, 'InUse', remove(on, base.id, true))
    await remove(on, child.reference)
    t.is((await remove(on, base.reference)).deleted[0], base.id)
  },

  async 'what is saved is loaded as it was, names and all'(t, on) {
    const base = await make(on)
    const child = await makeChild(on, base)
    const [before, history] = [await on.engine.imageDetails(child.id), await on.engine.imageHistory(child.id)]
    const archive = await save(on, child.reference, base.reference)
    await remove(on, child.reference)
    await remove(on, base.reference)
    t.is(await on.engine.imageDetails(child.id), undefined)
    const { references, ids } = await load(on, archive)
    t.deepEqual([[...references].sort(), ids], [[base.reference, child.reference].sort(), []])
    const after = await on.engine.imageDetails(child.reference)
    t.deepEqual([after?.id, after?.layers], [before?.id, before?.layers])
    t.is((await on.engine.imageHistory(child.reference)).length, history.length)
    t.is((await load(on, archive)).references.length, 2)
  },

  async 'what is saved by its id has no name when it is loaded'(t, on) {
    const { id, reference } = await make(on)
    const archive = await save(on, id)
    await remove(on, reference)
    t.deepEqual(await load(on, archive), { references: [], ids: [id] })
    t.deepEqual(await namesOf(on, id), [])
    await remove(on, id)
  },

  async 'a layer that is there already may be missing in an archive, another one not'(t, on) {
    const base = await make(on)
    const child = await makeChild(on, base)
    const archive = await save(on, child.reference)
    const [lowest = ''] = await layerPaths(archive)
    const reduced = await editArchive(archive, (name, data) => (name === lowest ? undefined : data))
    t.true(reduced.length < archive.length)
    await remove(on, child.reference)
    t.deepEqual((await load(on, reduced)).references, [child.reference])
    t.is((await on.engine.imageDetails(child.reference))?.id, child.id)
    await remove(on, child.reference)
    await remove(on, base.reference)
    await fails(t, 'InvalidSpec', load(on, reduced))
    t.is(await on.engine.imageDetails(child.reference), undefined)
  },

  async 'an archive may be compressed with gzip'(t, on) {
    const { id, reference } = await make(on)
    const archive = compress('gzip', await save(on, reference))
    await remove(on, reference)
    t.deepEqual((await load(on, archive)).references, [reference])
    t.is((await on.engine.imageDetails(reference))?.id, id)
    const files = compress('gzip', makeRootfs(on.uniqueName()))
    const name = `${on.uniqueName()}:1`
    await on.engine.importImage(piecesOf(files), { reference: name, changes: [], signal: never() })
    t.is((await on.engine.imageDetails(name))?.layers.length, 1)
  },

  async [aboutCompression](t, on) {
    for (const program of ['bzip2', 'xz'] as const) {
      const { id, reference } = await make(on)
      const archive = compress(program, await save(on, reference))
      await remove(on, reference)
      t.deepEqual((await load(on, archive)).references, [reference], program)
      t.is((await on.engine.imageDetails(reference))?.id, id)
    }
  },

  async 'what is no archive of images is refused, and nothing gets its name'(t, on) {
    const { id, reference } = await make(on)
    const archive = await save(on, reference)
    const [layer = ''] = await layerPaths(archive)
    const other = (name: string, data: Buffer) => (name === layer ? Buffer.alloc(data.length, 'x') : data)
    await remove(on, reference)
    const bad: readonly (readonly [string, Uint8Array])[] = [
      ['nothing', new Uint8Array()],
      ['no tar', Buffer.alloc(4096, 'hello')],
      ['no image', tar([{ name: 'a', mode: 0o644, data: Buffer.from('b') }])],
      ['cut in its middle', archive.subarray(0, Math.floor(archive.length / 3))],
      ['a cut gzip', compress('gzip', archive).subarray(0, 300)],
      ['another layer', await editArchive(archive, other)],
    ]
    for (const [what, bytes] of bad) {
      const error: unknown = await t.throwsAsync(load(on, bytes), undefined, what)
      t.like(error, { reason: 'InvalidSpec' }, `${what}: ${error}`)
      t.regex(String(error), /the archive (is|holds|lacks|cannot)/, what)
      t.is(await on.engine.imageDetails(reference), undefined, what)
      t.is(await on.engine.imageDetails(id), undefined, what)
    }
  },

  async 'files that cannot be unpacked make no image'(t, on) {
    const reference = `${on.uniqueName()}:1`
    const options = { reference, changes: [], signal: never() }
    const cut = makeRootfs('x'.repeat(4096)).subarray(0, 1024)
    for (const bytes of [new Uint8Array(), Buffer.alloc(4096, 'hello'), cut])
      await fails(t, 'InvalidSpec', on.engine.importImage(piecesOf(bytes), options))
    const files = piecesOf(makeRootfs('a'))
    await fails(t, 'InvalidSpec', on.engine.importImage(files, { ...options, changes: ['FROM x'] }))
    t.is(await on.engine.imageDetails(reference), undefined)
  },

  async 'an archive that fails on its way, or is not wanted any more, makes no image'(t, on) {
    const reference = `${on.uniqueName()}:1`
    const broken = new Error('the disk it came from is gone')
    async function* breaking() {
      yield makeRootfs('a').subarray(0, 512)
      throw broken
    }
    const options = { reference, changes: [], signal: never() }
    t.is(await t.throwsAsync(on.engine.importImage(breaking(), options)), broken)
    t.is(await t.throwsAsync(on.engine.loadImages(breaking(), options)), broken)
    const reason = new Error('not wanted any more')
    const aborted = { ...options, signal: AbortSignal.abort(reason) }
    t.is(await t.throwsAsync(on.engine.importImage(piecesOf(makeRootfs('a')), aborted)), reason)
    t.is(await on.engine.imageDetails(reference), undefined)
  },

  async 'a push tells how it goes on and which digest it has, and can be pulled by that'(t, on) {
    const { id, reference } = await make(on)
    const repository = `${registryOf(on.pulls.open)}/${on.uniqueName()}`
    await on.engine.tagImage(id, `${repository}:1`)
    const seen: PullProgress[] = []
    const onProgress = (progress: PullProgress) => seen.push(progress)
    const { digest } = await on.engine.pushImage(`${repository}:1`, { onProgress, signal: never() })
    t.regex(digest, /^sha256:[0-9a-f]{64}$/)
    t.true(seen.some(({ state }) => state === 'Pushed'))
    t.deepEqual((await on.engine.imageDetails(id))?.digests, [`${repository}@${digest}`])
    await remove(on, `${repository}:1`)
    t.deepEqual((await on.engine.imageDetails(id))?.digests, [])
    await remove(on, reference)
    const pulled = `${repository}@${digest}`
    t.deepEqual(await on.engine.pullImage(pulled, { signal: never() }), { upToDate: false, digest })
    t.is((await on.engine.imageDetails(pulled))?.id, id)
    t.is((await remove(on, pulled)).deleted[0], id)
  },

  async 'a push that cannot be says why'(t, on) {
    const { id } = await make(on)
    const signal = never()
    const names = [on.pulls.protected, on.pulls.unreachable].map(
      (reference) => `${registryOf(reference)}/${on.uniqueName()}:1`,
    )
    const [secured = '', unreachable = ''] = names
    for (const name of names) await on.engine.tagImage(id, name)
    await fails(t, 'RegistryUnauthorized', on.engine.pushImage(secured, { signal }))
    await fails(t, 'RegistryUnavailable', on.engine.pushImage(unreachable, { signal }))
    const { account: credentials } = on.pulls
    t.regex((await on.engine.pushImage(secured, { signal, credentials })).digest, /^sha256:/)
    await fails(t, 'ImageNotFound', on.engine.pushImage(`${on.uniqueName()}:1`, { signal }))
    const reason = new Error('not wanted any more')
    const aborted = on.engine.pushImage(secured, { signal: AbortSignal.abort(reason), credentials })
    t.is(await t.throwsAsync(aborted), reason)
  },

  async 'a pull says whether what the name means is another image than before'(t, on) {
    const repository = `${registryOf(on.pulls.open)}/${on.uniqueName()}`
    const name = `${repository}:1`
    const pushNew = async () => {
      const { id } = await make(on)
      await on.engine.tagImage(id, name)
      return (await on.engine.pushImage(name, { signal: never() })).digest
    }
    const first = await pushNew()
    t.deepEqual(await on.engine.pullImage(name, { signal: never() }), { upToDate: true, digest: first })
    await remove(on, name)
    t.deepEqual(await on.engine.pullImage(name, { signal: never() }), { upToDate: false, digest: first })
  },

  async 'all tags of a repository are pulled at once'(t, on) {
    const repository = `${registryOf(on.pulls.open)}/${on.uniqueName()}`
    const made = [await make(on), await make(on)]
    const names = [`${repository}:1`, `${repository}:2`]
    for (const [index, name] of names.entries()) {
      await on.engine.tagImage(made[index]?.id ?? '', name)
      await on.engine.pushImage(name, { signal: never() })
      await remove(on, name)
    }
    const { upToDate } = await on.engine.pullImage(repository, { allTags: true, signal: never() })
    t.false(upToDate)
    for (const [index, name] of names.entries())
      t.is((await on.engine.imageDetails(name))?.id, made[index]?.id)
    const nobody = `${registryOf(on.pulls.open)}/${on.uniqueName()}`
    await fails(t, 'ImageNotFound', on.engine.pullImage(nobody, { allTags: true, signal: never() }))
  },

  async 'the engine counts what lies on its disk'(t, on) {
    const base = await make(on)
    const child = await makeChild(on, base)
    const container = await create(on, { image: child.reference, cmd: ['/content'] })
    const volume = makeVolumeCreate(on)
    await on.engine.createVolume(volume)
    const usage = await on.engine.diskUsage(never())
    t.true(usage.layersBytes > 0)
    const image = usage.images.find(({ id }) => id === child.id)
    t.is(image?.containers, 1)
    t.true((image?.sharedBytes ?? 0) > 0 && (image?.sharedBytes ?? 0) <= (image?.sizeBytes ?? 0))
    const written = usage.containers.find(({ name }) => name === container)
    t.like(written, { state: 'created', writtenBytes: 0 })
    t.like(
      usage.volumes.find(({ name }) => name === volume.name),
      { containers: 0, labels: volume.labels },
    )
  },

  async 'the engine says how many things it has, and how it treats registries'(t, on) {
    await create(on)
    const info = await on.engine.info()
    t.true(info.containers >= 1)
    t.true(info.images >= 1)
    t.true(info.registries.insecure.includes('127.0.0.0/8'))
    t.deepEqual(info.registries.mirrors, [])
  },
}
