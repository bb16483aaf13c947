import test from 'ava'
import { ask, startTestServer } from '#test/helpers/apiserver.ts'

const containers = '/apis/cove.run/v1/namespaces/default/containers'

test('a stricter level looks at no more than it has time for, and shows no more than can be read', async (t) => {
  const { storage, transport, server, close } = await startTestServer()
  t.teardown(close)
  const stored = (name: string) =>
    JSON.stringify({
      apiVersion: 'cove.run/v1',
      kind: 'Container',
      metadata: { name, namespace: 'default', uid: name },
      spec: { image: 'a:1', networkMode: 'host' },
    })
  for (let index = 0; index < 3002; index++) {
    const name = `c${String(index).padStart(4, '0')}`
    const result = await storage.create(`/registry/cove.run/containers/default/${name}`, stored(name))
    if (result.ok && index === 3001) await server.cache.shows(result.revision)
  }
  t.is((await ask(transport, `GET ${containers}?limit=1`)).body.metadata.remainingItemCount, 3001)
  const { status, headers } = await ask(transport, 'PATCH /api/v1/namespaces/default', {
    body: { metadata: { labels: { 'cove.run/enforce': 'baseline' } } },
  })
  t.is(status, 200)
  const warnings = (headers['warning'] ?? '').split('", 299 - "')
  t.is(warnings.length, 3)
  t.regex(warnings[1] ?? '', /^c0000, c0001, .*, c0019 and 2980 more: host network$/)
  t.regex(warnings[2] ?? '', /^2 more containers were not looked at/)
})

test('nobody comes to the network of the node through a Container from before the level', async (t) => {
  const { transport, close } = await startTestServer()
  t.teardown(close)
  const make = (name: string, networkMode: string) =>
    ask(transport, `POST ${containers}`, {
      body: {
        apiVersion: 'cove.run/v1',
        kind: 'Container',
        metadata: { name },
        spec: { image: 'a:1', networkMode },
      },
    })
  const label = (value: string | null) =>
    ask(transport, 'PATCH /api/v1/namespaces/default', {
      body: { metadata: { labels: { 'cove.run/enforce': value } } },
    })
  for (const [name, mode] of [
    ['old', 'host'],
    ['through', 'container:old'],
    ['fine', 'none'],
  ] as const)
    t.is((await make(name, mode)).status, 201)
  await label('baseline')
  for (const owner of ['old', 'through']) {
    const { status, body } = await make(`by-${owner}`, `container:${owner}`)
    t.is(status, 403)
    t.regex(
      body.message,
      /violates PodSecurity "baseline:latest": host network \(spec\.networkMode must not be "host"\)/,
    )
  }
  t.is((await make('good', 'container:fine')).status, 201)
  t.is((await make('later', 'container:nobody')).status, 201)
  t.is((await make('nobody', 'host')).status, 403)
  // What was there goes on to be placed and stopped.
  const stop = { body: { spec: { state: 'Stopped' } } }
  t.is((await ask(transport, `PATCH ${containers}/through`, stop)).status, 200)
})

test('a Build below the level privileged has its own name and no file of the node, and keeps its Image', async (t) => {
  const { transport, close } = await startTestServer()
  t.teardown(close)
  const cove = '/apis/cove.run/v1/namespaces/default'
  const level = (value: string) =>
    ask(transport, 'PATCH /api/v1/namespaces/default', {
      body: { metadata: { labels: { 'cove.run/enforce': value } } },
    })
  const make = async (kind: string, name: string, spec: object, more = {}) => {
    const path = `${cove}/${kind.toLowerCase()}s`
    const body = { apiVersion: 'cove.run/v1', kind, metadata: { name, ...more }, spec }
    const answer = await ask(transport, `POST ${path}`, { body })
    return answer.status === 201
      ? undefined
      : String(answer.body.message).replace(/^.*baseline:latest": /, '')
  }
  const inline = { context: { empty: {} }, dockerfileInline: 'FROM scratch\nENV A=1\n' }
  const build = (name: string, spec: object) => make('Build', name, { ...inline, ...spec })
  await level('baseline')
  t.is(await build('web', {}), undefined)
  t.is(
    await build('named', { tags: ['nginx:1'], push: [{ reference: 'r.example.com/x' }] }),
    'names of other images (spec.tags[0] must not be set, spec.push[0] must not be set)',
  )
  t.is(
    await build('disk', { context: { hostPath: '/etc' }, outputs: [{ from: '/a', to: '/etc/cron.d/a' }] }),
    'files of the node (spec.context.hostPath must not be set, spec.outputs[0].to must not be a path of the node)',
  )
  t.regex(
    (await build('cloned', { context: { git: { url: 'file:///srv/git' } } })) ?? '',
    /files of the node/,
  )
  t.is(await build('open', { network: 'host' }), 'network of steps (spec.network must not be "host")')
  t.is(
    await build('cache', {
      cacheFrom: ['evil/x'],
      args: { http_proxy: 'http://evil', V: '1' },
      network: 'mine',
    }),
    'network of steps (spec.network must not be "mine"), cache of others (spec.args[http_proxy] must not be "http_proxy", spec.cacheFrom[0] must not be set)',
  )
  const context = { git: { url: 'https://git.example/x' } }
  t.is(
    await make('Build', 'hidden', { context }),
    'addresses asked by the node (spec.dockerfileInline must be set: what the Dockerfile fetches must be readable here)',
  )
  t.is(await build('shown', { context }), undefined)
  t.is(
    await build('tar', { context: { tar: { url: 'http://127.0.0.1/x' } } }),
    'addresses asked by the node (spec.context.tar must not be set)',
  )
  const adds = {
    context: { inline: { files: { Dockerfile: 'FROM scratch\nADD http://127.0.0.1:2375/ /x\n' } } },
  }
  t.is(
    await make('Build', 'adds', adds),
    'addresses asked by the node (spec.dockerfileInline must not ADD "http://127.0.0.1:2375/" (line 2): the node would fetch it, and not a step; RUN may)',
  )
  t.regex(
    (await build('read', { dockerfileInline: '# syntax=evil/x\nFROM scratch\nENV A=1\n' })) ?? '',
    /must not be read by "evil\/x"/,
  )
  const usual = '# syntax=docker/dockerfile:1\nFROM scratch\nENV A=1\n'
  t.is(await build('usual', { dockerfileInline: usual }), undefined)
  const source = { build: 'web' }
  const { uid } = (await ask(transport, `GET ${cove}/builds/web`)).body.metadata
  const ownerReferences = [{ apiVersion: 'cove.run/v1', kind: 'Build', name: 'web', uid, controller: true }]
  const kept = { reference: 'localhost/default/web:latest', source }
  t.is(await make('Image', 'web', kept, { ownerReferences }), undefined)
  const stolen = await make('Image', 'stolen', { reference: 'nginx:1', source })
  t.is(stolen, 'images that no registry vouches for (spec.source.build must not be set)')
  const { headers } = await level('restricted')
  t.regex(headers['warning'] ?? '', /web: steps as root/)
  t.notRegex(headers['warning'] ?? '', /images that no registry/)
  t.regex((await build('late', {})) ?? '', /steps of a build run as root/)
})
