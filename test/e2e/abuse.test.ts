/**
 * A `cove server` of its own under load and abuse: each kind of wrong request is answered properly, memory stays
 * bounded, and meanwhile and afterwards the server serves everybody else.
 */
import { deepEqual, ok } from 'node:assert/strict'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect as connectPlain, type Socket } from 'node:net'
import { createSecureContext, type TLSSocket } from 'node:tls'
import anyTest, { type ExecutionContext, type TestFn } from 'ava'
import { drained, maxBodyBytes } from '#pkg/apimachinery/wire.ts'

import { CoveServer } from '../helpers/coveserver.ts'
import { eventually } from '../helpers/eventually.ts'
import { type Door, dial, hear, type RawAnswer, requestText, say } from '../helpers/rawtls.ts'
import { makeTempDir } from '../helpers/tempdir.ts'

const mebibyte = 1024 * 1024
/** A usual request beside the abuse; machines of tests are busy. */
const promptMs = 10_000
const configMaps = '/api/v1/namespaces/default/configmaps'

interface Given {
  readonly server: CoveServer
  readonly door: Door
}

const test = anyTest as TestFn<Given>

/** What is to be done at the end, last first: hooks have no teardown of their own. */
const atEnd: (() => unknown)[] = []

test.after.always(async () => {
  for (const finish of atEnd.reverse()) await finish()
})

test.before(async (t) => {
  const later = { teardown: (finish: () => unknown) => void atEnd.push(finish) }
  const home = await makeTempDir(later, 'abuse')
  const server = new CoveServer(later, { home, dataDir: `${home}/data` })
  await server.start()
  const { server: url, ca = '', cert = '', key = '' } = server.target
  const context = createSecureContext({ ca, cert, key })
  t.context = { server, door: { port: Number(new URL(url).port), ca, context } }
})

/** Throws unless the server does what servers are for, soon. */
async function serves({ context: { door } }: ExecutionContext<Given>): Promise<void> {
  const started = performance.now()
  const answer = await say(door, requestText('GET', '/api/v1/namespaces/default'))
  deepEqual([answer.status, JSON.parse(answer.body).metadata.name], [200, 'default'])
  const took = performance.now() - started
  ok(took < promptMs, `a usual request took ${Math.round(took)} ms`)
}

