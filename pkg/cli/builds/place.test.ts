import test from 'ava'
import { isArchive, isText, nameOfPlace, type Place, placeOf } from './place.ts'

const places: Readonly<Record<string, Place>> = {
  '-': { kind: 'stdin' },
  '.': { kind: 'path', path: '.' },
  './web': { kind: 'path', path: './web' },
  '../a/b': { kind: 'path', path: '../a/b' },
  '/srv/web': { kind: 'path', path: '/srv/web' },
  Web_1: { kind: 'path', path: 'Web_1' },
  web: { kind: 'word', word: 'web' },
  'build/web': { kind: 'build', name: 'web' },
  'bld/web': { kind: 'build', name: 'web' },
  'builds.cove.run/web': { kind: 'build', name: 'web' },
  'build/web/x': { kind: 'path', path: 'build/web/x' },
  'https://h/r.git': { kind: 'git', url: 'https://h/r.git' },
  'https://h/r.git#v1:8.14/': { kind: 'git', url: 'https://h/r.git', ref: 'v1', subdirectory: '8.14' },
  'https://h/r.git#:8.14': { kind: 'git', url: 'https://h/r.git', subdirectory: '8.14' },
  'git@h.example:o/r.git#main': { kind: 'git', url: 'git@h.example:o/r.git', ref: 'main' },
  'ssh://git@h/o/r': { kind: 'git', url: 'ssh://git@h/o/r' },
  'github.com/o/r': { kind: 'git', url: 'https://github.com/o/r' },
  'http://h/c.tar.gz': { kind: 'url', url: 'http://h/c.tar.gz' },
}

for (const [word, place] of Object.entries(places))
  test(`\`${word}\` is ${JSON.stringify(place)}`, (t) => {
    t.deepEqual(placeOf(word), place)
  })

test('what is built is called as what it is built of', (t) => {
  const names = ['https://h/o/tool.git', 'git@h:tool.git', 'https://h/r.git#:8.14', 'http://h/x/ctx.tar.gz']
  t.deepEqual(
    names.map((word) => nameOfPlace(placeOf(word), '/')),
    ['tool', 'tool', '8.14', 'ctx'],
  )
  t.is(nameOfPlace(placeOf('.'), '/srv/shop'), 'shop')
  t.is(nameOfPlace(placeOf('-'), '/srv/shop'), undefined)
})

test('archives are known by their first bytes, whatever packs them', (t) => {
  const tar = Buffer.alloc(512)
  tar.write('f')
  tar.write('000546', 148)
  const zstd = [0x28, 0xb5, 0x2f, 0xfd]
  const starts = [tar, [0x1f, 0x8b, 8], Buffer.from('BZh9'), [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0], zstd]
  t.true(starts.every((start) => isArchive(Buffer.from(start))))
  t.false(isArchive(Buffer.from('FROM scratch\n')))
  t.false(isArchive(Buffer.alloc(0)))
})

test('what is no text is no Dockerfile', (t) => {
  t.true(isText(Buffer.from('FROM scratch\n# größer\n')))
  t.false(isText(Buffer.from('FROM scratch\0')))
  t.false(isText(Buffer.from([0x46, 0xff, 0xfe])))
})
