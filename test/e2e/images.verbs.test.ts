/** The verbs for images on nodes, against docker's own client and the API of the engine beside Cove. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import test, { type ExecutionContext } from 'ava'
import { decode, startCove, type TestCove } from '#test/helpers/cove.ts'
import { baseImage } from '#test/helpers/engine.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { collect, type Output } from '#test/helpers/kubectl.ts'
import { startPrivateEngine } from '#test/helpers/private-engine.ts'
import { makeScene, type Scene } from '#test/helpers/scene.ts'

const endings: (() => Promise<void>)[] = []
let shared: TestCove | undefined

/** What is told of all images of an engine is compared: nobody else may make any meanwhile. */
test.before(async () => {
  const teardown = (end: () => Promise<void>) => void endings.unshift(end)
  const engine = await startPrivateEngine({ teardown })
  shared = await startCove({ teardown }, { engine: engine.host })
})

test.after.always(async () => {
  for (const end of endings) await end()
})

function cove(): TestCove {
  if (shared === undefined) throw new Error('cove is not started yet')
  return shared
}

interface World {
  readonly t: ExecutionContext
  readonly scene: Scene
  /** A repository of this test alone. */
  readonly repository: string
  readonly run: (...words: readonly string[]) => Promise<Output>
  /** One that must succeed; resolves with its output. */
  readonly ok: (...words: readonly string[]) => Promise<string>
  /** Docker's own client. */
  readonly docker: (...words: readonly string[]) => Promise<string>
  /** An image of the repository, newer than all before; its id. */
  readonly build: (tag: string, lines?: readonly string[]) => Promise<string>
}

function titled(title: string, body: (world: World) => Promise<void>): void {
  test.serial(title, async (t) => {
    const scene = await makeScene(cove())
    const repository = `cove-test/${cove().mark}-${scene.namespace}`
    const run = (...words: readonly string[]) => {
      const [first = '', ...rest] = words
      const group = first === 'image' || first === 'system' ? rest.splice(0, 1) : []
      return cove().cli([first, ...group, '-n', scene.namespace, ...rest])
    }
    const ok = async (...words: readonly string[]) => {
      const { code, stdout, stderr } = await run(...words)
      t.is(code, 0, `cove ${words.join(' ')}: ${stderr}`)
      return stdout
    }
    const docker = async (...words: readonly string[]) => {
      const env = { PATH: process.env['PATH'], DOCKER_HOST: cove().engine }
      const { code, stdout, stderr } = await collect(spawn('docker', words, { env }), '')
      assert.equal(code, 0, `docker ${words.join(' ')}: ${stderr}`)
      return stdout
    }
    let step = 0
    const build = async (tag: string, lines: readonly string[] = []) => {
      const built = await scene.image(`b${step++}`, [...lines, `LABEL step=${step} of=${scene.namespace}`])
      await scene.call('POST', `/images/${built}/tag?repo=${repository}&tag=${tag}`)
      await scene.call('DELETE', `/images/${built}`)
      return String((await scene.call('GET', `/images/${repository}:${tag}/json`)).Id)
    }
    await body({ t, scene, repository, run, ok, docker, build })
  })
}

const sortedLines = (text: string) => text.trimEnd().split('\n').filter(Boolean).toSorted()
const short = (id: string) => id.slice('sha256:'.length).slice(0, 12)

