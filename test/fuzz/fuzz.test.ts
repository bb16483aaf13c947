/** Every fuzz target for a moment, the same inputs each time: what was found once, and the same mutations. */
import test from 'ava'
import { fuzz } from './fuzz.ts'
import { targets } from './targets.ts'

const seed = 1

for (const target of targets) {
  test.serial(`whatever is given to ${target.name}, its promises hold`, async (t) => {
    t.true((await fuzz(target, { seed })) > target.seeds.length)
  })
}

test('no two targets share a corpus', (t) => {
  t.is(new Set(targets.map(({ name }) => name)).size, targets.length)
})
