/** The window of recent changes: what it remembers, and what it costs at most. */
import test from 'ava'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { configMapKind } from '#pkg/apis/core.ts'
import { anyKind } from '#pkg/apis/kind.ts'
import { Change, Window } from './changes.ts'

const kind = anyKind(configMapKind)

function change(revision: number, length: number): Change {
  const text = 'x'.repeat(length)
  const after = { namespace: 'default', name: 'a', revision, text, labels: {}, fields: {} }
  return new Change(kind, { revision, before: undefined, after }, () => {})
}

function firstKnown(window: Window, last: number): number {
  for (let revision = 0; revision <= last; revision++) {
    try {
      window.since(revision, last)
      return revision
    } catch (error) {
      if (!isReason(error, 'Expired')) throw error
    }
  }
  throw new Error('nothing is known')
}

test('large changes are forgotten before they fill the memory, small ones by their number', (t) => {
  const large = new Window(100, 10_000)
  const small = new Window(100, 10_000)
  for (let revision = 1; revision <= 150; revision++) {
    large.push(change(revision, 1_000))
    small.push(change(revision, 1))
    const held = large.since(firstKnown(large, revision), revision)
    t.true(held.length * 1_000 <= 10_000, `${held.length} at ${revision}`)
  }
  t.true(firstKnown(large, 150) >= 140)
  t.true(firstKnown(small, 150) <= 100)
  t.deepEqual(
    large.since(148, 150).map(({ revision }) => revision),
    [149, 150],
  )
})

test('a change that is larger than the whole window is told and forgotten', (t) => {
  const window = new Window(100, 10)
  window.push(change(1, 1_000))
  t.is(firstKnown(window, 1), 1)
  t.deepEqual(window.since(1, 1), [])
})