titled(
  'images are listed as docker lists them, name by name',
  async ({ t, repository, ok, docker, build, scene }) => {
    const id = await build('1')
    await ok('tag', `${repository}:1`, `${repository}:also`)
    await build('2')
    const format = '{{.Repository}} {{.Tag}} {{.ID}} {{.Size}} {{.Digest}}'
    for (const words of [
      [repository],
      [`${repository}:1`],
      [`${repository}:*`],
      ['-f', `reference=${repository}:[a1]*`],
    ])
      for (const more of [[], ['--no-trunc']]) {
        const args = [...words, ...more, '--format', format]
        t.deepEqual(
          sortedLines(await ok('images', ...args)),
          sortedLines(await docker('images', ...args)),
          args.join(' '),
        )
      }
    const [header = '', ...rows] = (await ok('image', 'ls', repository)).trimEnd().split('\n')
    t.deepEqual(header.split(/ {2,}/), ['REPOSITORY', 'TAG', 'IMAGE ID', 'CREATED', 'SIZE'])
    t.is(rows.length, 3)
    t.is(rows.filter((row) => row.includes(short(id))).length, 2)
    t.deepEqual(sortedLines(await ok('images', '-q', repository)).length, 2, 'an id is told once')
    const wide = (await ok('images', '-o', 'wide', repository)).split('\n')[0] ?? ''
    t.regex(wide, /NODE +IN USE +LAST USED$/)
    const all: { Id: string }[] = decode(await scene.call('GET', '/images/json?all=1'))
    const told = await ok('images', '-aq', '--no-trunc')
    t.deepEqual(sortedLines(told), all.map(({ Id }) => Id).toSorted())
  },
)

titled('filters choose what docker chooses', async ({ t, repository, ok, docker, build }) => {
  await build('1', ['LABEL com.example.version=0.1'])
  await build('2')
  await build('3', ['LABEL com.example.version=0.2'])
  const own = ['-f', `reference=${repository}`]
  for (const filter of [
    [`since=${repository}:1`],
    [`before=${repository}:3`],
    [`since=${repository}:1`, `before=${repository}:3`],
    ['label=com.example.version'],
    ['label=com.example.version=0.1'],
    ['label=com.example.version', 'label=step=3'],
    ['dangling=false'],
    ['dangling=true'],
  ]) {
    const words = [...own, ...filter.flatMap((each) => ['-f', each]), '--format', '{{.Repository}}:{{.Tag}}']
    t.deepEqual(
      sortedLines(await ok('images', ...words)),
      sortedLines(await docker('images', ...words)),
      words.join(' '),
    )
  }
  t.deepEqual(sortedLines(await ok('images', ...own, '-f', `since=${repository}:1`, '-o', 'name')), [
    `${repository}:2`,
    `${repository}:3`,
  ])
})

titled('an image that lost its name is dangling, and one that others are made of is not', async (world) => {
  const { t, scene, repository, run, ok, docker, build } = world
  const old = await build('1')
  const { Parent } = await scene.call('GET', `/images/${old}/json`)
  await build('1')
  const dangling = sortedLines(await ok('images', '-q', '--no-trunc', '-f', 'dangling=true'))
  t.true(dangling.includes(old))
  t.true(!dangling.includes(Parent))
  t.deepEqual(dangling, sortedLines(await docker('images', '-q', '--no-trunc', '-f', 'dangling=true')))
  // The base is what all of them are made of, and has a name besides.
  const child = await build('2', ['RUN true'])
  const { Parent: between } = await scene.call('GET', `/images/${child}/json`)
  const refused = await run('rmi', '--force', between)
  t.is(refused.code, 1)
  t.regex(refused.stderr, /^Error from server \(HasChildren\)/)
  t.regex(await ok('rmi', `${repository}:2`), new RegExp(`Deleted: ${between}`))
})

titled(
  'an image is named by its name, digest, id, or any beginning of it that fits only one',
  async (world) => {
    const { t, repository, run, ok, build } = world
    const id = await build('1')
    const digits = id.slice('sha256:'.length)
    for (const word of [id, digits, digits.slice(0, 12), `${repository}:1`, `sha256:${digits.slice(0, 20)}`])
      t.is((await ok('image', 'inspect', word, '--format', '{{.Id}}')).trim(), id, word)
    // Of seventeen ids two begin alike.
    const ids = [id]
    const alike = () => ids.find((one, at) => ids.slice(at + 1).some((other) => other[7] === one[7]))
    while (alike() === undefined) ids.push(await build(`${ids.length + 1}`))
    const { code, stderr } = await run('image', 'inspect', alike()?.[7] ?? '')
    t.is(code, 1)
    t.regex(stderr, /is the beginning of \d+ ids: [0-9a-f]{12}/)
    t.is((await run('image', 'inspect', `${repository}:none`)).code, 1)
  },
)

