import test from 'ava'
import { container, observed, world } from '#test/helpers/world.ts'
import { volumeNotes } from './volumenotes.ts'

const web = container('web')
const anonymous = { type: 'volume', source: 'a'.repeat(64), target: '/data', readOnly: false } as const

function told(mounts: Parameters<typeof observed>[2], before?: string): string[] {
  const made = observed(web, 'x', mounts)
  const given = world({
    containers: [made],
    imageConfigs: { 'sha256:app:1': { volumes: ['/data', '/logs'] } },
  })
  const after = { containerID: made.id }
  const states = { before: before === undefined ? undefined : { containerID: before }, after }
  return volumeNotes(web, states, given).map(({ type, reason, message }) => `${type} ${reason} ${message}`)
}

test('a volume of the image that nothing is mounted over is told of, once for each container', (t) => {
  const [note = '', ...more] = told({ mounts: [anonymous] })
  t.deepEqual(more, [])
  t.regex(
    note,
    /^Normal AnonymousVolume image app:1 declares VOLUME \/data, and spec\.mounts has nothing there/,
  )
  t.is(told({ mounts: [anonymous] }, 'id-other').length, 1)
  t.deepEqual(told({ mounts: [anonymous] }, 'id-web'), [])
})

test('what is mounted by name, and what the image does not declare, is nothing to tell', (t) => {
  t.deepEqual(told({ mounts: [{ ...anonymous, source: 'data' }] }), [])
  t.deepEqual(told({ mounts: [{ ...anonymous, target: '/elsewhere' }] }), [])
  t.deepEqual(told({ mounts: [] }), [])
})
