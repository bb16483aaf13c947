/** Fuzz targets of what comes as a stream: it means the same however the network cuts it. */
import {
  type Channel,
  channels,
  decodeFrames,
  decodeResize,
  decodeStatus,
  encodeEnd,
  encodeFrame,
  encodeResize,
  type Frame,
} from '#pkg/apimachinery/frames.ts'
import {
  controlFrame,
  dataFrame,
  frameTypes,
  readHeaders,
  SpdyParser,
  streamIdOf,
} from '#pkg/apiserver/streams/spdy.ts'
import { SpdyConnection } from '#pkg/apiserver/streams/spdyconnection.ts'
import { hold, isRefusal, type Target } from './target.ts'

async function* pieces(input: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < input.length; at += size) yield input.subarray(at, at + size)
}

interface Heard {
  readonly frames: readonly string[]
  readonly refused: boolean
}

/** What was said on each channel, in its order; pieces of data joined, since they come as they are cut. */
async function hear(input: Buffer, size: number): Promise<Heard> {
  const frames: { channel: Channel; data: Buffer }[] = []
  let refused = false
  try {
    for await (const frame of decodeFrames(pieces(input, size))) {
      join(frames, frame)
      if (frame.channel === channels.resize) decodeResize(frame.data)
      if (frame.channel === channels.status) decodeStatus(frame.data)
    }
  } catch (error) {
    if (!isRefusal(error)) throw error
    refused = true
  }
  return { frames: frames.map(({ channel, data }) => `${channel}:${data.toString('hex')}`), refused }
}

function join(frames: { channel: Channel; data: Buffer }[], { channel, data }: Frame): void {
  const last = frames.at(-1)
  if (channel <= channels.stderr && last?.channel === channel) last.data = Buffer.concat([last.data, data])
  else frames.push({ channel, data: Buffer.from(data) })
}

const frames: Target = {
  name: 'frames',
  seeds: [
    Buffer.concat([
      encodeFrame(channels.stdout, Buffer.from('hello')),
      encodeResize({ width: 80, height: 24 }),
      encodeFrame(channels.status, Buffer.from('{"metadata":{},"status":"Success"}')),
      encodeEnd(channels.stdin),
    ]),
    encodeFrame(channels.stdin, Buffer.alloc(300, 'x')),
  ],
  words: [
    '\x03\0\0\0\x02{}',
    '\x04\0\0\0\x0f{"Width":1,"Height":1}',
    '\xff\0\0\0\x01\0',
    '\x01\0\0\0\x01a',
    '\0\0\0\0\0',
  ],
  rounds: 700,
  run: async (input) => {
    const whole = await hear(input, Math.max(1, input.length))
    for (const size of [1, 7]) {
      const cut = await hear(input.subarray(0, 4096), size)
      if (input.length > 4096) continue
      hold(JSON.stringify(cut) === JSON.stringify(whole), `pieces of ${size} bytes mean what the whole means`)
    }
  },
}

const synStream = controlFrame(
  frameTypes.synStream,
  Buffer.from('0000000100000000000078bbe3c6a7c2024003000000ffff', 'hex'),
)

function parseSpdy(input: Buffer, size: number): string {
  const parser = new SpdyParser()
  const data = new Map<number, Buffer>()
  const control: string[] = []
  try {
    for (let at = 0; at < input.length; at += size) {
      for (const frame of parser.parse(input.subarray(at, at + size))) {
        if (frame.kind === 'control')
          control.push(`${frame.type}:${Buffer.from(frame.payload).toString('hex')}`)
        else
          data.set(frame.streamId, Buffer.concat([data.get(frame.streamId) ?? Buffer.alloc(0), frame.data]))
      }
    }
  } catch (error) {
    if (!isRefusal(error)) throw error
    return 'refused'
  }
  return JSON.stringify([control, [...data].map(([id, bytes]) => [id, bytes.toString('hex')])])
}

const spdy: Target = {
  name: 'spdy',
  seeds: [
    Buffer.concat([synStream, dataFrame(1, Buffer.from('hello')), dataFrame(1, Buffer.alloc(0), true)]),
    Buffer.concat([
      controlFrame(frameTypes.ping, Buffer.from([0, 0, 0, 1])),
      controlFrame(frameTypes.goaway, Buffer.alloc(8)),
    ]),
    controlFrame(frameTypes.rstStream, Buffer.alloc(8)),
  ],
  words: ['\x80\x03\0\x01', '\x80\x03\0\x03', '\x80\x03\0\x06', '\0\0\0\x01\x01', '\xff\xff\xff'],
  rounds: 500,
  run: async (input) => {
    hold(
      parseSpdy(input, Math.max(1, input.length)) === parseSpdy(input, 3),
      'pieces mean what the whole means',
    )
    const opened: number[] = []
    const pipe = {
      input: pieces(input, 1000),
      write: () => Promise.resolve(),
      close: () => Promise.resolve(),
    }
    const connection = new SpdyConnection(pipe, (stream) => {
      opened.push(stream.id)
      void stream.input.return()
    })
    await connection.run()
    hold(new Set(opened).size === opened.length, 'no stream is opened twice')
  },
}

const spdyHeaders: Target = {
  name: 'spdyheaders',
  seeds: [Buffer.from('\0\0\0\x01\0\0\0\nstreamtype\0\0\0\x05error', 'latin1'), Buffer.alloc(4)],
  words: ['\0\0\0\x01', '\0\0\0\n', 'streamtype', 'stdin', '\xff\xff\xff\xff'],
  run: (input) => {
    const headers = readHeaders(input)
    hold(
      Object.keys(headers).every((name) => name === name.toLowerCase()),
      'names are in lower case',
    )
    streamIdOf(input)
  },
}

export const streamTargets: readonly Target[] = [frames, spdy, spdyHeaders]
