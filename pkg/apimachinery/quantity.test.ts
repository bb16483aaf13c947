import test from 'ava'
import fc from 'fast-check'
import { humanBytes, humanDuration, parseDuration, parseQuantity } from './quantity.ts'

test('a quantity is a number with a suffix or an exponent', (t) => {
  const quantities: readonly (readonly [string | number, number])[] = [
    ['0', 0],
    ['500m', 0.5],
    ['1100m', 1.1],
    ['1.5', 1.5],
    ['1.', 1],
    ['.5', 0.5],
    ['100u', 1e-4],
    ['5n', 5e-9],
    ['64Mi', 64 * 2 ** 20],
    ['1Ki', 1024],
    ['2Gi', 2 ** 31],
    ['1Ti', 2 ** 40],
    ['1Pi', 2 ** 50],
    ['1Ei', 2 ** 60],
    ['1k', 1000],
    ['1M', 1e6],
    ['3G', 3e9],
    ['1T', 1e12],
    ['1P', 1e15],
    ['1E', 1e18],
    ['12e6', 12e6],
    ['12E6', 12e6],
    ['5e-3', 0.005],
    ['1e+3', 1000],
    [0, 0],
    [0.25, 0.25],
    [2, 2],
  ]
  for (const [text, value] of quantities) t.is(parseQuantity(text), value, String(text))
})

test('what is no quantity, or less than nothing, is none', (t) => {
  const wrong = [
    '',
    ' ',
    'm',
    '-1',
    '1mi',
    '1MB',
    '1 Gi',
    '1e',
    '1e3Mi',
    '1,5',
    '0x10',
    'Infinity',
    '1e999',
    '.',
  ]
  for (const text of wrong) t.is(parseQuantity(text), undefined, text)
  for (const value of [-1, Number.NaN, Number.POSITIVE_INFINITY]) t.is(parseQuantity(value), undefined)
})

test('a plain number, as JSON writes it, stands for itself', (t) => {
  const number = fc.double({ min: 0, noNaN: true, noDefaultInfinity: true })
  fc.assert(
    fc.property(number, (value) => {
      t.is(parseQuantity(value), value === 0 ? 0 : value)
      t.is(parseQuantity(String(value)), value === 0 ? 0 : value)
    }),
  )
})

test('durations are those of Go', (t) => {
  const durations: readonly (readonly [string, number])[] = [
    ['0', 0],
    ['0s', 0],
    ['30s', 30_000],
    ['1m30s', 90_000],
    ['1h0.5m', 3_630_000],
    ['1.5h', 5_400_000],
    ['.5s', 500],
    ['1.s', 1000],
    ['+2s', 2000],
    ['100ms', 100],
    ['250us', 0.25],
    ['1µs', 0.001],
    ['1μs', 0.001],
    ['1000000ns', 1],
    ['1s1s', 2000],
  ]
  for (const [text, value] of durations) t.is(parseDuration(text), value, text)
})

test('what is no duration, or waits backwards, is none', (t) => {
  const wrong = [
    '',
    '1',
    '30',
    's',
    '-1s',
    '1 s',
    '1d',
    '1m30',
    '30S',
    '.s',
    '1h-5m',
    '0x1s',
    '999999999h',
    '+',
  ]
  for (const text of wrong) t.is(parseDuration(text), undefined, text)
})

const [second, minute, hour, day] = [1000, 60_000, 3_600_000, 86_400_000]

test('ages read as kubectl writes them', (t) => {
  const ages: readonly (readonly [number, string])[] = [
    [-5000, '0s'],
    [0, '0s'],
    [999, '0s'],
    [119 * second, '119s'],
    [2 * minute, '2m'],
    [2 * minute + second, '2m1s'],
    [10 * minute - second, '9m59s'],
    [10 * minute + 30 * second, '10m'],
    [3 * hour - second, '179m'],
    [3 * hour, '3h'],
    [3 * hour + minute, '3h1m'],
    [8 * hour + 59 * minute, '8h'],
    [2 * day - second, '47h'],
    [2 * day, '2d'],
    [2 * day + hour, '2d1h'],
    [8 * day - second, '7d23h'],
    [8 * day + 5 * hour, '8d'],
    [730 * day - second, '729d'],
    [730 * day, '2y'],
    [731 * day, '2y1d'],
    [8 * 365 * day - second, '7y364d'],
    [(8 * 365 + 1) * day, '8y'],
  ]
  for (const [ms, text] of ages) t.is(humanDuration(ms), text, text)
})

test('sizes read in the largest unit that fits', (t) => {
  const sizes: readonly (readonly [number, string])[] = [
    [0, '0'],
    [1023, '1023'],
    [1024, '1Ki'],
    [1536, '1.5Ki'],
    [64 * 2 ** 20, '64Mi'],
    [2 ** 60, '1Ei'],
  ]
  for (const [bytes, text] of sizes) t.is(humanBytes(bytes), text, text)
})
