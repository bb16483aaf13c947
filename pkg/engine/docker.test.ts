/** How docker.ts behaves on an engine that misbehaves: a scripted HTTP server stands in where a real one cannot be told to. */
import type { ServerResponse } from 'node:http'
import test, { type ExecutionContext } from 'ava'
import { ManualClock, systemClock } from '#pkg/apimachinery/ambient.ts'
import { isReason, messageOf, type Reason } from '#pkg/apimachinery/errors.ts'
import { json, serveEngine } from '#test/helpers/scriptedengine.ts'
import { openDockerEngine } from './docker.ts'
import type { Engine, PullProgress } from './port.ts'

test('a call that stays without an answer ends as EngineUnavailable after its time', async (t) => {
  const clock = new ManualClock()
  const { engine, requested } = await serveEngine(t, () => undefined, { clock })
  const call = fails(t, 'EngineUnavailable', engine.listContainers())
  await requested(1)
  await clock.advance(60_000)
  await call
})

test('a stop is waited for longer than its grace period', async (t) => {
  const clock = new ManualClock()
  const { engine, requested } = await serveEngine(t, () => undefined, { clock })
  let isOver = false
  const call = fails(t, 'EngineUnavailable', engine.stopContainer('web', 90_000)).then(() => {
    isOver = true
  })
  await requested(1)
  await clock.advance(149_000)
  t.false(isOver)
  await clock.advance(1000)
  await call
})

test('the older of both API versions is spoken, and negotiated anew when the engine was replaced', async (t) => {
  let offered = '1.41'
  const { engine, paths } = await serveEngine(
    t,
    (request, response) => {
      if (request.url === '/version') return json(response, 200, { ApiVersion: offered })
      const message = `client version 1.41 is too old. Minimum supported API version is ${offered}`
      if (!request.url?.startsWith(`/v${offered === '1.99' ? '1.51' : offered}/`))
        return json(response, 400, { message })
      json(response, 200, [])
    },
    { isVersioned: true },
  )
  await engine.listContainers()
  offered = '1.99'
  await engine.listContainers()
  const versions = paths().map((path) => /^\/(version|v[\d.]+)/.exec(path)?.[1])
  t.deepEqual(versions, ['version', 'v1.41', 'v1.41', 'version', 'v1.51'])
})

test('an engine that counts its disk for somebody else is asked again', async (t) => {
  const clock = new ManualClock()
  let isBusy = true
  const message = 'a disk usage operation is already running'
  const { engine, requested, paths } = await serveEngine(
    t,
    (_request, response) =>
      isBusy ? json(response, 500, { message }) : json(response, 200, { LayersSize: 7 }),
    { clock },
  )
  const asked = engine.diskUsage(new AbortController().signal)
  await requested(1)
  isBusy = false
  while ((await Promise.race([asked, Promise.resolve(undefined)])) === undefined) await clock.advance(500)
  t.is((await asked).layersBytes, 7)
  isBusy = true
  let isOver = false
  const late = fails(t, 'InUse', engine.diskUsage(new AbortController().signal)).then(() => {
    isOver = true
  })
  while (!isOver) await clock.advance(1000)
  await late
  t.is(paths().length, 6)
})

test('an answer that breaks off in its middle is EngineUnavailable', async (t) => {
  const { engine } = await serveEngine(t, (_request, response) => {
    response.writeHead(200, { 'Content-Length': 1000 })
    response.write('[{"Id":')
    setImmediate(() => response.destroy())
  })
  await fails(t, 'EngineUnavailable', engine.listContainers())
})

test('a stream of events that ends is EngineUnavailable, what came before is delivered', async (t) => {
  const { engine } = await serveEngine(t, (_request, response) => {
    const event = { Type: 'container', Action: 'start', Actor: { ID: 'abc', Attributes: { name: 'web' } } }
    response.end(`${JSON.stringify(event)}\n${JSON.stringify({ Type: 'daemon', Action: 'reload' })}\n`)
  })
  const events = engine.events(never())[Symbol.asyncIterator]()
  t.deepEqual((await events.next()).value, { type: 'container', action: 'start', id: 'abc', name: 'web' })
  await fails(t, 'EngineUnavailable', events.next())
})

