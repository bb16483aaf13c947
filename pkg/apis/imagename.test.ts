import test from 'ava'
import fc from 'fast-check'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { imageMeant } from './imagename.ts'

const id = (digits: string) => `sha256:${digits.padEnd(64, '0')}`
const digest = `sha256:${'d'.repeat(64)}`
const images = [
  { id: id('abc1'), references: ['web:1', 'web:latest'], digests: [`127.0.0.1:5000/web@${digest}`] },
  { id: id('abc2'), references: ['docker.io/library/abc1:latest'], digests: [] },
  { id: id('f'), references: [], digests: [] },
]

test('a word means an image by a name, a digest, an id or a beginning of one', (t) => {
  const expected: Readonly<Record<string, string>> = {
    'web:1': id('abc1'),
    web: id('abc1'),
    'docker.io/library/web:1': id('abc1'),
    [`127.0.0.1:5000/web@${digest}`]: id('abc1'),
    [`127.0.0.1:5000/web:7@${digest}`]: id('abc1'),
    [id('abc1')]: id('abc1'),
    [id('abc2').slice('sha256:'.length)]: id('abc2'),
    f: id('f'),
    'sha256:f0': id('f'),
    abc10: id('abc1'),
    // A name comes before an id.
    abc1: id('abc2'),
  }
  for (const [word, found] of Object.entries(expected)) t.is(imageMeant(word, images).image.id, found, word)
  t.is(imageMeant('web', images).reference, 'web:latest')
  t.is(imageMeant('f', images).reference, undefined)
})

test('what means none or several is told as such', (t) => {
  for (const word of ['web:2', 'e', '', 'sha256:', 'WEB'])
    t.true(
      isReason(
        t.throws(() => imageMeant(word, images)),
        'ImageNotFound',
      ),
      word,
    )
  t.throws(() => imageMeant('abc', images), {
    message:
      '"abc" is the beginning of 2 ids: abc100000000 (web:1), abc200000000 (docker.io/library/abc1:latest)',
  })
})

test('a beginning of an id is that image, or the beginning of several', (t) => {
  const hex = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 64, maxLength: 64 })
  fc.assert(
    fc.property(
      fc.uniqueArray(hex, { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 1, max: 64 }),
      (ids, length) => {
        const all = ids.map((digits) => ({ id: `sha256:${digits}`, references: [], digests: [] }))
        const word = (ids[0] ?? '').slice(0, length)
        const alike = ids.filter((digits) => digits.startsWith(word)).length
        try {
          return imageMeant(word, all).image.id === `sha256:${ids[0]}` && alike === 1
        } catch (error) {
          return isReason(error, 'BadRequest') && alike > 1
        }
      },
    ),
  )
  t.pass()
})
