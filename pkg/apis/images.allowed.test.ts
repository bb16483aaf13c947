import test from 'ava'
import { forbiddenImages } from './images.allowed.ts'

test('patterns are of repositories, completed as references are', (t) => {
  const refused = (allowed: string, ...references: string[]) =>
    references.filter((image) => forbiddenImages({ image }, allowed).length > 0)
  const all = [
    'nginx:1',
    'library/nginx',
    'evil/x',
    `reg.example.com:5000/a/b@sha256:${'0'.repeat(64)}`,
    'localhost/a',
  ]
  t.deepEqual(refused('*', ...all), [])
  t.deepEqual(refused('', ...all), all)
  t.deepEqual(refused('library/*, reg.example.com:5000/*', ...all), ['evil/x', 'localhost/a'])
  t.deepEqual(refused('nginx', ...all), all.slice(2))
  t.deepEqual(refused('*.example.com/a*', 'x.example.com/ab', 'example.com/a'), ['example.com/a'])
})

test('the field is told; what names no image is passed over', (t) => {
  t.deepEqual(forbiddenImages({ reference: 'evil/x' }, 'library/*'), [
    { field: 'spec.reference', reference: 'evil/x' },
  ])
  t.deepEqual(forbiddenImages({ reference: 'nginx', tags: ['nginx:1', 'evil/x'] }, 'library/*'), [
    { field: 'spec.tags[1]', reference: 'evil/x' },
  ])
  t.deepEqual(forbiddenImages({ imageFrom: { image: 'web' } }, ''), [])
  t.deepEqual(forbiddenImages(undefined, ''), [])
})
