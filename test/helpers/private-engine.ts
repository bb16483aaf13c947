/**
 * A Docker Engine of a test's own, that may be killed. Its data and sockets are in a directory of the test, and it has
 * a network namespace of its own: a daemon beside another one would change or remove the bridge that both call docker0.
 * Needs root.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { rawEngine } from './engine.ts'
import { eventually } from './eventually.ts'
import { makeTempDir, type Teardown } from './tempdir.ts'

export interface PrivateEngine {
  readonly host: string
  /** Its daemon.json, at first `{}`, and the file of its process id. */
  readonly configFile: string
  readonly pidFile: string
  /** Of the daemon as it runs now. */
  pid(): Promise<number>
  /** Begins a program in the engine's network, where its bridge is 172.17.0.1. */
  command(words: readonly string[]): ChildProcess
  /** SIGKILL to the daemon alone; what it runs is orphaned, as after a crash. */
  kill(): Promise<void>
  /** Starts it again on the same data; resolves when it answers. */
  restart(): Promise<void>
}

/** In a new network namespace it is down. The process that was started stays the daemon's. */
const withLoopback = 'busybox ip link set lo up && exec dockerd "$@"'

export interface PrivateEngineOptions {
  /** Containers outlive a daemon that restarts, whether or not it was killed. */
  readonly liveRestore?: boolean
  /** Where it keeps its data; absent: in a directory of the test. */
  readonly dataRoot?: string
}

export async function startPrivateEngine(
  t: Teardown,
  { liveRestore = false, dataRoot }: PrivateEngineOptions = {},
): Promise<PrivateEngine> {
  const directory = await makeTempDir(t, 'engine')
  const at = (name: string) => join(directory, name)
  const host = `unix://${at('engine.sock')}`
  const places = [
    '--config-file',
    at('daemon.json'),
    '--data-root',
    dataRoot ?? at('data'),
    '--exec-root',
    at('exec'),
    '--pidfile',
    at('pid'),
    '--host',
    host,
    ...(liveRestore ? ['--live-restore'] : []),
  ]
  await writeFile(at('daemon.json'), '{}\n')
  let child: ChildProcess | undefined
  let output = ''
  const start = async () => {
    const daemon = ['sh', '-c', withLoopback, 'dockerd', ...places, '--iptables=false']
    const started = spawn('unshare', ['--net', '--mount', ...daemon], { stdio: ['ignore', 'ignore', 'pipe'] })
    started.stderr.on('data', (data: Buffer) => {
      output += data.toString()
    })
    child = started
    // A test process that is ended early takes the engine with it.
    const killWithUs = () => started.kill('SIGTERM')
    process.once('exit', killWithUs)
    started.once('exit', () => process.removeListener('exit', killWithUs))
    await eventually(() => answers(host), {
      timeoutMs: 40_000,
      pauseMs: 100,
      what: 'the private engine',
    }).catch((error: unknown) => {
      throw new Error(`dockerd wrote:\n${output.slice(-4000)}`, { cause: error })
    })
  }
  const end = async (signal: 'SIGTERM' | 'SIGKILL') => {
    const ending = child
    child = undefined
    if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return
    const gone = once(ending, 'exit')
    ending.kill(signal)
    await gone
    // Its containerd dies with it, but where nobody reaps orphans a new daemon would take the pid for a living one.
    if (signal === 'SIGKILL') await rm(at('exec/containerd/containerd.pid'), { force: true })
  }
  t.teardown(async () => {
    // A clean end takes the containers and containerd with it; after a crash only a new daemon can do that.
    if (child === undefined) await start()
    await end('SIGTERM')
    await endContainerd(at('exec/containerd/containerd.pid'))
    await rm(at('exec'), { recursive: true, force: true })
  })
  await start()
  const pid = async () => Number(await readFile(at('pid'), 'utf8'))
  return {
    host,
    configFile: at('daemon.json'),
    pidFile: at('pid'),
    pid,
    command(words) {
      const net = `--net=/proc/${child?.pid}/ns/net`
      return spawn('nsenter', [net, ...words], { stdio: 'ignore' })
    },
    kill: () => end('SIGKILL'),
    restart: start,
  }
}

async function answers(host: string): Promise<void> {
  const engine = rawEngine(host)
  try {
    const { status } = await engine.request('GET', '/_ping')
    if (status !== 200) throw new Error(`status ${status}`)
  } finally {
    engine.close()
  }
}

/** The daemon ends the containerd that it started; one that it found running it leaves, as it does after a crash. */
async function endContainerd(pidFile: string): Promise<void> {
  const text = await readFile(pidFile, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
  if (text === '') return
  try {
    process.kill(Number(text), 'SIGTERM')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}
