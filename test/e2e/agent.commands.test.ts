/** command and args against ENTRYPOINT and CMD, in every form that a Dockerfile has for them. */
import assert from 'node:assert/strict'
import test from 'ava'
import { sharedCove } from '#test/helpers/cove.ts'
import { makeScene } from '#test/helpers/scene.ts'

const cove = sharedCove(test)

const shell = (line: string) => ['/bin/sh', '-c', line]
const echo = ['/bin/echo', 'e']
const [execEntry, shellEntry] = ['ENTRYPOINT ["/bin/echo","e"]', 'ENTRYPOINT echo e']
const [execCmd, shellCmd] = ['CMD ["/bin/echo","c"]', 'CMD echo c $HOME']

interface Row {
  readonly dockerfile: readonly string[]
  readonly spec?: { readonly command?: readonly string[]; readonly args?: readonly string[] }
  readonly effective: readonly string[]
}

const rows: readonly Row[] = [
  { dockerfile: [execCmd], effective: ['/bin/echo', 'c'] },
  { dockerfile: [shellCmd], effective: shell('echo c $HOME') },
  { dockerfile: [execCmd], spec: { args: ['/bin/echo', 'x'] }, effective: ['/bin/echo', 'x'] },
  { dockerfile: [execEntry], effective: echo },
  { dockerfile: [execEntry], spec: { args: ['-x'] }, effective: [...echo, '-x'] },
  { dockerfile: [execEntry, 'CMD ["a"]'], effective: [...echo, 'a'] },
  { dockerfile: [execEntry, 'CMD ["a"]'], spec: { args: ['-x'] }, effective: [...echo, '-x'] },
  { dockerfile: [execEntry, 'CMD c arg'], effective: [...echo, ...shell('c arg')] },
  { dockerfile: [execEntry, 'CMD c arg'], spec: { args: ['-x'] }, effective: [...echo, '-x'] },
  { dockerfile: [shellEntry], effective: shell('echo e') },
  { dockerfile: [shellEntry, 'CMD ["a"]'], effective: [...shell('echo e'), 'a'] },
  { dockerfile: [shellEntry], spec: { args: ['-x'] }, effective: [...shell('echo e'), '-x'] },
  {
    dockerfile: [execEntry, 'CMD ["a"]'],
    spec: { command: ['/bin/echo', 'k'] },
    effective: ['/bin/echo', 'k'],
  },
  {
    dockerfile: [execEntry, 'CMD ["a"]'],
    spec: { command: ['/bin/echo', 'k'], args: ['b'] },
    effective: ['/bin/echo', 'k', 'b'],
  },
]

test('status.effectiveCommand is what runs, for every form of ENTRYPOINT and CMD', async (t) => {
  const scene = await makeScene(cove())
  await Promise.all(
    rows.map(async ({ dockerfile, spec }, index) => {
      const image = await scene.image(`row${index}`, dockerfile)
      const { command = undefined, args = undefined } = spec ?? {}
      await scene.run(`row${index}`, { image, restartPolicy: 'Never', command, args })
    }),
  )
  for (const [index, { effective, dockerfile }] of rows.entries()) {
    const { status } = await scene.until(`row${index}`, { phase: 'Succeeded' })
    t.deepEqual(status?.effectiveCommand, effective, dockerfile.join(' '))
    const { Path, Args } = await scene.inspect(`row${index}`)
    t.deepEqual([Path, ...Args], effective)
  }
})

test('a program that is not in the image is a condition of its own, tried ever more slowly', async (t) => {
  const scene = await makeScene(cove())
  const image = await scene.image('app', [execCmd])
  await scene.run('app', { image, command: undefined, args: ['-x'] })
  const message = await scene.notReady('app', 'ExecutableNotFound')
  t.regex(message, /start container .*"-x": executable file not found/)
  await scene.eventually('the second try', async () => {
    const failures = cove()
      .log()
      .split('\n')
      .filter((line) => line.includes(`${scene.namespace}/app`))
    assert.match(failures[1] ?? '', /reason=ExecutableNotFound .*failures=2/)
    // Two seconds after the first, four after the second: no hot loop.
    const [first = '', second = ''] = failures.map((line) => line.split(' ')[0] ?? '')
    assert.ok(Date.parse(second) - Date.parse(first) >= 1500, `${first} ${second}`)
  })
  const { Id } = await scene.inspect('app')
  await scene.patchSpec('app', { args: ['sleep', '86400'] })
  t.not(await scene.ready('app'), Id)
})
