/** `cove build` and what tells of Builds, as processes against a real engine: on pipes, on a terminal, exit codes. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { objectPath } from '#pkg/apis/paths.ts'
import { builtinResource } from '#pkg/cli/resources.ts'
import { program, sharedCove } from '#test/helpers/cove.ts'
import { baseImage } from '#test/helpers/engine.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { environment, ok, oneByOne, run, terminal } from '#test/helpers/lines.ts'
import { startRegistry } from '#test/helpers/registry.ts'
import type { Scene } from '#test/helpers/scene.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'

const cove = sharedCove(test)
const titled = oneByOne(test, cove)

interface Files {
  readonly [path: string]: string
}

/** A folder with these files; `FROM IMAGE` is the image of the tests. */
async function folder(t: ExecutionContext, files: Files): Promise<string> {
  const root = await makeTempDir(t, 'build')
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(root, name, '..'), { recursive: true })
    await writeFile(join(root, name), dockerfile(text))
  }
  return root
}

/** What earlier runs of these tests have left in the engine's cache is not theirs: `RUN!` was never run before. */
const unique = randomBytes(6).toString('hex')
const dockerfile = (text: string) =>
  text.replaceAll('IMAGE', baseImage).replaceAll('RUN!', `RUN : ${unique};`)

async function buildOf({ cove: { client }, namespace }: Scene, name: string) {
  const path = objectPath(builtinResource('Build'), { namespace, name })
  // Of this resource the server has nothing else.
  const object = await client.json({ method: 'GET', path }, new AbortController().signal)
  return object as { status: Record<string, unknown> & { image?: { id: string }; attempt?: number } }
}

const manifest = (more = '', name = 'web') => `apiVersion: cove.run/v1
kind: Build
metadata:
  name: ${name}
spec:
  context:
    path: .
${more}`

