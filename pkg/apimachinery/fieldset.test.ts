import test from 'ava'
import fc from 'fast-check'
import {
  difference,
  emptySet,
  type FieldPath,
  type FieldSet,
  fieldElement,
  fieldNode,
  hasPath,
  includes,
  intersection,
  isEmptySet,
  keyElement,
  leaf,
  parseFieldSet,
  pathsOf,
  printPath,
  sameSet,
  union,
  valueElement,
} from './fieldset.ts'

const element = fc.constantFrom('f:a', 'f:b', 'f:constructor', 'k:{"name":"A"}', 'v:"x"', 'i:0')
const path = fc.array(element, { minLength: 1, maxLength: 4 })
const paths = fc.array(path, { maxLength: 8 })

function setOf(list: readonly FieldPath[]): FieldSet {
  return list.map((one) => single(one)).reduce(union, emptySet)
}

function single([first = '', ...rest]: FieldPath): FieldSet {
  return { [first]: rest.length === 0 ? leaf : (fieldNode(false, single(rest)) ?? leaf) }
}

const texts = (set: FieldSet) => sorted(new Set(pathsOf(set).map((one) => JSON.stringify(one))))
const textsOf = (list: readonly FieldPath[]) => new Set(list.map((one) => JSON.stringify(one)))
const sorted = (set: ReadonlySet<string>) => [...set].sort()

test('a set has exactly the paths that it was made of', (t) => {
  fc.assert(
    fc.property(paths, (list) => {
      t.deepEqual(texts(setOf(list)), sorted(textsOf(list)))
      for (const one of list) t.true(hasPath(setOf(list), one))
    }),
  )
})

test('union, difference and intersection are those of the paths', (t) => {
  fc.assert(
    fc.property(paths, paths, (left, right) => {
      const [a, b] = [setOf(left), setOf(right)]
      t.deepEqual(texts(union(a, b)), sorted(textsOf(left).union(textsOf(right))))
      t.deepEqual(texts(difference(a, b)), sorted(textsOf(left).difference(textsOf(right))))
      t.deepEqual(texts(intersection(a, b)), sorted(textsOf(left).intersection(textsOf(right))))
      t.is(includes(a, b), textsOf(right).isSubsetOf(textsOf(left)))
      t.is(sameSet(a, b), includes(a, b) && includes(b, a))
    }),
  )
})

test('an operation that changes nothing gives the same set back', (t) => {
  fc.assert(
    fc.property(paths, paths, (left, right) => {
      const set = setOf([...left, ...right])
      t.is(union(set, setOf(left)), set)
      t.is(difference(set, difference(setOf(right), set)), set)
    }),
  )
})

test('a set survives JSON, and equal keys in another order are the same element', (t) => {
  fc.assert(
    fc.property(paths, (list) => {
      t.deepEqual(parseFieldSet(JSON.parse(JSON.stringify(setOf(list)))), setOf(list))
    }),
  )
  t.deepEqual(parseFieldSet({ 'k:{"b": 1, "a": "x"}': {} }), { 'k:{"a":"x","b":1}': {} })
})

test('what is no set is refused', (t) => {
  for (const value of [
    1,
    [],
    null,
    { x: {} },
    { 'f:a': 1 },
    { 'k:[]': {} },
    { 'k:{': {} },
    { '.': { 'f:a': {} } },
  ]) {
    t.is(parseFieldSet(value), undefined, JSON.stringify(value))
  }
})

test('a path prints as Kubernetes prints it', (t) => {
  const item = keyElement({ protocol: 'TCP', containerPort: 80 })
  t.is(printPath(['f:spec', 'f:ports', item, 'f:name']), '.spec.ports[containerPort=80,protocol="TCP"].name')
  t.is(printPath(['f:metadata', 'f:finalizers', valueElement('a/b')]), '.metadata.finalizers[="a/b"]')
  t.is(printPath([fieldElement('list'), 'i:3']), '.list[3]')
})

test('members come before what is below them, fields before items', (t) => {
  const set = setOf([['f:b'], ['f:a', 'f:x'], ['f:a', 'k:{"n":1}'], ['f:a']])
  t.deepEqual(pathsOf(set), [['f:a'], ['f:b'], ['f:a', 'f:x'], ['f:a', 'k:{"n":1}']])
  t.true(isEmptySet(difference(set, set)))
})
