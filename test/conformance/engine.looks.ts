/** The engine port's promises about what it tells of containers beside their state, and what is done to them as they are. */
import type { ExecutionContext } from 'ava'
import { programs } from './engineprograms.ts'
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

/** Titles of promises about files, for engines whose containers have none. */
export const aboutFiles = {
  changes: 'what was written, changed and deleted in a container is told',
  export: 'all files of a container are one archive, whether it runs or not',
} as const

export const lookPromises: Record<string, Body> = {
  async 'the list tells of every container how it is, in words too'(t, on) {
    const hostPort = await on.freePort()
    const ports = [{ containerPort: 80, protocol: 'tcp', hostPort }] as const
    const running = await run(on, { labels: { a: 'b' }, ports })
    const failed = await run(on, { cmd: programs.failing.argv })
    const made = await create(on)
    await untilState(on, failed, 'exited')
    const listed = async (name: string) => (await on.engine.listContainers()).find((one) => one.name === name)
    const shown = await listed(running)
    t.like(shown, { labels: { a: 'b' }, image: on.image, state: 'running', command: 'sleep 86400' })
    t.is(shown?.id, (await mustInspect(on, running)).id)
    t.regex(shown?.status ?? '', /^Up /)
    t.true(shown?.ports.some((port) => port.containerPort === 80 && port.hostPort === hostPort))
    t.is(shown?.health, undefined)
    t.regex((await listed(failed))?.status ?? '', /^Exited \(3\) .* ago$/)
    t.like(await listed(made), { state: 'created', status: 'Created', ports: [] })
  },

  async 'the list tells whether a container is healthy'(t, on) {
    const healthcheck = { disabled: false, test: ['CMD', 'true'], interval: 100, timeout: 1000 } as const
    const name = await run(on, { healthcheck: { ...healthcheck, retries: 3, startPeriod: 0 } })
    const healthOf = async () => (await on.engine.listContainers()).find((one) => one.name === name)?.health
    t.true(['starting', 'healthy'].includes((await healthOf()) ?? ''))
    await on.until(async () => {
      if ((await healthOf()) !== 'healthy') throw new Error('not healthy yet')
    })
    t.pass()
  },

  async 'the processes of a container have the ids that the host knows them by'(t, on) {
    const name = await run(on)
    const { titles, processes } = await on.engine.containerProcesses(name, '-ef')
    const { pid } = await mustInspect(on, name)
    t.is(processes.length, 1)
    t.is(processes[0]?.[titles.indexOf('PID')], String(pid))
    t.is(processes[0]?.[titles.indexOf('CMD')], 'sleep 86400')
  },

  async 'usage is counted while a container runs'(t, on) {
    const name = await run(on, { limits: { cpus: 0, memoryBytes: 64 * mebibyte, pids: 0 } })
    const first = await on.engine.containerUsage(name)
    t.is(first?.memoryLimitBytes, 64 * mebibyte)
    t.true((first?.memoryBytes ?? 0) > 0 && (first?.memoryBytes ?? 0) < 64 * mebibyte)
    t.is(first?.pids, 1)
    const second = await on.until(async () => {
      const found = await on.engine.containerUsage(name)
      if (found === undefined || found.at === first?.at) throw new Error('no time has passed')
      return found
    })
    t.true(Date.parse(second.at) > Date.parse(first?.at ?? ''))
    t.true(second.cpuNanoseconds >= (first?.cpuNanoseconds ?? 0))
    await on.settle(on.engine.stopContainer(name, 0))
    t.is(await on.engine.containerUsage(name), undefined)
  },

  async 'a signal reaches the process, by name or by number'(t, on) {
    const polite = await run(on, { cmd: programs.polite.argv })
    await on.engine.signalContainer(polite, 'SIGTERM')
    t.is((await untilState(on, polite, 'exited')).exitCode, 7)
    const stubborn = await run(on)
    await on.engine.signalContainer(stubborn, 'TERM')
    t.is((await mustInspect(on, stubborn)).state, 'running')
    await fails(t, 'InvalidSpec', on.engine.signalContainer(stubborn, 'NONSENSE'))
    await on.engine.signalContainer(stubborn, '9')
    t.is((await untilState(on, stubborn, 'exited')).exitCode, 137)
    await fails(t, 'Conflict', on.engine.signalContainer(stubborn, 'KILL'))
  },

  async 'what only running containers have is refused to others'(t, on) {
    const name = await create(on)
    await fails(t, 'Conflict', on.engine.containerProcesses(name, '-ef'))
    await fails(t, 'Conflict', on.engine.signalContainer(name, 'TERM'))
    t.is(await on.engine.containerUsage(name), undefined)
    const nobody = on.uniqueName()
    await fails(t, 'NotFound', on.engine.containerProcesses(nobody, '-ef'))
    await fails(t, 'NotFound', on.engine.signalContainer(nobody, 'TERM'))
    await fails(t, 'NotFound', on.engine.containerUsage(nobody))
    await fails(t, 'NotFound', on.engine.containerChanges(nobody, never()))
  },

  async [aboutFiles.changes](t, on) {
    const name = await run(on, { cmd: ['sh', '-c', 'touch /made; rm /bin/ls; exec sleep 86400'] })
    const changes = await on.until(async () => {
      const found = await on.engine.containerChanges(name, never())
      if (!found.some(({ kind }) => kind === 'Deleted')) throw new Error('not yet')
      return found
    })
    t.deepEqual(changes, [
      { path: '/bin', kind: 'Modified' },
      { path: '/bin/ls', kind: 'Deleted' },
      { path: '/made', kind: 'Added' },
    ])
    t.deepEqual(await on.engine.containerChanges(await create(on), never()), [])
  },

  async [aboutFiles.export](t, on) {
    const name = await run(on, { cmd: ['sh', '-c', 'echo hello > /made-here'] })
    await untilState(on, name, 'exited')
    const pieces: Uint8Array[] = []
    for await (const piece of await on.engine.exportContainer(name, never())) pieces.push(piece)
    const archive = Buffer.concat(pieces)
    t.is(archive.length % 512, 0)
    t.true(archive.includes('made-here'))
    t.true(archive.includes('hello\n'))
    await fails(t, 'NotFound', on.engine.exportContainer(on.uniqueName(), never()))
  },

  async 'an image can be made of a container, under a name'(t, on) {
    const name = await run(on)
    const reference = `${on.uniqueName()}:kept`
    const options = { author: 'somebody', message: 'as it is', changes: [], pause: true, signal: never() }
    const { image } = await on.engine.commitContainer(name, { ...options, reference })
    const made = (await on.engine.listImages()).find(({ id }) => id === image)
    t.deepEqual(made?.references, [reference])
    t.is((await mustInspect(on, await run(on, { image: reference }))).imageID, image)
    t.is((await mustInspect(on, name)).state, 'running')
    t.is((await output(on, name)).stdout, '')
  },

  async 'the engine tells of a container in its own words'(t, on) {
    const { id } = await mustInspect(on, await create(on))
    t.like(await on.engine.rawContainer(id), { Id: id })
    t.is(await on.engine.rawContainer('0'.repeat(64)), undefined)
  },
}
