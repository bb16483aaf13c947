import assert from 'node:assert/strict'
import test from 'ava'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import { openInProcessStorage } from './inprocess.ts'
import { gaugeRoom } from './roomgauge.ts'

test('a store is full from a write that found no room until one succeeds, or there is room', async (t) => {
  const store = openInProcessStorage()
  let full = false
  let free = 0
  const write = store.create.bind(store)
  store.create = (key, value) =>
    full ? Promise.reject(new StatusError('NoSpace', 'it is full')) : write(key, value)
  const gauge = gaugeRoom(store, async () => free)
  await gauge.storage.create('/a', '1')
  await gauge.check()
  full = true
  await assert.rejects(gauge.storage.create('/b', '1'), { reason: 'NoSpace' })
  await assert.rejects(gauge.check(), { reason: 'NoSpace', message: /it is full; 0 bytes are free/ })
  free = 10_000_000
  await gauge.check()
  free = 0
  full = false
  t.is((await gauge.storage.get('/a'))?.value, '1')
  await assert.rejects(gauge.check(), { reason: 'NoSpace' })
  await gauge.storage.create('/b', '1')
  await gauge.check()
  await gauge.storage.close()
})