test('aborting a pull or followed logs closes their connection', async (t) => {
  const closed: string[] = []
  const { engine } = await serveEngine(t, (request, response) => {
    if (request.url?.includes('/json')) return json(response, 200, { Id: 'abc', Name: '/web' })
    response.on('close', () => closed.push(request.url?.includes('/logs') ? 'logs' : 'pull'))
    response.writeHead(200)
    response.write(request.url?.includes('/logs') ? makeFrame('hello') : '{"status":"Pulling","id":"1"}\n')
  })
  const reason = new Error('enough')
  const controller = new AbortController()
  const pulled = engine.pullImage('web:1', { signal: controller.signal })
  const seen: string[] = []
  const logs = (async () => {
    const options = { follow: true, timestamps: false, signal: controller.signal }
    for await (const { data } of engine.containerLogs('web', options)) {
      seen.push(Buffer.from(data).toString())
      controller.abort(reason)
    }
  })()
  t.is(await t.throwsAsync(pulled), reason)
  await logs
  t.deepEqual(seen, ['hello'])
  while (closed.length < 2) await new Promise((resolve) => setImmediate(resolve))
  t.deepEqual(closed.sort(), ['logs', 'pull'])
})

test('leaving the loop over followed logs closes the connection', async (t) => {
  const closing = Promise.withResolvers<void>()
  const { engine } = await serveEngine(t, (request, response) => {
    if (request.url?.includes('/json')) return json(response, 200, { Id: 'abc', Name: '/web' })
    response.on('close', closing.resolve)
    response.write(makeFrame('hello'))
  })
  const options = { follow: true, timestamps: false, signal: never() }
  for await (const { stream } of engine.containerLogs('web', options)) {
    t.is(stream, 'stdout')
    break
  }
  await closing.promise
})

test('output of a container with a terminal is read as it is', async (t) => {
  const { engine } = await serveEngine(t, (request, response) => {
    if (request.url?.includes('/json')) return json(response, 200, { Id: 'abc', Config: { Tty: true } })
    response.end('plain words of a terminal')
  })
  const words: string[] = []
  const options = { follow: false, timestamps: false, signal: never() }
  for await (const { data } of engine.containerLogs('abc', options)) words.push(Buffer.from(data).toString())
  t.is(words.join(''), 'plain words of a terminal')
})

test('a pull tells its progress by layer, hands over its credentials and finds the error inside the stream', async (t) => {
  let credentials: unknown
  const { engine, paths } = await serveEngine(t, (request, response) => {
    const header = String(request.headers['x-registry-auth'])
    credentials = JSON.parse(Buffer.from(header, 'base64').toString())
    response.write('{"status":"Pulling from team/app","id":"1"}\r\n')
    response.write(
      '{"status":"Downloading","id":"0123456789ab","progressDetail":{"current":5,"total":9}}\r\n',
    )
    response.write('{"status":"Pull complete","id":"0123456789ab","progressDetail":{}}\r\n')
    const message = 'toomanyrequests: You have reached your pull rate limit.'
    response.end(`${JSON.stringify({ errorDetail: { message }, error: message })}\r\n`)
  })
  const progress: PullProgress[] = []
  const account = { username: 'me', password: 'sesame ÿ' }
  const options = {
    signal: never(),
    credentials: account,
    onProgress: (step: PullProgress) => progress.push(step),
  }
  const error = await fails(t, 'RegistryRateLimited', engine.pullImage('registry.test/team/app:1', options))
  t.false(String(error).includes(account.password))
  t.deepEqual(credentials, account)
  const token = { username: '<token>', password: 'sesame' }
  await fails(
    t,
    'RegistryRateLimited',
    engine.pullImage('registry.test/app:1', { ...options, credentials: token }),
  )
  t.deepEqual(credentials, { identitytoken: 'sesame' })
  progress.splice(2)
  t.deepEqual(progress, [
    { layer: '0123456789ab', state: 'Downloading', currentBytes: 5, totalBytes: 9 },
    { layer: '0123456789ab', state: 'Pull complete' },
  ])
  t.regex(paths().at(-2) ?? '', /\/images\/create\?fromImage=registry\.test%2Fteam%2Fapp&tag=1$/)
})