titled(
  'a manifest is applied and its steps shown, each line once; nothing is built twice',
  async (t, scene) => {
    const root = await folder(t, {
      'build.yaml': manifest(),
      Dockerfile: 'FROM IMAGE\nRUN! echo one && echo two >&2\nCOPY a.txt /a.txt\n',
      'a.txt': 'a',
    })
    const first = await run(scene, `build -f ${root}/build.yaml --follow`)
    assert.equal(first.code, 0, first.stderr)
    const lines = first.stdout.trimEnd().split('\n')
    assert.equal(lines[0], 'build.cove.run/web created')
    for (const expected of ['#2 one', '#2 two', '[3/3] COPY a.txt /a.txt'])
      assert.equal(lines.filter((line) => line === expected).length, 1, first.stdout)
    assert.match(first.stdout, /\[2\/3\] (DONE \d+\.\ds|CACHED)\n/)
    assert.match(first.stdout, /\nSuccessfully built [0-9a-f]{12} \(attempt 1 in .*\)\n/)
    assert.match(first.stdout, new RegExp(`\nSuccessfully tagged localhost/${scene.namespace}/web:latest\n$`))
    const again = await ok(scene, `build -f ${root}/build.yaml`)
    assert.match(
      again,
      /^build.cove.run\/web unchanged\nbuild\/web is up to date: [0-9a-f]{12}, built by attempt 1/,
    )
    await writeFile(join(root, 'a.txt'), 'b')
    assert.match(
      await ok(scene, `build -f ${root}/build.yaml`),
      /attempt 2: a\.txt changed\n[\s\S]*\[2\/3\] CACHED\n/,
    )
    assert.match(await ok(scene, 'why build/web'), /because a\.txt changed\./)
    const { status } = await buildOf(scene, 'web')
    const id = await ok(scene, 'build web -q')
    assert.match(id, /^sha256:[0-9a-f]{64}\n$/)
    assert.equal((await buildOf(scene, 'web')).status.attempt, 3)
    assert.equal(status.attempt, 2)
    assert.match(await ok(scene, 'build build/web --no-cache'), /#2 one\n/)
    await ok(scene, 'wait --for=condition=Ready build/web')
    await ok(scene, `apply -f ${root}/build.yaml --wait`)
  },
)

titled('on a terminal each step has a line, and what runs shows what it wrote last', async (t, scene) => {
  const root = await folder(t, {
    Dockerfile: `FROM IMAGE\nRUN echo ${scene.namespace}; sleep 1; echo second\nRUN echo wrong; exit 7\n`,
  })
  const { output, code, restored } = await terminal(scene, `build --name live ${root}`, [])
  assert.equal(code, 1, output)
  assert.ok(restored)
  const plain = output.replaceAll('\r', '').replaceAll('\u001b[', '<')
  assert.match(plain, /\[2\/3\] RUN echo [^\n]* 0\.\ds\n {4}t-[^\n]*\n/)
  assert.match(plain, /<\d+A<J\[2\/3\] RUN echo [^\n]* [1-9]\.\ds\n/)
  assert.match(plain, /\[3\/3\] RUN echo wrong; exit 7 +FAILED \d+\.\ds\n/)
  const [, told = ''] = plain.split('error: ')
  assert.equal(
    told,
    `build/live: step 3, RUN echo wrong; exit 7: exit code 7 (Dockerfile:3)
The last it wrote:
  wrong
Dockerfile:3
    1 | FROM ${baseImage}
    2 | RUN echo ${scene.namespace}; sleep 1; echo second
  > 3 | RUN echo wrong; exit 7
`,
  )
})

titled(
  'Builds of one manifest are shown beside each other; a log is waited for until it begins',
  async (t, scene) => {
    const of = (name: string) => manifest(`  dockerfile: Dockerfile.${name}\n`, name)
    const root = await folder(t, {
      'build.yaml': `${of('good')}---\n${of('bad')}`,
      'late.yaml': of('late'),
      'Dockerfile.good': 'FROM IMAGE\nRUN! echo well\n',
      'Dockerfile.bad': 'FROM IMAGE\nRUN! echo sorry; exit 4\n',
      'Dockerfile.late': 'FROM IMAGE\nRUN! echo late\n',
    })
    const { code, stdout, stderr } = await run(scene, `build -f ${root}/build.yaml`)
    assert.equal(code, 1, stderr)
    for (const line of ['good | #2 well', 'bad  | #2 sorry', 'good | built', 'bad  | failed'])
      assert.equal(stdout.split('\n').filter((each) => each === line).length, 1, `${stdout}${stderr}`)
    assert.match(stdout, /\nSuccessfully built [0-9a-f]{12} .*\nSuccessfully tagged .*\/good:latest\n$/)
    assert.match(stderr, /error: build\/bad: step 2, .*: exit code 4 \(Dockerfile\.bad:2\)\n/)
    await ok(scene, `apply -f ${root}/late.yaml`)
    assert.match(
      await ok(scene, 'logs -f build/late'),
      /^attempt 1: [\s\S]*\n#2 late\n[\s\S]*\nbuilt sha256:/,
    )
  },
)

titled('what failed is tried again by whoever asks, and is told by every look', async (t, scene) => {
  const root = await folder(t, { Dockerfile: 'FROM IMAGE\nRUN echo sorry; exit 4\n' })
  const failed = await run(scene, `build --name bad ${root}`)
  assert.equal(failed.code, 1)
  assert.match(failed.stdout, /#2 sorry\n\[2\/2\] FAILED/)
  assert.match(failed.stderr, /error: build\/bad: step 2, .*: exit code 4 \(Dockerfile:2\)\nDockerfile:2\n/)
  assert.equal((await run(scene, `build --name bad ${root}`)).code, 1)
  assert.equal((await buildOf(scene, 'bad')).status.attempt, 2)
  assert.match(await ok(scene, 'logs build/bad'), /^attempt 2: [\s\S]*#2 sorry\n[\s\S]*failed: /)
  assert.match(await ok(scene, 'logs -p --timestamps build/bad'), /^\d{4}-[^ ]+Z attempt 1: /)
  assert.equal((await run(scene, 'logs --attempt 9 build/bad')).code, 1)
  const described = await ok(scene, 'describe build bad')
  assert.match(
    described,
    /Steps of attempt 2 [\s\S]*Failed .*RUN echo sorry; exit 4\nFailure:\n {2}StepFailed: /,
  )
  assert.match(described, /History:\n {2}ATTEMPT .*\n {2}2 +Failed [\s\S]*\n {2}1 +Failed /)
  const why = await ok(scene, 'why build/bad')
  assert.match(why, /^build .*\/bad is not ready: StepFailed/)
  assert.match(why, /Next: +It is not built again before an input moves; cove build bad asks for it now\./)
  const waited = await run(scene, 'wait --for=condition=Ready build/bad')
  assert.equal(waited.code, 1)
  assert.match(waited.stderr, /error: builds\/bad: step 2/)
  await writeFile(join(root, 'build.yaml'), manifest('', 'bad'))
  const applied = await run(scene, `apply -f ${root}/build.yaml --wait`)
  assert.equal(applied.code, 1)
  const told = /builds\/bad: step 2: [^\n]*code: 4\nThe last it wrote:\n {2}sorry\nDockerfile:2\n/
  assert.match(applied.stderr, told)
})

titled('a Dockerfile or an archive comes from standard input, as of docker build', async (t, scene) => {
  const text = dockerfile('FROM IMAGE\nRUN! echo from stdin\n')
  assert.match(await ok(scene, 'build --name text -', text), /#2 from stdin\n/)
  const root = await folder(t, {
    Dockerfile: 'FROM IMAGE\nCOPY a.txt /a.txt\nRUN! cat /a.txt\n',
    'a.txt': 'packed',
  })
  const words = ['build', '-n', scene.namespace, '--name', 'packed', '-']
  for (const flag of ['', 'z']) {
    const archive = execFileSync('tar', [`c${flag}`, '-C', root, '.'])
    const child = spawn(process.execPath, [program, ...words, '--no-cache'], { env: environment(cove()) })
    child.stdin.end(archive)
    let output = ''
    child.stdout.on('data', (data) => {
      output += data
    })
    child.stderr.on('data', (data) => {
      output += data
    })
    const [code] = await once(child, 'close')
    assert.equal(code, 0, output)
    assert.match(output, /#3 packed\n/)
  }
  assert.match(
    await ok(scene, `build --name both -f - ${root}`, dockerfile('FROM IMAGE\nCOPY a.txt /b\nRUN! cat /b\n')),
    /#3 packed\n/,
  )
  const refused = await run(scene, 'build --name none -', `${text}COPY a.txt /\n`)
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, /a\.txt/)
})

titled('files come out of the image, and its id into a file', async (t, scene) => {
  const root = await folder(t, {
    Dockerfile: 'FROM IMAGE\nRUN mkdir /out && echo made > /out/a && echo more > /out/b\n',
  })
  const words = `build --name out --output /out/a=${root}/here/a --output /out=${root}/all --iidfile ${root}/id -q ${root}`
  const id = await ok(scene, words)
  assert.equal(await readFile(join(root, 'here/a'), 'utf8'), 'made\n')
  assert.equal(await readFile(join(root, 'all/b'), 'utf8'), 'more\n')
  assert.equal(`${await readFile(join(root, 'id'), 'utf8')}\n`, id)
  const left = await ok(scene, 'get containers -o name')
  assert.equal(left, '')
})

titled('--push is waited for, and told with what the registry calls it', async (t, scene) => {
  const registry = await startRegistry()
  t.teardown(() => registry.stop())
  const root = await folder(t, { Dockerfile: 'FROM IMAGE\nLABEL pushed=yes\n' })
  const reference = `${registry.address}/${scene.cove.mark}/pushed:1`
  const output = await ok(scene, `build --push -t ${reference} ${root}`)
  assert.match(output, new RegExp(`\\nPushed ${reference}: sha256:[0-9a-f]{64}\\n$`))
  const answer = await fetch(`http://${registry.address}/v2/${scene.cove.mark}/pushed/manifests/1`)
  assert.equal(answer.status, 200)
})

titled(
  'an input that moves while it builds breaks that attempt off, and the next one is shown',
  async (t, scene) => {
    const root = await folder(t, { Dockerfile: `FROM IMAGE\nRUN echo ${scene.namespace} old; sleep 300\n` })
    const words = ['build', '-n', scene.namespace, '--name', 'moved', root]
    const child = spawn(process.execPath, [program, ...words], { env: environment(cove()) })
    let output = ''
    child.stdout.on('data', (data) => {
      output += data
    })
    await eventually(() => assert.match(output, /#2 .* old\n/), { timeoutMs: 40_000 })
    await writeFile(join(root, 'Dockerfile'), dockerfile('FROM IMAGE\nRUN! echo new\n'))
    await ok(scene, `build --name moved --detach ${root}`)
    const [code] = await once(child, 'close')
    assert.equal(code, 0, output)
    assert.match(
      output,
      /\[2\/2\] (CANCELED|FAILED)[\s\S]*attempt 2: [\s\S]*#2 new\n[\s\S]*Successfully built/,
    )
  },
)

titled('Ctrl-C leaves a build going, cancel breaks it off', async (t, scene) => {
  const root = await folder(t, { Dockerfile: `FROM IMAGE\nRUN echo ${scene.namespace}; sleep 300\n` })
  const { output, code } = await terminal(scene, `build --name long ${root}`, [
    { after: 'sleep 300', type: '\u0003' },
  ])
  assert.equal(code, 130, output)
  assert.match(output, /build\/long goes on: `cove logs -f build\/long` shows it/)
  const words = ['build', 'cancel', 'long', '-n', scene.namespace]
  const canceled = await scene.cove.cli(words)
  assert.equal(canceled.stdout, 'build.cove.run/long canceled\n', canceled.stderr)
  assert.equal((await scene.cove.cli(words)).code, 1)
  assert.equal((await buildOf(scene, 'long')).status['phase'], 'Canceled')
  assert.equal(await ok(scene, 'build long --detach'), 'build.cove.run/long requested\n')
  await eventually(async () => {
    assert.equal((await buildOf(scene, 'long')).status['phase'], 'Building')
  })
  const again = await scene.cove.cli(words)
  assert.equal(again.code, 0, again.stderr)
})

titled('--watch builds again whenever a file has changed, until Ctrl-C', async (t, scene) => {
  const root = await folder(t, {
    Dockerfile: 'FROM IMAGE\nCOPY a.txt /a.txt\nRUN! cat /a.txt\n',
    'a.txt': 'first',
  })
  const words = ['build', '-n', scene.namespace, '--name', 'watched', '--watch', root]
  const child = spawn(process.execPath, [program, ...words], { env: environment(cove()) })
  t.teardown(() => child.kill('SIGKILL'))
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data) => {
      output += data
    })
  const says = (text: string) =>
    eventually(async () => assert.ok(output.includes(text), output), { timeoutMs: 40_000, pauseMs: 100 })
  await says('Waiting for changes')
  await writeFile(join(root, 'a.txt'), 'second')
  await says('#3 second\n')
  await writeFile(join(root, 'Dockerfile'), 'FROM\n')
  await says('Dockerfile changed\n')
  await writeFile(join(root, 'Dockerfile'), dockerfile('FROM IMAGE\nRUN! echo third\n'))
  await says('#2 third\n')
  child.kill('SIGINT')
  const [code] = await once(child, 'close')
  assert.equal(code, 0, output)
})

titled('a folder to begin with builds as it is', async (t, scene) => {
  const root = await folder(t, {})
  const begun = await scene.cove.cli(['init', 'build', `${root}/begun`])
  assert.match(begun.stdout, /build\.yaml written\n/)
  await ok(scene, `build -f ${root}/begun/build.yaml`)
  const { stdout } = await scene.cove.cli(['init', 'build', `${root}/begun`])
  assert.match(stdout, /Dockerfile is there already/)
  await ok(scene, `build -t ${scene.cove.mark}/flags:1 --name flags ${root}/begun`)
  const refused = await run(scene, `build --name begun ${root}`)
  assert.equal(refused.code, 1)
})

titled('what is wrong is told before anything is sent, with its exit code', async (t, scene) => {
  const root = await folder(t, { Dockerfile: 'FROM IMAGE\nCOPPY a /\n', 'build.yaml': manifest() })
  const wrong = await run(scene, `build -f ${root}/build.yaml`)
  assert.equal(wrong.code, 1)
  assert.match(wrong.stderr, /line 2.*COPPY[\s\S]*COPY/i)
  assert.equal((await run(scene, 'build')).code, 2)
  assert.equal((await run(scene, 'build --squash 1 .')).code, 2)
  assert.equal((await run(scene, 'build not-there')).code, 1)
  assert.equal((await run(scene, `build -f ${root}/none.yaml`)).code, 1)
  assert.equal(await ok(scene, 'get builds'), '')
})