async function rss({ context: { server } }: ExecutionContext<Given>): Promise<number> {
  const status = await readFile(`/proc/${server.pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024
}

function isRefused(t: ExecutionContext<Given>, what: string, { status, body }: RawAnswer): void {
  t.true(status >= 400 && status < 500, `${what}: ${status} ${body.slice(0, 300)}`)
  const told = JSON.parse(body)
  t.is(told.kind, 'Status', what)
  t.is(told.code, status, what)
}

function post(
  t: ExecutionContext<Given>,
  body: string,
  { path = configMaps, type = 'application/json' } = {},
) {
  return say(t.context.door, requestText('POST', path, body, type))
}

const configMap = (name: string, more: object = {}) =>
  JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, ...more })

test('bodies beyond the limit are refused with 413, however they come', async (t) => {
  const head = `POST ${configMaps} HTTP/1.1\r\nHost: cove\r\nContent-Type: application/json\r\n`
  const tooLong = configMap('long', { data: { a: 'x'.repeat(maxBodyBytes) } })
  const chunks = `${tooLong.length.toString(16)}\r\n${tooLong}\r\n0\r\n\r\n`
  const answers = await Promise.all([
    post(t, tooLong),
    say(t.context.door, `${head}Transfer-Encoding: chunked\r\n\r\n${chunks}`),
    say(t.context.door, `${head}Content-Length: 1099511627776\r\n\r\n`),
    endless(t.context.door, `${head}Transfer-Encoding: chunked\r\n\r\n`),
  ])
  for (const answer of answers) {
    isRefused(t, 'too long', answer)
    t.is(answer.status, 413)
    t.regex(answer.head, /connection: close/i)
  }
  await serves(t)
})

/** Sends until the server closes. */
async function endless(door: Door, head: string): Promise<RawAnswer> {
  const socket = await dial(door)
  socket.setMaxListeners(0)
  const answer = hear(socket)
  socket.write(head)
  const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`
  while (!socket.destroyed && socket.writable) if (!socket.write(chunk)) await drained(socket)
  return await answer
}

const deep = 10_000
const alias = `a: &a [x,x,x,x,x,x,x,x,x]\n${[...'bcdefghi'].map((name, index) => `${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[index]}`).join(',')}]\n`).join('')}`

const malformed: Readonly<Record<string, readonly [string, string?]>> = {
  nothing: [''],
  'half an object': ['{"apiVersion":"v1"'],
  'a list': ['[1,2]'],
  null: ['null'],
  'objects in objects': [`${'{"a":'.repeat(deep)}1${'}'.repeat(deep)}`],
  'lists in lists': [`{"a":${'['.repeat(deep)}${']'.repeat(deep)}}`],
  'open lists': ['['.repeat(mebibyte)],
  'lists in lists of YAML': [`a: ${'['.repeat(deep)}${']'.repeat(deep)}`, 'application/yaml'],
  'blocks in blocks of YAML': [
    Array.from({ length: 1500 }, (_, level) => `${' '.repeat(level)}a:\n`).join(''),
    'application/yaml',
  ],
  'aliases of aliases of YAML': [alias, 'application/yaml'],
  'an alias of itself': ['a: &a [*a]\n', 'application/yaml'],
  'no YAML': ['a: [\n', 'application/yaml'],
  'several documents': ['a: 1\n---\nb: 2\n', 'application/yaml'],
  'no protobuf': ['k8s\0\xff\xff\xff\xff\xff', 'application/vnd.kubernetes.protobuf'],
  'a type that is none': ['x', 'text/plain; charset=\x7f'],
  'a million wrong items': [
    `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","finalizers":[${Array(mebibyte).fill('1').join(',')}]}}`,
  ],
  'a set of one item': [
    `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","finalizers":[${Array(400_000).fill('"a/b"').join(',')}]}}`,
  ],
  'a set of many items': [
    `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","finalizers":[${Array.from({ length: 200_000 }, (_, index) => `"a/${index}"`).join(',')},"a/0"]}}`,
  ],
  'a hundred thousand members twice': [
    `{${Array.from({ length: 100_000 }, (_, index) => `"a${index}":1,"a${index}":1`).join(',')}}`,
  ],
}

for (const [what, [body, type = 'application/json']] of Object.entries(malformed)) {
  test.serial(`${what} as a body is refused soon`, async (t) => {
    const started = performance.now()
    const answer = await say(t.context.door, requestText('POST', configMaps, body, type))
    const took = performance.now() - started
    isRefused(t, what, answer)
    t.true(took < promptMs, `${Math.round(took)} ms`)
    t.true(answer.body.length < mebibyte, `${answer.body.length} characters`)
    await serves(t)
  })
}

