/** The API in process, on storage in memory and a manual clock. */
import test from 'ava'
import { startTestServer } from '#test/helpers/apiserver.ts'
import { apiServerSuite } from './apiserver.ts'

apiServerSuite(test, 'in process', async (t, { window } = {}) => {
  const { server, storage, clock, transport, close } = await startTestServer(
    window === undefined ? {} : { window },
  )
  t.teardown(close)
  const forget = async () => storage.compact((await storage.revisions()).current)
  return { transport, clock, forget, stats: () => server.cache.stats() }
})
