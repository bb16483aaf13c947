/** A door in front of an engine's socket that counts the bytes that go in, and tells when there are so many. */
import { once } from 'node:events'
import { createConnection, createServer } from 'node:net'
import { join } from 'node:path'
import { makeTempDir, type Teardown } from './tempdir.ts'

export interface CountingSocket {
  /** What a `--engine` takes. */
  readonly host: string
  /** Bytes that were sent to the engine since it was last asked. */
  count(): number
  /** `act` is called once, when so many bytes have come since now; they go on to the engine after it. */
  at(bytes: number, act: () => void): void
}

export async function startCountingSocket(t: Teardown, engine: string): Promise<CountingSocket> {
  const path = join(await makeTempDir(t, 'engine'), 'engine.sock')
  const upstream = engine.replace(/^unix:\/\//, '')
  let counted = 0
  let alarm: { left: number; readonly act: () => void } | undefined
  const take = (bytes: number) => {
    counted += bytes
    if (alarm === undefined) return
    alarm.left -= bytes
    if (alarm.left > 0) return
    const { act } = alarm
    alarm = undefined
    act()
  }
  const server = createServer((asker) => {
    const engineSide = createConnection(upstream)
    const end = () => {
      asker.destroy()
      engineSide.destroy()
    }
    // Whoever calls may be gone at any time; that is the purpose.
    for (const side of [asker, engineSide]) side.on('error', end).on('close', end)
    asker.on('data', (piece: Buffer) => take(piece.length))
    asker.pipe(engineSide)
    engineSide.pipe(asker)
  })
  server.listen(path)
  await once(server, 'listening')
  t.teardown(async () => {
    server.close()
  })
  return {
    host: `unix://${path}`,
    count: () => {
      const before = counted
      counted = 0
      return before
    },
    at: (bytes, act) => {
      alarm = { left: bytes, act }
    },
  }
}
