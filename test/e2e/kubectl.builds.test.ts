/** Builds with the real kubectl alone, on a real engine: sets of objects in one file, asking, breaking off, waiting, deleting. */
import assert from 'node:assert/strict'
import test from 'ava'
import { build, built, makeBuildScene } from '#test/helpers/builds.ts'
import { decode, sharedCove } from '#test/helpers/cove.ts'
import { baseImage } from '#test/helpers/engine.ts'
import type { Fields, Scene } from '#test/helpers/scene.ts'

const cove = sharedCove(test)
const timeout = '--timeout=120s'

function kubectlOf({ namespace }: Scene) {
  const { run, ok } = cove().kubectl
  const within = (args: readonly string[]) => ['-n', namespace, ...args]
  return {
    ok: (args: readonly string[], input?: string) => ok(within(args), input),
    run: (args: readonly string[], input?: string) => run(within(args), input),
  }
}

function object(kind: string, name: string, fields: Fields) {
  const apiVersion = kind === 'Secret' ? 'v1' : 'cove.run/v1'
  return { apiVersion, kind, metadata: { name }, ...fields }
}

function buildText(name: string, dockerfile: string, spec: Fields = {}): string {
  return JSON.stringify(
    object('Build', name, { spec: { context: { empty: {} }, dockerfileInline: dockerfile, ...spec } }),
  )
}

/** A Container of what is built of a secret, files and what another Build makes; who needs another one comes before it. */
function shop(scene: Scene): string {
  const base = `${scene.namespace}/base:1`
  const items = [
    object('Container', 'web', {
      spec: { imageFrom: { build: 'app' }, command: ['sleep', '86400'], terminationGracePeriodSeconds: 0 },
    }),
    object('Build', 'app', {
      spec: {
        context: { inline: { files: { page: 'hello' } } },
        dockerfileInline: `FROM ${base}\nCOPY page /page\nRUN --mount=type=secret,id=t cat /run/secrets/t > /seen\n`,
        secrets: [{ id: 't', secret: 'token', key: 'value' }],
      },
    }),
    object('Build', 'base', {
      spec: {
        tags: [base],
        context: { empty: {} },
        dockerfileInline: `FROM ${baseImage}\nRUN echo b > /base\n`,
      },
    }),
    object('Secret', 'token', { data: { value: Buffer.from('swordfish').toString('base64') } }),
  ]
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items })
}

test.serial(
  'a set of objects comes to be from nothing in any order, and is not written to any more',
  async (t) => {
    const scene = await makeBuildScene(cove())
    const { ok, run } = kubectlOf(scene)
    const set = shop(scene)
    const apply = ['apply', '-f', '-']
    await ok(apply, set)
    await ok(['wait', '--for=condition=Ready', 'build/app', 'build/base', 'container/web', timeout])
    t.is(await scene.exec('web', ['cat', '/page', '/seen', '/base']), 'helloswordfishb')
    // As it is stored, whose revision grows with every write. Of Images sizes are told once they are measured.
    const versions = async () => {
      const { items } = decode(JSON.parse(await ok(['get', 'builds,containers,secrets', '-o', 'json'])))
      const own = items.filter(
        ({ metadata }: { metadata: { name: string } }) => !/^probe/.test(metadata.name),
      )
      return JSON.stringify(own, null, 1)
    }
    // A further Build is built when all that was to be told of the others has been.
    const probe = async (round: number) => {
      await build(scene, `probe${round}`, [`RUN : ${cove().mark} ${round}`])
      await scene.eventually('the end of what is told', async () => {
        const [image, container] = [await scene.get('Image', 'app'), await scene.get('Container', 'web')]
        assert.deepEqual(image.status.usedBy, [`${scene.namespace}.web`])
        assert.equal(
          container.status.conditions.find(({ type }: { type: string }) => type === 'Ready').status,
          'True',
        )
        assert.equal(container.status.rollout?.phase ?? 'Complete', 'Complete')
      })
    }
    await probe(1)
    const before = await versions()
    const again = await ok(apply, set)
    t.deepEqual(
      again.trim().split('\n'),
      ['container.cove.run/web', 'build.cove.run/app', 'build.cove.run/base', 'secret/token'].map(
        (name) => `${name} unchanged`,
      ),
    )
    t.is((await run(['diff', '-f', '-'], set)).code, 0)
    await probe(2)
    t.is(await versions(), before)
    await cove().kill('SIGTERM')
    await cove().restart()
    await probe(3)
    t.is(await versions(), before)
  },
)

