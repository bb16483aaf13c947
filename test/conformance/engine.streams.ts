/** The engine port's promises about the streams of processes: commands run beside a container's own, and attaching. */
import type { ExecutionContext } from 'ava'
import type { AttachedProcess, ExecOptions, ExecProcess, WantedStreams } from '#pkg/engine/port.ts'
import { commands, programs } from './engineprograms.ts'
import {
  create,
  type EngineUnderTest,
  fails,
  mustInspect,
  never,
  output,
  run,
  untilState,
} from './enginesubject.ts'

type Body = (t: ExecutionContext, on: EngineUnderTest) => Promise<void>

const mebibyte = 1024 ** 2
const piece = new Uint8Array(65_536).fill(120)

export const streamPromises: Record<string, Body> = {
  async 'a command runs beside the process, its streams apart, and leaves its exit code'(t, on) {
    const name = await run(on)
    const command = await exec(on, name, commands.twoStreams.argv)
    t.deepEqual(await readAll(command), { stdout: 'out\n', stderr: 'err\n' })
    t.is(await command.exitCode(), 3)
    t.is((await mustInspect(on, name)).state, 'running')
  },

  async 'a stream that nobody wants is left out'(t, on) {
    const name = await run(on)
    const command = await exec(on, name, commands.twoStreams.argv, { stderr: false })
    t.deepEqual(await readAll(command), { stdout: 'out\n', stderr: '' })
    t.is(await command.exitCode(), 3)
  },

  async 'a command reads all its input and its end, and only then answers'(t, on) {
    const name = await run(on)
    const command = await exec(on, name, commands.count.argv, { stdin: true })
    const sending = send(command, 50 * mebibyte)
    t.is((await readAll(command)).stdout, `${50 * mebibyte}\n`)
    t.true(await sending)
    t.is(await command.exitCode(), 0)
  },

  async 'input and output go on at the same time'(t, on) {
    const name = await run(on)
    const command = await exec(on, name, commands.echo.argv, { stdin: true })
    const sending = send(command, 20 * mebibyte)
    let bytes = 0
    for await (const { data } of command.output) bytes += data.length
    t.is(bytes, 20 * mebibyte)
    await sending
    t.is(await command.exitCode(), 0)
  },

  async 'a command without input reads its end at once'(t, on) {
    const name = await run(on)
    const command = await exec(on, name, commands.count.argv)
    t.is((await readAll(command)).stdout, '0\n')
  },

  async 'a command that ends before its input takes no more'(t, on) {
    const name = await run(on)
    const command = await exec(on, name, commands.firstByte.argv, { stdin: true })
    const sending = send(command, 200 * mebibyte)
    t.is((await readAll(command)).stdout, 'x')
    t.false(await sending)
    t.is(await command.exitCode(), 0)
  },

  async 'a command with a terminal knows its size, and its streams are one'(t, on) {
    const name = await run(on)
    const command = await exec(on, name, commands.terminalSize.argv, { stdin: true, tty: true })
    const chunks = command.output[Symbol.asyncIterator]()
    t.like((await chunks.next()).value, { stream: 'stdout', data: Buffer.from('ready\r\n') })
    await command.resize({ width: 101, height: 33 })
    await command.write(Buffer.from('\n'))
    t.regex((await readAll({ output: { [Symbol.asyncIterator]: () => chunks } })).stdout, /33 101\r\n$/)
    t.is(await command.exitCode(), 5)
  },

  async 'a reader who stops holds the command back'(t, on) {
    const name = await run(on)
    const aborter = new AbortController()
    const command = await exec(on, name, commands.flood.argv, { signal: aborter.signal })
    const chunks = command.output[Symbol.asyncIterator]()
    await chunks.next()
    const before = process.memoryUsage().rss
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
    t.true(process.memoryUsage().rss - before < 100 * mebibyte)
    aborter.abort()
    while (!(await chunks.next()).done) t.pass()
  },

  async 'a program that is not there is told in the output and by the exit code'(t, on) {
    const name = await run(on)
    const command = await exec(on, name, ['no-such-program'])
    t.regex((await readAll(command)).stdout, /executable file not found/)
    const code = await command.exitCode()
    t.true(code === 126 || code === 127, `exit code ${code}`)
  },

  async 'commands and streams are refused to containers that do not run'(t, on) {
    const name = await create(on)
    await fails(t, 'Conflict', exec(on, name, commands.echo.argv))
    await fails(t, 'NotFound', exec(on, on.uniqueName(), commands.echo.argv))
    await fails(t, 'NotFound', on.engine.attachContainer(on.uniqueName(), streams()))
  },

  async 'who attaches sees what is written from then on, until the container ends'(t, on) {
    const name = await run(on, { cmd: programs.tickingLate.argv })
    const attached = await on.engine.attachContainer(name, streams())
    const { stdout } = await on.settle(readAll(attached))
    t.regex(stdout, /tick 3\ntick 4\n$/)
    await untilState(on, name, 'exited')
  },

  async 'who attaches before the start misses nothing of it'(t, on) {
    const name = await create(on, { cmd: programs.ticking.argv })
    const attached = await on.engine.attachContainer(name, streams())
    await on.engine.startContainer(name)
    const { stdout } = await on.settle(readAll(attached))
    t.regex(stdout, /^tick 0\n[\s\S]*tick 4\n$/)
  },

  async 'input reaches a container that keeps it open, one who attaches after the other'(t, on) {
    const name = await run(on, { cmd: programs.echoing.argv, stdin: true })
    for (const word of ['first\n', 'second\n']) {
      const aborter = new AbortController()
      const attached = await on.engine.attachContainer(name, streams({ stdin: true, signal: aborter.signal }))
      const chunks = attached.output[Symbol.asyncIterator]()
      t.true(await attached.write(Buffer.from(word)))
      t.is(Buffer.from((await chunks.next()).value?.data ?? []).toString(), word)
      attached.endInput()
      aborter.abort()
      t.true((await chunks.next()).done)
    }
    t.is((await mustInspect(on, name)).state, 'running')
    t.is((await output(on, name)).stdout, 'first\nsecond\n')
  },

  async 'a container shows whether it has a terminal'(t, on) {
    const name = await create(on, { tty: true, stdin: true })
    t.true((await mustInspect(on, name)).tty)
  },

  async 'logs end where they are told to'(t, on) {
    const name = await run(on, { cmd: programs.failing.argv })
    const { finishedAt } = await untilState(on, name, 'exited')
    t.deepEqual(await output(on, name, { until: finishedAt ?? '' }), { stdout: '', stderr: '' })
    const talking = await run(on, { cmd: programs.ticking.argv })
    const { startedAt = '' } = await untilState(on, talking, 'exited')
    const until = new Date(Date.parse(startedAt) + 250).toISOString()
    const { stdout } = await output(on, talking, { until })
    t.true(stdout.startsWith('tick 0\n'))
    t.false(stdout.includes('tick 4'))
  },

  async 'what is put into a container as an archive comes out of it'(t, on) {
    const name = await run(on)
    const archive = await collectBytes(await on.engine.readArchive(name, '/etc/hosts', never()))
    t.true(archive.subarray(0, 5).equals(Buffer.from('hosts')))
    await on.engine.writeArchive(name, '/bin', pieces(archive), never())
    const copied = await collectBytes(await on.engine.readArchive(name, '/bin/hosts', never()))
    t.deepEqual(copied.subarray(512), archive.subarray(512))
    await fails(t, 'NotFound', on.engine.readArchive(name, '/no/such/file', never()))
    await fails(t, 'NotFound', on.engine.writeArchive(name, '/no/such/directory', pieces(archive), never()))
  },
}

function streams(overrides: Partial<WantedStreams> = {}): WantedStreams {
  return { stdin: false, stdout: true, stderr: true, signal: never(), ...overrides }
}

function exec(
  on: EngineUnderTest,
  name: string,
  command: readonly string[],
  overrides: Partial<ExecOptions> = {},
): Promise<ExecProcess> {
  return on.engine.execContainer(name, { ...streams(), command, tty: false, ...overrides })
}

/** Whether all of it was taken. */
async function send(command: AttachedProcess, bytes: number): Promise<boolean> {
  for (let sent = 0; sent < bytes; sent += piece.length) if (!(await command.write(piece))) return false
  command.endInput()
  return true
}

async function readAll({ output }: Pick<AttachedProcess, 'output'>) {
  const text = { stdout: '', stderr: '' }
  for await (const { stream, data } of output) text[stream] += Buffer.from(data).toString()
  return text
}

async function collectBytes(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of source) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000)
}
