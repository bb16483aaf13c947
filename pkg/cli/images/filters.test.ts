import test from 'ava'
import fc from 'fast-check'
import type { NodeImage } from '#pkg/apis/looks.images.ts'
import { UsageError } from '../errors.ts'
import { chooseImages, parseFilters, unclearlyOrdered } from './filters.ts'
import { imageRows } from './rows.ts'

function image(number: number, fields: Partial<NodeImage> = {}): NodeImage {
  return {
    id: `sha256:${String(number).padStart(2, '0').repeat(32)}`,
    references: [],
    digests: [],
    parent: '',
    labels: {},
    sizeBytes: 1_985_472,
    createdAt: new Date(Date.UTC(2026, 0, 1, 0, 0, number)).toISOString(),
    children: false,
    containers: [],
    ...fields,
  }
}

const digest = `sha256:${'d'.repeat(64)}`
const images = [
  image(1, { references: ['bb:1'], children: true }),
  image(2, { children: true }),
  image(3, { references: ['seq:1', 'shop/seq:1'], labels: { version: '0.1' } }),
  image(4, { references: ['seq:2'], labels: { version: '0.2', other: '' } }),
  image(5),
  image(6, { digests: [`seq@${digest}`] }),
]

/** The last digits of those that are chosen. */
function chosen(words: readonly string[], { all = false, name = '' } = {}): number[] {
  const filters = parseFilters(words, 'images')
  const references = [...filters.references, ...(name === '' ? [] : [name])]
  return chooseImages(images, { ...filters, references, all }).map(({ id }) => Number(id.slice(-2)))
}

test('images are listed newest first, and those that only others are made of when they are asked for', (t) => {
  t.deepEqual(chosen([]), [6, 5, 4, 3, 1])
  t.deepEqual(chosen([], { all: true }), [6, 5, 4, 3, 2, 1])
})

test('filters choose by their rules', (t) => {
  const expected: Readonly<Record<string, readonly number[]>> = {
    'dangling=true': [6, 5],
    'dangling=false': [6, 4, 3, 1],
    'label=version': [4, 3],
    'label=version=0.1': [3],
    'label=version label=other': [4],
    'since=seq:1': [6, 5, 4],
    'before=seq:2': [3, 1],
    'since=bb before=seq:2': [],
    'since=bb:1 before=seq:2': [3],
    'reference=seq': [6, 4, 3],
    'reference=seq:2': [4],
    'reference=se*:1': [3],
    'reference=*/seq': [3],
    'reference=bb reference=seq:2': [4, 1],
    'reference=seq dangling=true': [6],
    'Dangling=1': [6, 5],
  }
  for (const [words, numbers] of Object.entries(expected)) {
    const choose = () => chosen(words.split(' '))
    if (words.includes('since=bb ')) t.throws(choose, { message: 'No such image: bb' })
    else t.deepEqual(choose(), numbers, words)
  }
  t.deepEqual(chosen([], { name: 'seq' }), [6, 4, 3])
})

test('of an image only the names that were asked for are shown', (t) => {
  const [found] = chooseImages(images, { ...parseFilters(['reference=seq:1'], 'images'), all: false })
  t.deepEqual(found?.references, ['seq:1'])
})

test('a filter that is none is refused', (t) => {
  for (const word of ['dangling', 'until=1h', 'dangling=perhaps'])
    t.throws(() => parseFilters([word], 'images'), { instanceOf: UsageError }, word)
})

test('what was made within one second has to be asked for exactly', (t) => {
  const twin = image(3, { id: `sha256:${'e'.repeat(64)}` })
  const filters = parseFilters(['since=seq:1'], 'images')
  t.deepEqual(unclearlyOrdered(images, filters), [])
  t.is(unclearlyOrdered([...images, twin], filters).length, 2)
  const at = (fraction: string) => `2026-01-01T00:00:03.${fraction}Z`
  const exact = [
    ...images.map((each) =>
      each.references[0] === 'seq:1' ? { ...each, createdAt: at('000000001') } : each,
    ),
    { ...twin, createdAt: at('000000002') },
  ]
  t.true(chooseImages(exact, { ...filters, all: false }).some(({ id }) => id === twin.id))
})

test('before and since part all others of an image, whatever there is', (t) => {
  const seconds = fc.uniqueArray(fc.integer({ min: 1, max: 59 }), { minLength: 1, maxLength: 20 })
  fc.assert(
    fc.property(seconds, fc.nat(), (numbers, pick) => {
      const all = numbers.map((number) => image(number, { references: [`x:${number}`] }))
      const middle = numbers[pick % numbers.length] ?? 1
      const by = (name: string) =>
        chooseImages(all, { ...parseFilters([`${name}=x:${middle}`], 'images'), all: false }).length
      return by('before') + by('since') + 1 === numbers.length
    }),
  )
  t.pass()
})

test('an image has a row for each name, and with digests for each of these', (t) => {
  const options = { now: Date.UTC(2026, 0, 1, 1), digests: false, noTrunc: false }
  const rows = (fields: Partial<NodeImage>, digests = false) =>
    imageRows({ ...image(1, fields), node: 'n1' }, { ...options, digests }).map(
      ({ Repository, Tag, Digest }) => `${Repository} ${Tag} ${Digest}`,
    )
  t.deepEqual(rows({}), ['<none> <none> <none>'])
  t.deepEqual(rows({ references: ['a:1', '127.0.0.1:5000/b:2'] }), [
    'a 1 <none>',
    '127.0.0.1:5000/b 2 <none>',
  ])
  const two = { references: ['a:1'], digests: [`a@${digest}`, `b@${digest}`] }
  t.deepEqual(rows(two), ['a 1 <none>', 'b <none> <none>'])
  t.deepEqual(rows(two, true), [`a 1 ${digest}`, `b <none> ${digest}`])
})