test('a Build is asked for, broken off, waited for and read with kubectl', async (t) => {
  const scene = await makeBuildScene(cove())
  const { ok, run } = kubectlOf(scene)
  const dockerfile = `FROM ${baseImage}\nRUN echo ${cove().mark} > /v\n`
  const tried = await ok(
    ['create', '--dry-run=server', '-o', 'json', '-f', '-'],
    buildText('web', dockerfile),
  )
  t.is(decode(JSON.parse(tried)).spec.triggers.interval, '1h')
  t.is((await run(['get', 'build', 'web'])).code, 1)
  await ok(['create', '-f', '-'], buildText('web', dockerfile))
  await ok(['wait', '--for=condition=Ready', 'build/web', timeout])
  const [header = '', row = ''] = (await ok(['get', 'bld', 'web', '-o', 'wide'])).split('\n')
  t.regex(
    header,
    /^NAME +STATUS +STEPS +CACHED +IMAGE ID +ATTEMPT +FINISHED +AGE +NODE +CAUSE +OUTCOME +REASON/,
  )
  t.regex(row, /^web +Succeeded +\d\/2 +\d +[0-9a-f]{12} +1 .* it is not built yet +Built/)

  await ok(['annotate', 'build/web', 'cove.run/build-requested=now'])
  await ok(['wait', '--for=jsonpath={.status.request}=now', 'build/web', timeout])
  await ok(['wait', '--for=condition=Ready', 'build/web', timeout])
  t.is(await ok(['get', 'build/web', '-o', 'jsonpath={.status.attempt} {.status.phase}']), '2 Succeeded')

  const slow = JSON.stringify({
    spec: { dockerfileInline: `FROM ${baseImage}\nRUN sleep 60; : ${cove().mark}\n` },
  })
  await ok(['patch', 'build', 'web', '--type=merge', '-p', slow])
  await ok(['wait', '--for=jsonpath={.status.phase}=Building', 'build/web', timeout])
  await ok(['annotate', 'build/web', 'cove.run/cancel-requested=now'])
  await ok(['wait', '--for=jsonpath={.status.phase}=Canceled', 'build/web', timeout])

  const failing = `FROM ${baseImage}\nRUN echo ${cove().mark} one; echo two; exit 7\n`
  const patch = [{ op: 'replace', path: '/spec/dockerfileInline', value: failing }]
  await ok(['patch', 'build', 'web', '--type=json', '-p', JSON.stringify(patch)])
  await ok(['wait', '--for=condition=Stalled', 'build/web', timeout])
  const failure =
    '{.status.failure.reason} {.status.failure.exitCode} {.status.failure.line} {.status.failure.log}'
  t.is(
    await ok(['get', 'build/web', '-o', `jsonpath=${failure}`]),
    `StepFailed 7 2 ["${cove().mark} one","two"]`,
  )
  const told = await ok(['describe', 'build', 'web'])
  t.regex(told, /Warning +FailedBuild .* returned a non-zero code: 7/)
  t.regex(await ok(['events', '--for', 'build/web']), /Built +Build\/web/)
  const path = `/apis/cove.run/v1/namespaces/${scene.namespace}/builds/web/log?tailLines=2`
  t.regex(await ok(['get', '--raw', path]), /returned a non-zero code: 7/)
})

test('a Dockerfile that is wrong, and fields that are not there, are told of in kubectl’s own words', async (t) => {
  const scene = await makeBuildScene(cove())
  const { run } = kubectlOf(scene)
  const files = { context: { inline: { files: { page: '' } } } }
  const wrong = buildText('bad', `FORM ${baseImage}\nRUN true\n`)
  for (const words of [['create'], ['apply'], ['apply', '--server-side']]) {
    const { code, stderr } = await run([...words, '-f', '-'], wrong)
    t.is(code, 1)
    t.regex(
      stderr,
      /^The Build "bad" is invalid: \n\* spec\.dockerfileInline: line 1: unknown instruction: FORM \(did you mean FROM\?\)\n/,
    )
  }
  const missing = await run(
    ['apply', '-f', '-'],
    buildText('bad', `FROM ${baseImage}\nCOPY nopage /page\n`, files),
  )
  t.regex(
    missing.stderr,
    /^The Build "bad" is invalid: spec\.dockerfileInline: line 2, column 6: COPY nopage: there is no such file/,
  )
  const unknown = buildText('bad', `FROM ${baseImage}\n`, { dockerfil: 'x' })
  t.regex(
    (await run(['apply', '-f', '-'], unknown)).stderr,
    /unknown field "spec\.dockerfil" \(did you mean "dockerfile"\?\)/,
  )
  const warned = await run(['apply', '--validate=warn', '--dry-run=server', '-f', '-'], unknown)
  t.is(warned.code, 0)
  t.regex(warned.stderr, /^Warning: unknown field "spec\.dockerfil"/m)
  const path = buildText('bad', '', { context: { path: '.' }, dockerfileInline: undefined })
  t.regex(
    (await run(['apply', '-f', '-'], path)).stderr,
    /^The Build "bad" is invalid: spec\.context\.path: is for `cove apply`/,
  )
})

test('a Build takes its Image along when it is deleted, unless that is to be left an orphan', async (t) => {
  const scene = await makeBuildScene(cove())
  const { ok, run } = kubectlOf(scene)
  for (const cascade of ['foreground', 'background', 'orphan']) {
    const name = `web-${cascade}`
    await ok(['apply', '-f', '-'], buildText(name, `FROM ${baseImage}\nRUN : ${cove().mark} ${cascade}\n`))
    const { image } = await built(scene, name)
    await ok(['wait', '--for=condition=Ready', `image/${name}`, timeout])
    await ok(['delete', 'build', name, `--cascade=${cascade}`, timeout])
    const reference = `localhost/${scene.namespace}/${name}:latest`
    const onEngine = async () => (await scene.raw.request('GET', `/images/${reference}/json`)).status
    if (cascade === 'orphan') {
      t.is(await ok(['get', 'image', name, '-o', 'jsonpath={.status.id}']), image.id)
      t.is(await ok(['get', 'image', name, '-o', 'jsonpath={.metadata.ownerReferences}']), '')
      t.is(await onEngine(), 200)
    } else {
      if (cascade === 'foreground') t.is((await run(['get', 'image', name])).code, 1)
      await scene.gone('Image', name)
      t.is(await onEngine(), 404)
    }
    const events = await ok(['get', 'events', '--field-selector', `involvedObject.name=${name}`])
    t.notRegex(events, /FailedRelease/)
  }
})
