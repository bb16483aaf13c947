/** What is ours about JSON patches: the bounds, and that nothing given is touched. The rest is the library's. */
import test from 'ava'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import { containerKind } from '#pkg/apis/container.kind.ts'
import { anyKind } from '#pkg/apis/kind.ts'
import { applyJsonPatch } from './jsonpatch.ts'

const kind = anyKind(containerKind)
const apply = (current: Record<string, unknown>, patch: unknown) => applyJsonPatch(kind, current, patch)

function refusal(work: () => unknown): string | undefined {
  try {
    work()
    return undefined
  } catch (error) {
    return error instanceof StatusError ? error.reason : String(error)
  }
}

test('values of a patch are not changed by its later operations, so it can be applied again', (t) => {
  const patch = [
    { op: 'replace', path: '', value: { list: [] } },
    { op: 'add', path: '/list/-', value: 1 },
  ]
  t.deepEqual(apply({}, patch), { list: [1] })
  t.deepEqual(apply({}, patch), { list: [1] })
})

test('copies of copies are bounded by what they copy', (t) => {
  const doubling = Array.from({ length: 60 }, (_, index) => ({
    op: 'copy',
    from: '/a',
    path: `/a/x${index}`,
  }))
  t.is(
    refusal(() => apply({ a: { b: 'c' } }, doubling)),
    'RequestEntityTooLarge',
  )
  const few = doubling.slice(0, 10)
  t.notThrows(() => apply({ a: { b: 'c' } }, few))
})

test('no path reaches a prototype', (t) => {
  for (const path of ['/__proto__/x', '/constructor/prototype/x']) {
    t.is(
      refusal(() => apply({}, [{ op: 'add', path, value: 1 }])),
      'Invalid',
      path,
    )
  }
  t.false('x' in {})
})

test('what is no patch is refused as such, and what does not fit as Invalid', (t) => {
  for (const patch of [{}, [1], [{ op: 'brew', path: '' }], [{ op: 'add', path: '/a' }]])
    t.is(
      refusal(() => apply({}, patch)),
      'BadRequest',
    )
  const unfit = [
    { op: 'copy', from: '/a/b', path: '/c' },
    { op: 'copy', from: 5, path: '/c' },
    { op: 'move', from: '/x', path: '/x/y' },
    { op: 'test', path: '/x', value: 2 },
  ]
  for (const operation of unfit)
    t.is(
      refusal(() => apply({ x: 1 }, [operation])),
      'Invalid',
      JSON.stringify(operation),
    )
})
