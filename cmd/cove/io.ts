/** The process as the CLI's Io. */
import { spawnSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { text } from 'node:stream/consumers'
import type { WriteStream } from 'node:tty'
import { type Clock, systemClock, systemRandom } from '#pkg/apimachinery/ambient.ts'
import { BrokenPipe, type Io, type Output, type Terminal } from '#pkg/cli/io.ts'
import { httpsTransport } from '#pkg/client/https.ts'

export function processIo(version: string): Io {
  const interrupt = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => interrupt.abort(new DOMException(signal, 'AbortError')))
  }
  return {
    stdout: output(process.stdout),
    stderr: output(process.stderr),
    readStdin: () => text(process.stdin),
    terminal: terminal(),
    env: process.env,
    cwd: process.cwd(),
    home: homedir(),
    clock: waitingClock(),
    random: systemRandom(),
    signal: interrupt.signal,
    readFile: readFileIfThere,
    async connect(target) {
      const transport = httpsTransport({ ...target, userAgent: `cove/${version}` })
      return { transport, upgrade: transport.upgrade, close: () => transport.close() }
    },
    version,
  }
}

function terminal(): Terminal {
  const { stdin, stdout } = process
  return {
    isTTY: stdin.isTTY === true,
    size: () => (stdout.isTTY ? { width: stdout.columns, height: stdout.rows } : undefined),
    onResize(changed) {
      stdout.on('resize', changed)
      return () => void stdout.off('resize', changed)
    },
    raw() {
      if (stdin.isTTY !== true) return () => undefined
      const before = stdin.isRaw
      stdin.setRawMode(true)
      // Node leaves the translation of line ends on, which would break programs that draw on the whole screen. Taken
      // back together with the rest; where there is no stty, lines merely end with one more carriage return.
      spawnSync('stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'] })
      return () => void stdin.setRawMode(before)
    },
    input: () => stdin,
  }
}

/** Its timers keep the process alive: between two tries of a wait nothing else does. */
function waitingClock(): Clock {
  return {
    ...systemClock(),
    after(ms, run) {
      const timer = setTimeout(run, ms)
      return () => clearTimeout(timer)
    },
  }
}

/** Undefined when there is no such file; any other failure is thrown. */
export async function readFileIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

function output(stream: WriteStream): Output {
  // Without a listener a reader that went away would end the process before the write could tell.
  stream.on('error', () => {})
  return {
    isTTY: stream.isTTY === true,
    get columns() {
      return stream.columns ?? 80
    },
    write: (chunk) =>
      new Promise((resolve, reject) => {
        stream.write(chunk, (error) => {
          if (error === null || error === undefined) resolve()
          else reject('code' in error && error.code === 'EPIPE' ? new BrokenPipe({ cause: error }) : error)
        })
      }),
  }
}
