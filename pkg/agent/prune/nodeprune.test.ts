import test from 'ava'
import { ManualClock } from '#pkg/apimachinery/ambient.ts'
import { inProcess } from '#pkg/apimachinery/transport.ts'
import { decodeNodePrune } from '#pkg/apis/looks.prune.ts'
import type { PrunePolicySpec } from '#pkg/apis/prunepolicy.ts'
import { SimEngine } from '#pkg/engine/sim.ts'
import { streamsHandler } from '../streams.ts'

const done = {
  removed: [{ what: 'image a:1', why: 'nothing uses it', bytes: 10 }],
  kept: [{ what: 'volume data', why: 'it has a name' }],
  failed: [],
  reclaimedBytes: 10,
}

function make() {
  const asked: { spec: PrunePolicySpec; dryRun: boolean }[] = []
  const clock = new ManualClock()
  const handler = streamsHandler({
    engine: new SimEngine({ clock }),
    clock,
    nodeName: 'n1',
    ownerOf: () => undefined,
    prune: async (spec, dryRun) => {
      asked.push({ spec, dryRun })
      return done
    },
  })
  const post = async (body: string, query = '') => {
    const { signal } = new AbortController()
    const answer = await inProcess(handler, { name: 'root', groups: [] })({
      method: 'POST',
      path: '/prune',
      query: new URLSearchParams(query),
      headers: {},
      body,
      signal,
    })
    const value: unknown = JSON.parse(String(answer.body))
    return { status: answer.status, value }
  }
  return { asked, post }
}

test('a prune is asked for as the spec of a PrunePolicy, which is completed, and answered as it went', async (t) => {
  const { asked, post } = make()
  const { status, value } = await post(
    '{"images":{"olderThan":"0s"},"disk":{"high":9,"low":1}}',
    'dryRun=true',
  )
  t.is(status, 200)
  t.deepEqual(decodeNodePrune(value), done)
  const images = { dangling: true, unused: false, olderThan: '0s' }
  t.deepEqual(asked, [{ spec: { nodeSelector: {}, images, dryRun: false }, dryRun: true }])
})

test('what is no spec of a PrunePolicy is refused, and nothing is pruned', async (t) => {
  const { asked, post } = make()
  for (const body of ['', '[]', '{', '{"images":{"olderThan":"soon"}}', '{"everything":true}'])
    t.is((await post(body)).status, 400, body)
  t.deepEqual(asked, [])
})