test('of a hundred thousand unknown members the first are told, as an error or as warnings', async (t) => {
  const members = Array.from({ length: 100_000 }, (_, index) => [`a${index}`, 1])
  const body = configMap('unknown', Object.fromEntries(members))
  const refused = await post(t, body)
  isRefused(t, 'unknown members', refused)
  t.true(refused.body.length < mebibyte, `${refused.body.length} characters`)
  const warned = await post(t, body, { path: `${configMaps}?fieldValidation=Warn` })
  t.is(warned.status, 201)
  t.regex(warned.head, /warning: 299 - "unknown field/i)
  t.true(warned.head.length < 16 * 1024, `${warned.head.length} characters of headers`)
})

test('names of prototypes are names like others, or refused, wherever they stand', async (t) => {
  const own = configMap('protonames', { data: { constructor: 'a', toString: 'b', hasOwnProperty: 'c' } })
  const made = await post(t, own)
  t.is(made.status, 201, made.body)
  t.deepEqual(JSON.parse(made.body).data, { constructor: 'a', toString: 'b', hasOwnProperty: 'c' })
  const proto = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"p","labels":{"__proto__":"x"}}}'
  for (const body of [
    proto,
    proto.replace('__proto__', '\\u005f_proto__'),
    '{"__proto__":{"kind":"ConfigMap"}}',
  ])
    isRefused(t, body, await post(t, body))
  isRefused(t, 'YAML', await post(t, '__proto__: {a: 1}\nkind: ConfigMap\n', { type: 'application/yaml' }))
  const ask = (path: string) => say(t.context.door, requestText('GET', path))
  for (const path of [
    '/api/v1/__proto__',
    '/apis/constructor/v1/toString',
    '/api/v1/namespaces/__proto__',
    '/__proto__',
    `${configMaps}/constructor`,
    `${configMaps}?fieldSelector=__proto__%3Dx`,
  ])
    isRefused(t, path, await ask(path))
  for (const query of [
    '__proto__=1',
    'constructor=1',
    'labelSelector=__proto__',
    'labelSelector=constructor%3Dx',
  ])
    t.is((await ask(`${configMaps}?${query}`)).status, 200, query)
  await serves(t)
})

test('targets that are none are refused', async (t) => {
  const paths = [
    '/api/v1/namespaces/default/configmaps/%zz',
    '/api/v1/namespaces/default/configmaps/%c0%ae%c0%ae',
    '/api/v1/namespaces/default/configmaps/..%2f..%2f..%2fetc%2fpasswd',
    '/api/v1/namespaces/default/configmaps/../../../../etc/passwd',
    '/api/v1/../../etc/passwd',
    '/%2e%2e/%2e%2e/etc/passwd',
    '/api/v1/namespaces/default/configmaps/%00',
    '/api/v1/namespaces/default/configmaps/a%00b',
    `/api/v1/namespaces/${'n'.repeat(5_000)}`,
    `/api/v1/namespaces/default/configmaps/${'n'.repeat(254)}`,
    `/${'a/'.repeat(20_000)}`,
    '/api/v1/namespaces/default/configmaps/%ed%a0%80',
    '/%F0%9F%92%A5',
    `${configMaps}?limit=-1`,
    `${configMaps}?limit=99999999999999999999`,
    `${configMaps}?limit=1e3`,
    `${configMaps}?resourceVersion=x`,
    `${configMaps}?continue=%00`,
    `${configMaps}?labelSelector=a%20in%20(`,
    `${configMaps}?fieldSelector=nothing`,
    `${configMaps}?watch=perhaps`,
  ]
  for (const path of paths)
    isRefused(t, path.slice(0, 80), await say(t.context.door, requestText('GET', path)))
  await serves(t)
})

test('queries that are odd and not wrong are answered', async (t) => {
  const many = Array.from({ length: 3_000 }, (_, index) => `a${index}!=b`).join(',')
  const queries = [
    'limit=999999999999',
    'limit=1&limit=2&limit=0',
    'a=b&a=c&&&=&=x',
    `labelSelector=${encodeURIComponent(many)}`,
    'labelSelector=%20',
  ]
  for (const query of queries) {
    const answer = await say(t.context.door, requestText('GET', `${configMaps}?${query}`))
    t.is(answer.status, 200, `${query.slice(0, 60)}: ${answer.body.slice(0, 300)}`)
  }
  await serves(t)
})