titled('inspect prints the words of the engine', async ({ t, scene, repository, ok, docker, build }) => {
  await build('1', ['ENV A=b', 'CMD ["sleep", "1"]'])
  const name = `${repository}:1`
  t.deepEqual(JSON.parse(await ok('image', 'inspect', name)), [
    await scene.call('GET', `/images/${name}/json`),
  ])
  for (const format of ['{{.Config.Cmd}}', '{{json .RootFS}}', '{{index .RepoTags 0}}', '{{.Config.Labels}}'])
    t.is(
      await ok('image', 'inspect', '--format', format, name),
      await docker('image', 'inspect', '--format', format, name),
    )
  t.is(await ok('image', 'inspect', '-o', 'jsonpath={.Config.Cmd[0]}', name), 'sleep')
})

titled('history has a row for each step, as docker has it', async ({ t, repository, ok, docker, build }) => {
  await build('1', ['ENV A=b', 'EXPOSE 80', 'RUN echo something > /file', 'CMD ["sleep"]'])
  const name = `${repository}:1`
  const format = '{{.ID}}|{{.CreatedBy}}|{{.Size}}|{{.Comment}}'
  for (const more of [[], ['--no-trunc']]) {
    const words = [name, '--format', format, ...more]
    t.is(await ok('history', ...words), await docker('history', ...words))
  }
  t.is(await ok('history', '-q', name), await docker('history', '-q', name))
  const [header = ''] = (await ok('image', 'history', name)).split('\n')
  t.deepEqual(header.split(/ {2,}/), ['IMAGE', 'CREATED', 'CREATED BY', 'SIZE', 'COMMENT'])
})

titled(
  'names are removed one by one, and the image with its last one',
  async ({ t, repository, run, ok, build, scene }) => {
    const id = await build('1')
    await ok('tag', `${repository}:1`, `${repository}:2`)
    const { code, stdout, stderr } = await run('image', 'rm', `${repository}:1`, `${repository}:none`)
    t.is(code, 1)
    t.is(stdout, `Untagged: ${repository}:1\n`)
    t.regex(stderr, /No such image: .*:none/)
    const gone = sortedLines(await ok('rmi', `${repository}:2`))
    t.true(gone.includes(`Untagged: ${repository}:2`))
    t.true(gone.includes(`Deleted: ${id}`))
    t.is((await scene.raw.request('GET', `/images/${id}/json`)).status, 404)
  },
)

titled(
  'by id an image with names of several repositories goes only by force',
  async ({ t, repository, run, ok, build }) => {
    const id = await build('1')
    await ok('image', 'tag', id, `${repository}-other:1`)
    const refused = await run('rmi', id)
    t.is(refused.code, 1)
    t.regex(refused.stderr, /has several names: .*--force/)
    const forced = sortedLines(await ok('rmi', '-f', id))
    t.is(forced.filter((line) => line.startsWith('Untagged: ')).length, 2)
    t.true(forced.includes(`Deleted: ${id}`))
  },
)

titled(
  'an image in use stays, and whoever uses it is named',
  async ({ t, scene, repository, run, ok, build }) => {
    const id = await build('1')
    await scene.running('web', { image: `${repository}:1`, command: ['sleep', '86400'] })
    const refused = await run('rmi', `${repository}:1`)
    t.is(refused.code, 1)
    t.regex(refused.stderr, new RegExp(`is used by container ${scene.namespace}/web \\(running\\)`))
    t.is((await run('rmi', '-f', id)).code, 1)
    t.is((await ok('images', '--format', '{{.Containers}}', repository)).trim(), '1')
  },
)

