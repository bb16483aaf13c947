import test from 'ava'
import fc from 'fast-check'
import { readLines } from './lines.ts'

async function linesOf(body: Parameters<typeof readLines>[0]): Promise<string[]> {
  return await Array.fromAsync(readLines(body))
}

async function* pieces(bytes: Uint8Array, sizes: readonly number[]) {
  let at = 0
  for (const size of sizes) {
    yield bytes.subarray(at, at + size)
    at += size
  }
  yield bytes.subarray(at)
}

test('lines are the same however the body is cut, within characters too', async (t) => {
  const line = fc.string({ unit: fc.constantFrom('a', 'ä', '☃', '🐳', '\uFEFF', '"') })
  await t.notThrowsAsync(
    fc.assert(
      fc.asyncProperty(fc.array(line), fc.array(fc.nat(5)), async (lines, sizes) => {
        const bytes = new TextEncoder().encode(lines.map((each) => `${each}\n`).join(''))
        const found = await linesOf(pieces(bytes, sizes))
        return JSON.stringify(found) === JSON.stringify(lines)
      }),
    ),
  )
})

test('a last line needs no newline, and what was cut within a character is not lost silently', async (t) => {
  t.deepEqual(await linesOf('a\n\nb'), ['a', '', 'b'])
  t.deepEqual(await linesOf(''), [])
  t.deepEqual(await linesOf(new TextEncoder().encode('a\n☃').subarray(0, 4)), ['a', '\uFFFD'])
})
