import test from 'ava'
import { Inbox, late, merged } from './inbox.ts'

async function textOf(source: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of source) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

function filled(...texts: readonly string[]): Inbox {
  const inbox = new Inbox()
  for (const text of texts) inbox.push(Buffer.from(text))
  return inbox
}

test('what was put in before the end comes out in order, and nothing after it', async (t) => {
  const inbox = filled('a', '', 'b')
  inbox.end()
  inbox.push(Buffer.from('c'))
  t.is(await textOf(inbox), 'ab')
  t.true((await inbox.next()).done)
})

test('a reader that waits gets what comes, or hears of the end', async (t) => {
  const inbox = new Inbox()
  const first = inbox.next()
  inbox.push(Buffer.from('a'))
  t.is(String((await first).value), 'a')
  const second = inbox.next()
  inbox.end()
  t.true((await second).done)
})

test('there is room again as soon as enough was read', async (t) => {
  const inbox = new Inbox()
  const chunk = Buffer.alloc(128 * 1024)
  for (let count = 0; count < 3; count++) inbox.push(chunk)
  let room = false
  const waiting = inbox.room()?.then(() => {
    room = true
  })
  t.false(room)
  await inbox.next()
  await waiting
  t.true(room)
  t.is(inbox.room(), undefined)
})

test('a reader that has had enough lets the source go on, for nothing', async (t) => {
  const inbox = filled('x'.repeat(512 * 1024))
  const waiting = inbox.room()
  t.not(waiting, undefined)
  await inbox.return()
  await waiting
  inbox.push(Buffer.alloc(1024 * 1024))
  t.is(inbox.room(), undefined)
  t.true((await inbox.next()).done)
})

test('a source may be known later', async (t) => {
  const source = Promise.withResolvers<AsyncIterable<Uint8Array>>()
  const text = textOf(late(source.promise))
  const inbox = filled('later')
  inbox.end()
  source.resolve(inbox)
  t.is(await text, 'later')
})

test('several sources are one, which ends with the last, and lets all go when nobody reads on', async (t) => {
  const [left, right] = [filled('a', 'b'), filled('c')]
  const text = textOf(merged(left, right))
  left.end()
  right.push(Buffer.from('d'))
  right.end()
  t.is([...(await text)].toSorted().join(''), 'abcd')
  const [open, other] = [filled('a'), filled('x'.repeat(512 * 1024))]
  for await (const chunk of merged(open, other)) if (chunk.length === 1) break
  t.is(open.room() ?? other.room(), undefined)
})
