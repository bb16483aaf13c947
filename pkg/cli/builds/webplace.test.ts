/** A web address as a build takes it: by what is there, whatever it is called. */
import test from 'ava'
import { packInline } from '#pkg/build/context/inline.ts'
import { gather } from '#test/helpers/imagearchive.ts'
import { serveFiles } from '#test/helpers/images.ts'
import { dockerfileAt } from './webplace.ts'

const io = { signal: new AbortController().signal }

test('text is a Dockerfile, an archive is none, and what is called an archive is not asked for', async (t) => {
  const text = 'FROM scratch\n# größer\n'
  const archive = await gather(packInline({ Dockerfile: text }))
  const server = await serveFiles({
    '/raw/build': { body: Buffer.from(text) },
    '/context': { body: archive },
    '/context.tgz': { body: Buffer.from(text) },
    '/program': { body: Buffer.from('\x7fELF\0\0\0'.repeat(100)) },
    '/Dockerfile': { body: archive },
  })
  t.teardown(() => server.close())
  const at = (path: string) => dockerfileAt(`${server.base}${path}`, io)
  t.is(await at('/raw/build'), text)
  for (const other of ['/context', '/context.tgz', '/program', '/Dockerfile', '/gone'])
    t.is(await at(other), undefined, other)
})

test('a Dockerfile by its name must be had from here; of other addresses the node says why not', async (t) => {
  const server = await serveFiles({})
  t.teardown(() => server.close())
  await t.throwsAsync(dockerfileAt(`${server.base}/Dockerfile`, io), {
    message: `cannot read "${server.base}/Dockerfile": the server answered 404`,
  })
  t.is(await dockerfileAt('http://127.0.0.1:1/context', io), undefined)
  await t.throwsAsync(dockerfileAt('http://127.0.0.1:1/app.Dockerfile', io), {
    message: /bad port|ECONNREFUSED/,
  })
})

test('whoever gives up is not kept waiting', async (t) => {
  const stop = AbortSignal.abort(new Error('given up'))
  await t.throwsAsync(dockerfileAt('http://127.0.0.1:1/context', { signal: stop }), { message: 'given up' })
})
