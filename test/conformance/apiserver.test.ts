/** The API in process, on storage in memory and a manual clock. */
import test from 'ava'
import { startTestServer } from '#test/helpers/apiserver.ts'
import { apiServerSuite } from './apiserver.ts'

apiServerSuite(test, 'in process', async (t, { window } = {}) => {
  const { server, clock, transport, close } = await startTestServer(window === undefined ? {} : { window })
  t.teardown(close)
  return { transport, clock, stats: () => server.cache.stats() }
})