for (const [what, reason, start] of [
  ['pull of app:1', 'RegistryUnavailable', (engine) => engine.pullImage('app:1', { signal: never() })],
  ['push of app:1', 'RegistryUnavailable', (engine) => engine.pushImage('app:1', { signal: never() })],
] as const satisfies readonly (readonly [string, Reason, (on: Watched) => Promise<unknown>])[]) {
  test(`the ${what} is given up when nothing comes for minutes, however long it took before`, async (t) => {
    const clock = new ManualClock()
    const closing = Promise.withResolvers<void>()
    const answers: ServerResponse[] = []
    const answering = Promise.withResolvers<void>()
    const { engine } = await serveEngine(
      t,
      (_request, response) => {
        response.on('close', closing.resolve)
        answers.push(response)
        answering.resolve()
      },
      { clock },
    )
    const seen: PullProgress[] = []
    const steps: (() => void)[] = []
    const call = start(
      watching(engine, (step) => {
        seen.push(step)
        for (const next of steps.splice(0)) next()
      }),
    )
    const failed = fails(t, reason, call)
    await answering.promise
    for (let turn = 0; turn < 3; turn++) {
      const told = new Promise<void>((resolve) => {
        steps.push(resolve)
      })
      answers[0]?.write(
        '{"status":"Downloading","id":"0123456789ab","progressDetail":{"current":5,"total":9}}\n',
      )
      await told
      await clock.advance(179_000)
    }
    await clock.advance(180_000)
    t.is(messageOf(await failed), `the ${what} was given up: nothing came for 3m0s`)
    t.is(seen.length, 3)
    await closing.promise
  })
}

test('a load is given up when the archive stands still, and lets go of it', async (t) => {
  const clock = new ManualClock()
  const { engine, requested } = await serveEngine(t, (request) => void request.resume(), { clock })
  const closing = Promise.withResolvers<void>()
  const waiting = Promise.withResolvers<void>()
  async function* archive() {
    try {
      yield Buffer.alloc(512)
      waiting.resolve()
      yield await new Promise<Uint8Array>((_resolve, reject) => {
        closed.signal.addEventListener('abort', () => reject(closed.signal.reason))
      })
    } finally {
      closing.resolve()
    }
  }
  const closed = new AbortController()
  const failed = fails(t, 'EngineError', engine.loadImages(archive(), { signal: never() }))
  await requested(1)
  await waiting.promise
  await clock.advance(180_000)
  t.regex(messageOf(await failed), /nothing came for 3m0s/)
  closed.abort(new Error('over'))
  await closing.promise
})

test('sixteen calls run at once and their connections are used again', async (t) => {
  const waiting: ServerResponse[] = []
  const { engine, connections } = await serveEngine(t, (_request, response) => {
    waiting.push(response)
    if (waiting.length === 16) for (const one of waiting.splice(0)) json(one, 200, [])
  })
  for (let round = 0; round < 3; round++) {
    await Promise.all(Array.from({ length: 16 }, () => engine.listImages()))
  }
  t.is(connections(), 16)
})

test('a closed engine answers nothing any more', async (t) => {
  const { engine } = await serveEngine(t, (_request, response) => json(response, 200, []))
  await engine.close()
  await fails(t, 'EngineUnavailable', engine.listImages())
})

test('an address that is none is refused at once', async (t) => {
  const error: unknown = await t.throwsAsync(openDockerEngine({ host: 'ftp://x', clock: systemClock() }))
  t.true(isReason(error, 'InvalidSpec'))
})

type Watched = ReturnType<typeof watching>

/** Its pulls and pushes, with their progress looked at. */
function watching(engine: Engine, onProgress: (progress: PullProgress) => void) {
  return {
    pullImage: (reference: string, { signal }: { signal: AbortSignal }) =>
      engine.pullImage(reference, { signal, onProgress }),
    pushImage: (reference: string, { signal }: { signal: AbortSignal }) =>
      engine.pushImage(reference, { signal, onProgress }),
  }
}

function makeFrame(words: string): Buffer {
  const data = Buffer.from(words)
  const header = Buffer.alloc(8)
  header[0] = 1
  header.writeUInt32BE(data.length, 4)
  return Buffer.concat([header, data])
}

async function fails(t: ExecutionContext, reason: Reason, call: Promise<unknown>): Promise<unknown> {
  const error: unknown = await t.throwsAsync(call)
  t.true(isReason(error, reason), `wanted ${reason}, got ${error}`)
  return error
}

function never(): AbortSignal {
  return new AbortController().signal
}