titled('a listing feeds a removal', async ({ t, repository, ok, build, scene }) => {
  const ids = [await build('1'), await build('2'), await build('3')]
  const older = sortedLines(
    await ok('images', '-q', '-f', `reference=${repository}`, '-f', `before=${repository}:3`),
  )
  t.is(older.length, 2)
  await ok('image', 'rm', ...older)
  await ok('image', 'rm', ...sortedLines(await ok('image', 'ls', '-q', repository)))
  for (const id of ids) t.is((await scene.raw.request('GET', `/images/${id}/json`)).status, 404)
  t.is((await scene.raw.request('GET', `/images/${baseImage}/json`)).status, 200)
})

titled('the use of the disk is that of docker system df', async ({ t, scene, ok, docker }) => {
  const format = '{{.Type}}|{{.TotalCount}}|{{.Active}}|{{.Size}}|{{.Reclaimable}}'
  t.is(await ok('system', 'df', '--format', format), await docker('system', 'df', '--format', format))
  const [header = '', ...rows] = (await ok('df')).trimEnd().split('\n')
  t.deepEqual(header.split(/ {2,}/), ['TYPE', 'TOTAL', 'ACTIVE', 'SIZE', 'RECLAIMABLE'])
  t.is(rows.length, 4)
  await scene.create('Volume', 'data')
  await scene.running('web', {
    image: baseImage,
    mounts: [{ volume: 'data', mountPath: '/data' }],
  })
  const lists = await ok('df', '-v')
  t.regex(lists, new RegExp(`container ${scene.namespace}/web`))
  t.regex(lists, new RegExp(`volume ${scene.namespace}/data`))
})

titled(
  'a commit says what is mounted, and the history has one step more',
  async ({ t, scene, repository, run, ok }) => {
    await scene.create('Volume', 'data')
    const command = ['sh', '-c', 'echo kept > /kept; sleep 86400']
    await scene.running('web', {
      command,
      mounts: [{ volume: 'data', mountPath: '/data' }],
    })
    const { code, stdout, stderr } = await run('commit', 'web', `${repository}:kept`, '-a', 'me', '-m', 'why')
    t.is(code, 0)
    t.regex(stdout, /^sha256:[0-9a-f]{64}\n$/)
    t.is(stderr, 'Warning: what is mounted at /data is not in the image\n')
    const steps = (await ok('history', '--format', '{{.Comment}}|', `${repository}:kept`))
      .trimEnd()
      .split('\n')
    const before = (await ok('history', '-q', baseImage)).trimEnd().split('\n')
    t.deepEqual([steps.length, steps[0]], [before.length + 1, 'why|'])
    t.is(
      (await ok('image', 'inspect', '--format', '{{.Author}}|{{.Comment}}', `${repository}:kept`)).trim(),
      'me|why',
    )
  },
)

titled('each verb has help, and the flat words mean the same', async ({ t, ok }) => {
  const pairs = {
    images: 'ls',
    rmi: 'rm',
    tag: 'tag',
    pull: 'pull',
    push: 'push',
    save: 'save',
    load: 'load',
    import: 'import',
    history: 'history',
  }
  for (const [flat, word] of Object.entries(pairs)) {
    const help = await ok('image', word, '--help')
    t.is(await ok(flat, '--help'), help)
    t.regex(help, new RegExp(`cove image ${word} `))
  }
})

titled('a node tells of its engine what docker info tells', async ({ t, scene, ok, docker }) => {
  const version = await scene.call('GET', '/version')
  const text = await ok('describe', 'node', cove().nodeName)
  for (const [field, value] of [
    ['storageDriver', (await docker('info', '--format', '{{.Driver}}')).trim()],
    ['version', version.Version],
    ['apiVersion', version.ApiVersion],
    ['kernel', version.KernelVersion],
  ])
    t.true(text.includes(`${field}: ${value}\n`), field)
  const counted = async () => {
    const fields = 'jsonpath={.status.engine.containers} {.status.engine.images}'
    const counts = await ok('get', 'node', cove().nodeName, '-o', fields)
    assert.equal(counts, (await docker('info', '--format', '{{.Containers}} {{.Images}}')).trim())
  }
  // As of the last time that the agent has looked at everything.
  await t.notThrowsAsync(eventually(counted, { timeoutMs: 60_000, pauseMs: 1000, what: 'the counts' }))
})
