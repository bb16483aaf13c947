/** Registries on loopback that misbehave: from the start, or after they have been good for a while. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  request as requestHttp,
  type ServerResponse,
} from 'node:http'
import { pipeline } from 'node:stream/promises'
import type { Teardown } from './tempdir.ts'

/** The layer that never comes to its end says that it has so many bytes. */
const layerBytes = 1_000_000

export const misdeeds = {
  garbage: (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>welcome</html>'),
  loop: (response, path) => response.writeHead(307, { location: path }).end(),
  busy: (response) =>
    fail(response, 429, 'TOOMANYREQUESTS', 'slow down, retry-after: 7', { 'retry-after': '7' }),
  denied: (response) =>
    fail(response, 401, 'UNAUTHORIZED', 'authentication required', { 'www-authenticate': 'Basic realm="x"' }),
  forbidden: (response) => fail(response, 403, 'DENIED', 'requested access to the resource is denied'),
  missing: (response) => fail(response, 404, 'MANIFEST_UNKNOWN', 'manifest unknown'),
  broken: (response) => response.writeHead(500).end('out of order'),
  reset: (response) => response.destroy(),
  lying: (response, path) => serve(response, path, 'whole'),
  hanging: (response, path) => serve(response, path, 'half'),
} as const satisfies Record<string, (response: ServerResponse, path: string) => unknown>

/** What only a whole registry does, whatever it is asked. */
export const wholeMisdeeds = {
  ...misdeeds,
  silent: () => {},
  forged: (response, path) => (path === '/v2/' ? response.end('{}') : forge(response)),
  'without sense in its tokens': (response, path, host) =>
    path.startsWith('/token') ? response.end('<html>no token</html>') : challenge(response, host),
  'not content with its own tokens': (response, path, host) =>
    path.startsWith('/token') ? response.end('{"token":"x","expires_in":300}') : challenge(response, host),
} as const satisfies Record<string, (response: ServerResponse, path: string, host: string) => unknown>

export type Misdeed = keyof typeof wholeMisdeeds

/** Misbehaves in the way that the first part of the repository's name says. `127.0.0.1:PORT`. */
export async function startBadRegistry(t: Teardown): Promise<string> {
  return await listen(t, (request, response) => {
    const path = request.url ?? ''
    const [, misdeed = ''] = /^\/v2\/([^/]+)\//.exec(path) ?? []
    const known = Object.entries(misdeeds).find(([name]) => name === misdeed)
    if (known === undefined) response.writeHead(200).end('{}')
    else known[1](response, path)
  })
}

export interface SpoiledRegistry {
  /** `127.0.0.1:PORT` */
  readonly address: string
  /** From now on; undefined: it is good again. */
  spoil(misdeed: Misdeed | undefined): void
}

/** Hands everything on to the registry at `good`, until it is spoiled. */
export async function startSpoiledRegistry(t: Teardown, good: string): Promise<SpoiledRegistry> {
  let spoiled: Misdeed | undefined
  const address = await listen(t, (request, response) => {
    const path = request.url ?? ''
    if (spoiled === undefined) relay(request, response, good)
    else wholeMisdeeds[spoiled](response, path, address)
  })
  return {
    address,
    spoil: (misdeed) => {
      spoiled = misdeed
    },
  }
}

/** Whoever asks may hang up at any time. */
function relay(request: IncomingMessage, response: ServerResponse, good: string): void {
  const { method, url, headers } = request
  const asked = requestHttp(`http://${good}${url}`, { method, headers, agent: false }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers)
    pipeline(answer, response).catch(() => response.destroy())
  })
  pipeline(request, asked).catch(() => response.destroy())
}

async function listen(t: Teardown, listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(async () => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return `127.0.0.1:${address.port}`
}

function fail(
  response: ServerResponse,
  status: number,
  code: string,
  message: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(JSON.stringify({ errors: [{ code, message }] }))
}

function challenge(response: ServerResponse, host: string): void {
  const realm = `Bearer realm="http://${host}/token",service="test"`
  fail(response, 401, 'UNAUTHORIZED', 'authentication required', { 'www-authenticate': realm })
}

type How = 'whole' | 'half'

/** Another one for each: an engine fetches what two pulls want once. */
const layers: Readonly<Record<How, string>> = {
  whole: `sha256:${'e'.repeat(64)}`,
  half: `sha256:${'f'.repeat(64)}`,
}

function configOf(how: How): string {
  const rootfs = { type: 'layers', diff_ids: [layers[how]] }
  return JSON.stringify({ architecture: 'amd64', os: 'linux', config: {}, rootfs })
}

function digestOf(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`
}

/** A layer is all zeros, whatever its digest says; half of one is all that comes. */
function serve(response: ServerResponse, path: string, how: How): void {
  if (path === '/v2/') response.end('{}')
  else if (path.includes('/manifests/')) manifest(response, how)
  else if (path.endsWith(digestOf(configOf(how)))) response.end(configOf(how))
  else layer(response, how)
}

function layer(response: ServerResponse, how: How): void {
  response.writeHead(200, { 'content-length': layerBytes })
  if (how === 'whole') response.end(Buffer.alloc(layerBytes))
  else response.write(Buffer.alloc(layerBytes / 2))
}

/** A manifest that is not what its digest says. */
function forge(response: ServerResponse): void {
  const type = 'application/vnd.docker.distribution.manifest.v2+json'
  const digest = `sha256:${'d'.repeat(64)}`
  response
    .writeHead(200, { 'content-type': type, 'docker-content-digest': digest })
    .end('{"schemaVersion":2}')
}

function manifest(response: ServerResponse, how: How): void {
  const type = 'application/vnd.docker.distribution.manifest.v2+json'
  const config = configOf(how)
  const image = 'application/vnd.docker.container.image.v1+json'
  const diff = 'application/vnd.docker.image.rootfs.diff.tar.gzip'
  const body = JSON.stringify({
    schemaVersion: 2,
    mediaType: type,
    config: { mediaType: image, size: config.length, digest: digestOf(config) },
    layers: [{ mediaType: diff, size: layerBytes, digest: layers[how] }],
  })
  const length = { 'content-length': body.length }
  response.writeHead(200, { 'content-type': type, 'docker-content-digest': digestOf(body), ...length })
  response.end(body)
}