test('what is no HTTP is refused and closed', async (t) => {
  const body = requestText('POST', configMaps, '{}')
  const messages: Readonly<Record<string, string>> = {
    garbage: 'this is no HTTP\r\n\r\n',
    'zero bytes': '\0'.repeat(1000),
    'the preface of HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    'HTTP/3.0': 'GET / HTTP/3.0\r\nHost: x\r\n\r\n',
    'a method that is none': 'BREW / HTTP/1.1\r\nHost: x\r\n\r\n',
    'two lengths': body.replace('Content-Length: 2', 'Content-Length: 2\r\nContent-Length: 3'),
    'a length and chunks': body.replace(
      'Content-Length: 2',
      'Content-Length: 2\r\nTransfer-Encoding: chunked',
    ),
    'chunks that are none': body
      .replace('Content-Length: 2', 'Transfer-Encoding: chunked')
      .replace(/\{\}$/, 'zz\r\n{}'),
    'a length that is none': body.replace('Content-Length: 2', 'Content-Length: -2'),
    'a header with a line break': 'GET / HTTP/1.1\r\nHost: x\r\nA: b\nC: d\r\n e\r\n\r\n',
    'no host': 'GET / HTTP/1.1\r\n\r\n',
    'a target without a slash': 'GET api HTTP/1.1\r\nHost: x\r\n\r\n',
  }
  for (const [what, text] of Object.entries(messages)) {
    const { status } = await say(t.context.door, Buffer.from(text, 'latin1'))
    t.is(status, 400, what)
  }
  for (const method of ['TRACE', 'OPTIONS', 'PROPFIND'])
    isRefused(t, method, await say(t.context.door, requestText(method, configMaps)))
  await serves(t)
})

test('headers beyond their length are refused with 431', async (t) => {
  const floods = [
    `GET /api HTTP/1.1\r\nHost: x\r\n${Array.from({ length: 10_000 }, (_, index) => `x-${index}: y\r\n`).join('')}\r\n`,
    `GET /api HTTP/1.1\r\nHost: x\r\nA: ${'a'.repeat(mebibyte)}\r\n\r\n`,
    `GET ${configMaps}?labelSelector=${'a'.repeat(mebibyte)} HTTP/1.1\r\nHost: x\r\n\r\n`,
  ]
  for (const flood of floods) {
    const answer = await say(t.context.door, flood)
    isRefused(t, flood.slice(0, 60), answer)
    t.is(answer.status, 431)
  }
  await serves(t)
})

test('requests sent one behind the other are answered in their order', async (t) => {
  const socket = await dial(t.context.door)
  const names = Array.from({ length: 100 }, (_, index) => `pipelined-${index}`)
  socket.write(names.map((name) => requestText('GET', `${configMaps}/${name}`)).join(''))
  let text = ''
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  await eventually(
    () => {
      const told = [...text.matchAll(/"message":"configmaps \\"(pipelined-\d+)\\" not found"/g)].map(
        ([, name]) => name,
      )
      deepEqual(told, names)
    },
    { timeoutMs: 20_000 },
  )
  t.false(socket.destroyed)
  socket.destroy()
  await serves(t)
})

test('what is ahead of the store is told so: a list waits a little, a watch must list again', async (t) => {
  const future = 'resourceVersion=999999999'
  const list = await say(t.context.door, requestText('GET', `${configMaps}?${future}`))
  t.is(list.status, 504)
  t.is(JSON.parse(list.body).details.causes[0].reason, 'ResourceVersionTooLarge')
  t.regex(list.head, /retry-after: 1/i)
  const watch = await say(t.context.door, requestText('GET', `${configMaps}?watch=1&${future}`))
  t.is(watch.status, 410)
  t.is(JSON.parse(watch.body).reason, 'Expired')
})

test('requests given up half way leave nothing behind', async (t) => {
  const before = await rss(t)
  const body = configMap('given-up', { data: { a: 'x'.repeat(mebibyte) } })
  const whole = requestText('POST', configMaps, body)
  for (let round = 0; round < 10; round++) {
    const sockets = await Promise.all(Array.from({ length: 20 }, () => dial(t.context.door)))
    for (const [index, socket] of sockets.entries()) {
      socket.write(index % 2 === 0 ? whole.slice(0, whole.length / 2) : requestText('GET', '/openapi/v3'))
      socket.destroy()
    }
  }
  await serves(t)
  const grown = (await rss(t)) - before
  t.true(grown < 256 * mebibyte, `${Math.round(grown / mebibyte)} MiB more`)
})

