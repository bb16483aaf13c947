/**
 * Commands inside a container, and the streams of its own process, as frames in both directions. When the asker goes
 * away the process is left as it is: an engine has no call to end one. Its input ends and its output is lost.
 */
import { badRequest } from '#pkg/apimachinery/errors.ts'
import {
  channels,
  decodeFrames,
  decodeResize,
  encodeFrame,
  encodeStatus,
  exitStatus,
  type Frame,
  failureStatus,
  framesType,
  type StreamStatus,
} from '#pkg/apimachinery/frames.ts'
import type { ApiResponse } from '#pkg/apimachinery/transport.ts'
import type { AttachedProcess, WantedStreams } from '#pkg/engine/port.ts'
import { isTrue, mustRun, type Target } from './target.ts'

export async function exec(target: Target): Promise<ApiResponse> {
  const { request, engine, observed } = target
  const command = request.query.getAll('command')
  if (command.length === 0) throw badRequest('name a command: the parameter "command" is missing')
  const tty = isTrue(request.query, 'tty')
  mustRun(target)
  return held(target, tty, async (streams) => {
    const started = await engine.execContainer(observed.id, { ...streams, command, tty })
    return { process: started, end: async () => exitStatus(await started.exitCode()) }
  })
}

/** Of one that runs or was not started yet. Ends with success when the container does, whatever its exit code: that is told by its status. */
export async function attach(target: Target): Promise<ApiResponse> {
  const { engine, observed } = target
  // Whoever attaches before the start misses nothing of it.
  if (observed.state !== 'created') mustRun(target)
  return held(target, observed.tty, async (streams) => {
    const process = await engine.attachContainer(observed.id, streams)
    return { process, end: async () => exitStatus(0) }
  })
}

interface Held {
  readonly process: AttachedProcess
  /** The final Status, once the output has ended. */
  readonly end: () => Promise<StreamStatus>
}

async function held(
  { request }: Target,
  tty: boolean,
  open: (streams: WantedStreams) => Promise<Held>,
): Promise<ApiResponse> {
  const { query, input } = request
  const hangUp = new AbortController()
  const signal = AbortSignal.any([request.signal, hangUp.signal])
  const wanted = {
    stdin: isTrue(query, 'stdin'),
    stdout: isTrue(query, 'stdout'),
    stderr: isTrue(query, 'stderr') && !tty,
  }
  if (!wanted.stdin && !wanted.stdout && !wanted.stderr)
    throw badRequest('you must specify at least 1 of stdin, stdout, stderr')
  const { process, end } = await open({ ...wanted, signal })
  let failure: unknown
  // The input goes on until the asker ends it, also when the output has ended: nobody waits for it.
  if (input !== undefined) {
    pump(decodeFrames(input), process, wanted.stdin).catch((error: unknown) => {
      failure = error
      hangUp.abort()
    })
  }
  const body = answer(process, async () => (failure === undefined ? end() : failureStatus(failure)), hangUp)
  return { status: 200, headers: { 'content-type': framesType }, body }
}

async function* answer(
  { output }: AttachedProcess,
  end: () => Promise<StreamStatus>,
  hangUp: AbortController,
): AsyncGenerator<Uint8Array> {
  try {
    for await (const { stream, data } of output) yield encodeFrame(channels[stream], data)
    yield encodeStatus(await end())
  } catch (error) {
    yield encodeStatus(failureStatus(error))
  } finally {
    hangUp.abort()
  }
}

async function pump(frames: AsyncIterable<Frame>, process: AttachedProcess, stdin: boolean): Promise<void> {
  let takes = stdin
  for await (const { channel, data } of frames) {
    if (channel === channels.stdin && takes) takes = await process.write(data)
    if (channel === channels.resize) await process.resize(decodeResize(data))
    if (channel === channels.end && data[0] === channels.stdin) process.endInput()
  }
  if (stdin) process.endInput()
}
