import test from 'ava'
import fc from 'fast-check'
import { engineName, nodeFinalizer, nodeOfFinalizer, successorName } from './wellknown.ts'

test('the engine calls an object by its own name where it can', (t) => {
  t.is(engineName({ name: 'web' }), 'web')
  t.is(engineName({ namespace: 'default', name: 'web' }), 'web')
  t.is(engineName({ namespace: 'shop', name: 'web' }), 'shop.web')
  t.is(engineName({ namespace: 'default', name: 'shop.web' }), 'default.shop.web')
})

test('no name is an id of the engine, by which another container could be meant', (t) => {
  const id = '0123456789abcdef'.repeat(4)
  t.is(engineName({ namespace: 'default', name: id }), `default.${id}`)
  t.is(engineName({ namespace: 'default', name: id.slice(1) }), id.slice(1))
})

test('two objects never have one name on the engine', (t) => {
  const meta = fc.record({
    namespace: fc.constantFrom('default', 'a', 'b'),
    name: fc.stringMatching(/^[ab](\.[ab]){0,2}$|^default(\.[ab])?$/),
  })
  fc.assert(
    fc.property(meta, meta, (one, other) => {
      const same = one.namespace === other.namespace && one.name === other.name
      t.is(engineName(one) === engineName(other), same)
    }),
  )
})

test('a successor has no name that an object of another namespace could have', (t) => {
  t.is(successorName({ namespace: 'default', name: 'web' }), 'web_next')
  t.is(successorName({ namespace: 'shop', name: 'web' }), 'shop.web_next')
})

test('the finalizer of a node names it, and no other finalizer does', (t) => {
  t.is(nodeFinalizer('n1'), 'node.cove.run/n1')
  t.is(nodeOfFinalizer(nodeFinalizer('n1')), 'n1')
  t.is(nodeOfFinalizer('kubernetes'), undefined)
})
