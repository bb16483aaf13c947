import test from 'ava'
import { indexContext } from './copysource.ts'

const index = indexContext([
  { path: 'home.txt', type: 'file' },
  { path: 'hom1.txt', type: 'file' },
  { path: 'src/deep/main.c', type: 'file' },
  { path: 'link', type: 'symlink', linkname: 'src/deep' },
  { path: 'root', type: 'symlink', linkname: '/src' },
  { path: 'away', type: 'symlink', linkname: '/etc' },
  { path: 'up', type: 'symlink', linkname: '../../home.txt' },
  { path: 'round', type: 'symlink', linkname: 'round' },
])

test('sources count from the root of the context, whatever is written in front', (t) => {
  for (const source of ['home.txt', '/home.txt', './src/', '.', '/', 'src/../home.txt', 'src/deep/main.c'])
    t.is(index.find(source), 'Found', source)
  for (const source of ['none', 'src/main.c', 'home.txt/x']) t.is(index.find(source), 'Missing', source)
  for (const source of ['..', '../x', 'src/../../x']) t.is(index.find(source), 'OutsideContext', source)
})

test('patterns have to match something, in one part of a path', (t) => {
  for (const source of ['hom*', 'hom?.txt', 'src/*/main.c', '*']) t.is(index.find(source), 'Found', source)
  for (const source of ['nope*', '*.c']) t.is(index.find(source), 'Missing', source)
  t.is(index.find('[a'), 'BadPattern')
})

test('links are followed within the context', (t) => {
  for (const source of ['link', 'link/main.c', 'root', 'root/deep', 'up'])
    t.is(index.find(source), 'Found', source)
  for (const source of ['away', 'away/passwd', 'round', 'round/x'])
    t.is(index.find(source), 'Missing', source)
})
