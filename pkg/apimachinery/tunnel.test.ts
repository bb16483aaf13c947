import { connect, createServer } from 'node:http2'
import { Duplex, type DuplexOptions } from 'node:stream'
import test from 'ava'
import { ManualClock } from './ambient.ts'
import { keepAlive, tunnelHeaders, tunnelPath } from './tunnel.ts'

test('the path names the node, whatever is in its name', (t) => {
  t.is(tunnelPath('n1'), '/apis/cove.run/v1/nodes/n1/tunnel')
  t.is(tunnelPath('a/b'), '/apis/cove.run/v1/nodes/a%2Fb/tunnel')
})

test('headers of one connection stay with it', (t) => {
  const headers = { accept: 'x', connection: 'close', host: 'h', te: 'trailers', 'content-length': '3' }
  t.deepEqual(tunnelHeaders(headers), { accept: 'x' })
})

/** Two ends of a wire that can be cut without either end noticing. */
function makeWire(): { near: Duplex; far: Duplex; cut: () => void } {
  let whole = true
  const end = (other: () => Duplex): Duplex => {
    const options: DuplexOptions = {
      read() {},
      write(chunk, _encoding, done) {
        if (whole) other().push(chunk)
        done()
      },
    }
    return new Duplex(options)
  }
  const near: Duplex = end(() => far)
  const far: Duplex = end(() => near)
  return { near, far, cut: () => (whole = false) }
}

test('a session whose peer falls silent is destroyed within a ping; one that answers lives on', async (t) => {
  const clock = new ManualClock()
  const { near, far, cut } = makeWire()
  const server = createServer()
  server.on('sessionError', () => {})
  server.emit('connection', far)
  const session = connect('http://tunnel', { createConnection: () => near })
  const died = new Promise<Error>((resolve) => session.once('error', resolve))
  await new Promise<void>((resolve) => session.once('connect', () => resolve()))
  keepAlive(session, clock)
  for (let ping = 0; ping < 4; ping++) {
    const answered = new Promise<void>((resolve) => session.ping(() => resolve()))
    await clock.advance(15_000)
    await answered
  }
  t.false(session.destroyed)
  cut()
  await clock.advance(30_000)
  t.is((await died).message, 'the peer does not answer pings')
  t.true(session.destroyed)
  near.destroy()
  far.destroy()
})
