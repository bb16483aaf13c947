/** Many archives at once take no more memory than there is room for, whoever comes and goes in whatever order. */
import test from 'ava'
import fc from 'fast-check'
import { isReason, StatusError } from '#pkg/apimachinery/errors.ts'
import { EntryRoom, type EntryShare } from './entryroom.ts'
import { encodeHeader, trailerBytes } from './header.ts'
import { summarise } from './normalise.ts'

const most = 10_000

async function* archive(...headers: readonly Parameters<typeof encodeHeader>[0][]) {
  yield Buffer.concat([...headers.map(encodeHeader), Buffer.alloc(trailerBytes)])
}

test('what is kept is every file, every folder above one, their names and what links say', async (t) => {
  const told = { entries: 0, characters: 0 }
  const common = { mode: 0o644, size: 0, mtime: 0 }
  const files = archive(
    { path: 'a/b/c', type: 'file', ...common },
    { path: 'link', type: 'symlink', linkname: 'x'.repeat(4000), ...common },
    { path: 'link', type: 'symlink', linkname: 'y', ...common },
  )
  await summarise(files, {
    maxBytes: 0,
    keep: (entries, characters) => {
      told.entries += entries
      told.characters += characters
    },
  })
  t.deepEqual(told, { entries: 4, characters: 5 + 4004 + 5 })
})

test('an archive whose turn has not come is told to try again, and leaves all as it was', (t) => {
  const room = new EntryRoom(most)
  const [first, second] = [room.share(), room.share()]
  first.keep(20, 0)
  const error = t.throws(() => second.keep(20, 0))
  t.true(isReason(error, 'TooManyRequests'))
  t.is(error instanceof StatusError ? error.details.retryAfterSeconds : undefined, 5)
  first.giveBack()
  first.giveBack()
  t.notThrows(() => second.keep(20, 0))
  t.throws(() => first.keep(20, 0))
})

test('no more is taken than there is, and all of it is free again when all have ended', (t) => {
  const step = fc.record({
    who: fc.nat(4),
    entries: fc.nat(20),
    characters: fc.nat(2000),
    ends: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const room = new EntryRoom(most)
      const shares = Array.from({ length: 5 }, () => ({ share: room.share(), bytes: 0 }))
      for (const { who, entries, characters, ends } of steps) {
        const one = shares[who]
        if (one === undefined) continue
        const bytes = entries * 300 + characters * 2
        const taken = shares.reduce((sum, each) => sum + each.bytes, 0)
        const fits = taken + bytes <= most
        t.is(takes(one.share, entries, characters), fits)
        if (fits) one.bytes += bytes
        if (!ends) continue
        one.share.giveBack()
        one.bytes = 0
      }
      for (const { share } of shares) share.giveBack()
      t.true(takes(room.share(), 0, most / 2))
    }),
  )
})

function takes(share: EntryShare, entries: number, characters: number): boolean {
  try {
    share.keep(entries, characters)
    return true
  } catch (error) {
    if (isReason(error, 'TooManyRequests')) return false
    throw error
  }
}
