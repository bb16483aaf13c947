/** A port of this machine, reachable under the same number in the network of a private engine: relayed by a socket file. */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { endWithUs } from './guard.ts'
import type { PrivateEngine } from './private-engine.ts'
import { makeTempDir, type Teardown } from './tempdir.ts'

/** Runs in that network: its words are the port and the socket. */
const relay = `
const { connect, createServer } = require('node:net')
const [port, path] = process.argv.slice(1)
createServer((client) => {
  const door = connect(path)
  for (const [one, other] of [[client, door], [door, client]]) one.on('error', () => other.destroy())
  client.pipe(door).pipe(client)
}).listen(Number(port), '127.0.0.1')`

export async function openDoor(t: Teardown, engine: PrivateEngine, port: number): Promise<void> {
  const path = join(await makeTempDir(t, 'door'), 'socket')
  const server = createServer((client) => {
    const target = connect(port, '127.0.0.1')
    client.on('error', () => target.destroy())
    target.on('error', () => client.destroy())
    client.pipe(target).pipe(client)
  })
  server.listen(path)
  await once(server, 'listening')
  const child = engine.command([process.execPath, '-e', relay, String(port), path])
  endWithUs(child)
  t.teardown(async () => {
    const gone = once(child, 'exit')
    if (child.exitCode === null && child.signalCode === null && child.kill()) await gone
    server.close()
  })
}
