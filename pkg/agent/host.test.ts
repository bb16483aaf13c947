import test from 'ava'
import { ManualClock, seededRandom, silentLogger } from '#pkg/apimachinery/ambient.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import type { EngineInfo } from '#pkg/engine/port.ts'
import type { Disk } from './disk.ts'
import { noEngineFiles } from './engineconfig/enginefiles.ts'
import { Host } from './host.ts'
import type { OpOf } from './ops.ts'

const ambient = { clock: new ManualClock(), random: seededRandom(1), log: silentLogger }

function engine(insecure: readonly string[]): EngineInfo {
  return {
    id: 'e',
    hostname: 'h',
    version: '20.10.24',
    apiVersion: '1.41',
    builder: 'Classic',
    kernel: 'k',
    operatingSystem: 'o',
    architecture: 'x86_64',
    cpus: 2,
    memoryBytes: 1e9,
    storageDriver: 'overlay2',
    rootDirectory: '/d',
    registries: { mirrors: [], insecure },
    containers: 0,
    images: 0,
  }
}

function machine() {
  let availableBytes = 1e9
  const own = { availableBytes: 1e9 }
  const diskOf = (path: string, availableBytes: number): Disk => {
    return { path, totalBytes: 10e9, usedBytes: 10e9 - availableBytes, availableBytes, usedPercent: 90 }
  }
  const readDisk = async (path: string): Promise<Disk> => diskOf(path, availableBytes)
  const readOwnDisk = async () => diskOf('/own', own.availableBytes)
  const host = new Host({ readDisk, readOwnDisk, engineFiles: noEngineFiles('/f', 'elsewhere') }, ambient)
  const hopes = async (available: number, insecure: readonly string[] = []) => {
    availableBytes = available
    return host.newHopes(await host.look(engine(insecure), undefined))
  }
  return { host, hopes, own }
}

test('what found no room is tried again when so much was freed that it may fit, once', async (t) => {
  const { hopes } = machine()
  t.deepEqual(await hopes(1e9), [])
  t.deepEqual(await hopes(0.9e9), [])
  t.deepEqual(await hopes(0.94e9), [])
  t.deepEqual(await hopes(0.96e9), ['NoSpace'])
  t.deepEqual(await hopes(0.96e9), [])
  t.deepEqual(await hopes(1.1e9), ['NoSpace'])
})

test('what found no room where the agent has its own files is tried again when there is some', async (t) => {
  const { host, hopes, own } = machine()
  own.availableBytes = 0.1e9
  t.deepEqual(await hopes(1e9), [])
  const full = 'no room for a context: 95.4Mi of 9.3Gi are free on /own, of which 190.7Mi are kept free'
  t.is(await host.whyNoOwnRoom('a context'), full)
  t.is(await host.whyNoRoom('a build'), undefined)
  own.availableBytes = 0.3e9
  t.deepEqual(await hopes(1e9), ['NoSpace'])
  t.is(await host.whyNoOwnRoom('a context'), undefined)
  t.deepEqual(await hopes(1e9), [])
})

test('a build is not begun where the engine has no room, and a disk that cannot be read keeps none back', async (t) => {
  const { host, hopes } = machine()
  await hopes(0.1e9)
  const op = { type: 'buildImage' } as OpOf<'buildImage'>
  const context = {
    engine: { listImages: async () => [] },
    credentials: { secretOf: () => undefined, registries: () => [] },
  }
  const error = await t.throwsAsync(host.mustHaveRoom(op, context, new AbortController().signal))
  t.true(isReason(error, 'NoSpace'))
  t.regex(error?.message ?? '', /^no room for a build: .* are free on \/d/)
  const readDisk = () => Promise.reject(new Error('EIO'))
  const broken = new Host({ readDisk, engineFiles: noEngineFiles('/f', 'elsewhere') }, ambient)
  await t.throwsAsync(broken.look(engine([]), undefined))
  t.is(await broken.whyNoRoom('a build'), undefined)
})

test('what a registry was asked for in vain is tried again when the engine reaches registries otherwise', async (t) => {
  const { hopes } = machine()
  t.deepEqual(await hopes(1e9), [])
  t.true((await hopes(1e9, ['r.lan:5000'])).includes('RegistryInsecure'))
  t.deepEqual(await hopes(1e9, ['r.lan:5000']), [])
})

test('of an engine elsewhere nothing is told', async (t) => {
  const host = new Host(undefined, ambient)
  t.deepEqual(await host.look(engine([]), undefined), {})
  t.deepEqual(host.newHopes({}), [])
})