test('upgrades to nothing, and garbage after an upgrade, end the connection only', async (t) => {
  const upgrade = (path: string, protocol: string, more = '') =>
    `GET ${path} HTTP/1.1\r\nHost: cove\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n${more}\r\n`
  const key = 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n'
  const exec = '/api/v1/namespaces/default/pods/none/exec?command=sh&stdout=1'
  const refused = [
    upgrade(exec, 'websocket', `${key}Sec-WebSocket-Protocol: v5.channel.k8s.io\r\n`),
    upgrade(exec, 'websocket', 'Sec-WebSocket-Key: x\r\n'),
    upgrade(exec, 'SPDY/3.1', 'X-Stream-Protocol-Version: v4.channel.k8s.io\r\n'),
    upgrade(exec, 'h2c'),
    upgrade('/nothing', 'websocket', key),
    upgrade('/%zz', 'websocket', key),
  ]
  for (const text of refused) {
    const { status } = await say(t.context.door, text)
    t.true(status >= 400 && status < 500, `${status} to ${text.slice(0, 120)}`)
  }
  const tunnel = upgrade('/apis/cove.run/v1/nodes/none/tunnel', 'cove-tunnel')
  for (const garbage of [
    'garbage\r\n'.repeat(1000),
    '\0'.repeat(100_000),
    `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${'\xff'.repeat(1000)}`,
  ]) {
    const socket = await dial(t.context.door)
    socket.write(tunnel)
    socket.write(Buffer.from(garbage, 'latin1'))
    await once(socket.resume(), 'close')
  }
  await serves(t)
})

test('connections that say nothing, or too slowly, are closed', async (t) => {
  const { door } = t.context
  const mute: Socket[] = Array.from({ length: 100 }, () => connectPlain(door.port, '127.0.0.1'))
  for (const socket of mute) socket.on('error', () => {}).resume()
  const idle = await Promise.all(Array.from({ length: 100 }, () => dial(door)))
  const slow = await Promise.all(Array.from({ length: 50 }, () => dial(door)))
  const trickle = setInterval(() => {
    for (const socket of slow) if (socket.writable) socket.write('x')
  }, 1_000)
  for (const socket of slow) socket.write('GET /api HTTP/1.1\r\nHost: cove\r\nX: ')
  const answers = Promise.all([...idle, ...slow].map((socket) => hear(socket)))
  await serves(t)
  await Promise.all(mute.map((socket) => socket.destroyed || once(socket, 'close')))
  await serves(t)
  for (const { status } of await answers) t.is(status, 408)
  clearInterval(trickle)
  await serves(t)
})
test.serial('watches that never read are cut, and cost little until then', async (t) => {
  const before = await rss(t)
  const watches = await Promise.all(Array.from({ length: 100 }, () => stuckWatch(t.context.door)))
  const rounds = 150
  for (let round = 0; round < rounds; round++) {
    const body = configMap('stuck', { data: { a: `${round}`.padEnd(mebibyte, 'x') } })
    const answer = await say(
      t.context.door,
      requestText(round === 0 ? 'POST' : 'PUT', round === 0 ? configMaps : `${configMaps}/stuck`, body),
    )
    t.true(answer.status < 300, answer.body.slice(0, 300))
  }
  await serves(t)
  const grown = (await rss(t)) - before
  t.log(
    `${watches.length} watches that do not read, ${rounds} MiB of changes: ${Math.round(grown / mebibyte)} MiB more`,
  )
  t.true(grown < 1024 * mebibyte, `${Math.round(grown / mebibyte)} MiB more`)
  for (const socket of watches) socket.destroy()
})

async function stuckWatch(door: Door): Promise<TLSSocket> {
  const socket = await dial(door)
  socket.write(requestText('GET', `${configMaps}?watch=1`))
  await once(socket, 'data')
  socket.pause()
  return socket
}
