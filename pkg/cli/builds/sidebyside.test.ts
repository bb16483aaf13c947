/** Several Builds of one manifest, with a real API server and no node: the test says in their status what one would. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { ask } from '#test/helpers/apiserver.ts'
import { startCliServer } from '#test/helpers/cli.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'

const builds = '/apis/cove.run/v1/namespaces/default/builds'

const manifest = ['web', 'worker']
  .map(
    (name) => `apiVersion: cove.run/v1
kind: Build
metadata: {name: ${name}}
spec: {nodeName: n1, context: {empty: {}}, dockerfileInline: "FROM busybox"}
`,
  )
  .join('---\n')

async function start(t: ExecutionContext) {
  const { cove, transport } = await startCliServer(t)
  const report = async (name: string, status: object) => {
    const body = { status: { observedGeneration: 1, attempt: 1, ...status } }
    const answer = await ask(transport, `PATCH ${builds}/${name}/status`, { body })
    if (answer.status !== 200) throw new Error(JSON.stringify(answer.body))
  }
  return { cove, report }
}

const step = (state: string) => ({ steps: [{ number: 1, instruction: 'FROM busybox', state }] })
const image = { id: `sha256:${'a'.repeat(64)}`, reference: 'localhost/default/web:latest' }

test('all Builds of a manifest are followed at once, and all are told when the last has ended', async (t) => {
  const { cove, report } = await start(t)
  let seen = ''
  const onOutput = (stdout: string) => {
    seen = stdout
  }
  const sees = (text: string) => eventually(async () => assert.ok(seen.includes(text), seen))
  const building = cove('build -f -', { stdin: manifest, onOutput })
  await sees('build.cove.run/worker created')
  await report('worker', { phase: 'Building', ...step('Running') })
  await sees('worker | [1/1] FROM busybox\n')
  await report('web', { phase: 'Building', ...step('Running') })
  await sees('web    | [1/1] FROM busybox\n')
  const failure = { reason: 'StepFailed', message: 'no such image' }
  await report('worker', { phase: 'Failed', failure, ...step('Failed') })
  await sees('worker | failed\n')
  await report('web', { phase: 'Succeeded', image, ...step('Done') })
  const { code, stdout, stderr } = await building
  t.is(code, 1)
  t.regex(
    stdout,
    /web {4}\| built\nSuccessfully built aaaaaaaaaaaa .*\nSuccessfully tagged .*\/web:latest\n$/,
  )
  t.regex(stderr, /error: build\/worker: no such image\n/)
})

test('the ids of all that were built are written to a file, a line for each', async (t) => {
  const { cove, report } = await start(t)
  const file = join(await makeTempDir(t), 'ids')
  const building = cove(`build -q -f - --iidfile ${file}`, { stdin: manifest })
  for (const name of ['web', 'worker'])
    await eventually(() => report(name, { phase: 'Succeeded', image, ...step('Done') }))
  t.is((await building).code, 0)
  t.is(await readFile(file, 'utf8'), `${image.id}\n${image.id}\n`)
})

test('Ctrl-C leaves those that go on, and says how each is seen again', async (t) => {
  const { cove, report } = await start(t)
  const stop = new AbortController()
  let seen = ''
  const onOutput = (stdout: string) => {
    seen = stdout
  }
  const building = cove('build -f -', { stdin: manifest, onOutput, signal: stop.signal })
  await eventually(async () => assert.ok(seen.includes('worker created'), seen))
  await report('web', { phase: 'Succeeded', image, ...step('Done') })
  await eventually(async () => assert.ok(seen.includes('web    | built'), seen))
  stop.abort(new DOMException('SIGINT', 'AbortError'))
  const { code, stdout, stderr } = await building
  t.is(code, 130)
  t.regex(stdout, /Successfully tagged .*\/web:latest\n$/)
  t.regex(stderr, /build\/worker goes on: `cove logs -f build\/worker` shows it/)
  t.notRegex(stderr, /build\/web goes on/)
})
