import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import test, { type ExecutionContext } from 'ava'
import { type ClientOptions, WebSocket } from 'ws'
import { ManualClock } from '#pkg/apimachinery/ambient.ts'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import { plainHeaders } from '#pkg/apimachinery/wire.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { adminUser } from '#test/helpers/request.ts'
import { acceptWebSocket, checkHandshake, type MessageSocket, offeredProtocols } from './websocket.ts'

const tunnel = 'SPDY/3.1+portforward.k8s.io'

/** A connected client, and the server's end of it on a clock that stands still. */
async function connected(t: ExecutionContext, options: ClientOptions = {}) {
  const clock = new ManualClock()
  const server = createServer()
  const accepted = Promise.withResolvers<{ socket: MessageSocket; raw: Duplex }>()
  server.on('upgrade', (incoming, socket, head) => {
    const aborter = new AbortController()
    socket.once('close', () => aborter.abort())
    const request = {
      method: 'GET',
      path: '/',
      query: new URLSearchParams(),
      headers: plainHeaders(incoming.headers),
      signal: aborter.signal,
    }
    const upgrade = { request, user: adminUser, socket, head }
    checkHandshake(upgrade)
    acceptWebSocket(upgrade, offeredProtocols(upgrade)[0] ?? '', clock).then(
      (made) => accepted.resolve({ socket: made, raw: socket }),
      accepted.reject,
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const client = new WebSocket(`ws://127.0.0.1:${port}/`, ['v5.channel.k8s.io'], options)
  t.teardown(() => {
    client.terminate()
    server.close()
  })
  await once(client, 'open')
  return { client, clock, ...(await accepted.promise) }
}

test('the first message waits a moment, since kubectl drops what comes with the handshake', async (t) => {
  const { client, clock, socket } = await connected(t)
  let sent = false
  const sending = socket.send(Buffer.from('first')).then(() => {
    sent = true
  })
  await clock.advance(19)
  t.false(sent)
  const message = once(client, 'message')
  await clock.advance(1)
  await sending
  t.is(String((await message)[0]), 'first')
})

test('a client that is held because nobody reads it is told that the server lives', async (t) => {
  const { client, clock, socket, raw } = await connected(t)
  client.send(Buffer.alloc(1024 * 1024))
  // The answer to a ping of its own would not come: what it sends is not read.
  const pong = once(client, 'pong')
  const reader = socket.messages[Symbol.asyncIterator]()
  await eventually(() => assert.ok(raw.isPaused()))
  for (let beats = 0; beats < 50; beats++) await clock.advance(10_000)
  await pong
  t.is(client.readyState, WebSocket.OPEN)
  t.is((await reader.next()).value?.length, 1024 * 1024)
})

test('a client that gives no sign of life for a minute is let go', async (t) => {
  const { client, clock } = await connected(t, { autoPong: false })
  const closed = once(client, 'close')
  for (let beats = 0; beats < 7; beats++) await clock.advance(10_000)
  t.is((await closed)[0], 1006)
})

test('closing does not wait forever for a client that does not answer', async (t) => {
  const { client, clock, socket } = await connected(t)
  client.pause()
  await clock.advance(20)
  const closing = socket.close()
  await clock.advance(5000)
  await closing
  await t.notThrowsAsync(socket.send(Buffer.from('too late')))
})

test('a handshake that is none is refused before anything is sent', (t) => {
  const upgrade = (headers: Record<string, string>) => ({
    request: {
      method: 'GET',
      path: '/',
      query: new URLSearchParams(),
      headers,
      signal: new AbortController().signal,
    },
  })
  const key = { 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' }
  t.throws(() => checkHandshake(upgrade({})), { instanceOf: StatusError, message: /Key/ })
  t.throws(() => checkHandshake(upgrade({ ...key, 'sec-websocket-version': '8' })), { message: /version 13/ })
  t.notThrows(() => checkHandshake(upgrade({ ...key, 'sec-websocket-version': '13' })))
  t.deepEqual(offeredProtocols(upgrade({ 'sec-websocket-protocol': `a, ${tunnel}` })), ['a', tunnel])
})
