import test from 'ava'
import { kinds } from '#pkg/apis/kinds.ts'
import { builtinResources, findResources, unknownResource } from './resources.ts'

test('the resources known without a server are the kinds', (t) => {
  const fromKinds = kinds.map(
    ({ group, version, kind, plural, singular, shortNames, categories, namespaced }) => ({
      group,
      version,
      kind,
      plural,
      singular,
      shortNames,
      categories,
      namespaced,
    }),
  )
  t.deepEqual(
    builtinResources.map((resource) => ({ ...resource })),
    fromKinds,
  )
})

test('every way to name a resource finds it', (t) => {
  const words = 'containers container ctr Container containers.cove.run containers.v1.cove.run'
  for (const word of words.split(' '))
    t.deepEqual(
      findResources(word, builtinResources).map(({ kind }) => kind),
      ['Container'],
      word,
    )
  t.deepEqual(findResources('containers.example', builtinResources), [])
})

test('a category is all of its kinds', (t) => {
  const found = (word: string) => findResources(word, builtinResources).map(({ kind }) => kind)
  t.deepEqual(found('all'), ['Container', 'Volume', 'Network', 'Image', 'Build'])
  t.deepEqual(found('cove'), [...found('all'), 'Registry', 'PrunePolicy', 'Node'])
})

test('an unknown resource is told with what was probably meant', (t) => {
  const { message } = unknownResource('contaners', builtinResources)
  t.is(message, 'the server doesn\'t have a resource type "contaners" (did you mean "containers"?)')
})
