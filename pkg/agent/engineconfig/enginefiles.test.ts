import assert from 'node:assert/strict'
import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { localEngineFiles, noEngineFiles } from './enginefiles.ts'
import type { EngineConfigRecord } from './port.ts'

const record: EngineConfigRecord = {
  before: '{}',
  wrote: 'abc',
  reported: { insecure: ['127.0.0.0/8'], mirrors: [] },
}
const isRoot = process.getuid?.() === 0

/** A machine in a directory: its /etc/docker, its pid file, its /proc. */
async function machine(t: { teardown: (run: () => Promise<void>) => void }, comm = 'dockerd') {
  const root = await mkdtemp(join(tmpdir(), 'cove-enginefiles-'))
  t.teardown(() => rm(root, { recursive: true, force: true }))
  const at = (name: string) => join(root, name)
  await mkdir(at('proc/77'), { recursive: true })
  await writeFile(at('proc/77/comm'), `${comm}\n`)
  await writeFile(at('proc/77/cmdline'), 'dockerd\0--host\0unix:///e.sock\0')
  await writeFile(at('pid'), '77\n')
  const hangUps: number[] = []
  const files = localEngineFiles({
    configPath: at('etc/docker/daemon.json'),
    pidPath: at('pid'),
    dataDir: at('data'),
    procDir: at('proc'),
    hangUp: (pid) => void hangUps.push(pid),
  })
  return { at, files, hangUps }
}

test('it tells the process, the file and what was noted', async (t) => {
  const { files, at } = await machine(t)
  const process = { pid: 77, commandLine: ['dockerd', '--host', 'unix:///e.sock'] }
  const path = at('etc/docker/daemon.json')
  t.deepEqual(await files.look(), { path, text: undefined, process })
  await files.record(record)
  await files.write('{"debug": true}')
  t.deepEqual(await files.look(), { path, text: '{"debug": true}', process, record })
  t.is((await stat(at('data/engine-config.json'))).mode & 0o777, 0o600)
  await files.write(null)
  t.is((await files.look()).text, undefined)
})

test('a file keeps its mode, its owner and its being a link, and nothing is left beside it', async (t) => {
  const { files, at } = await machine(t)
  await mkdir(at('etc/docker'), { recursive: true })
  await mkdir(at('real'))
  await writeFile(at('real/daemon.json'), '{}')
  await chmod(at('real/daemon.json'), 0o640)
  if (isRoot) await chown(at('real/daemon.json'), 12, 34)
  await symlink(at('real/daemon.json'), at('etc/docker/daemon.json'))
  await files.write('{"debug": true}')
  const after = await stat(at('real/daemon.json'))
  t.is(after.mode & 0o777, 0o640)
  if (isRoot) t.deepEqual([after.uid, after.gid], [12, 34])
  t.is(await readlink(at('etc/docker/daemon.json')), at('real/daemon.json'))
  t.is(await readFile(at('real/daemon.json'), 'utf8'), '{"debug": true}')
  t.deepEqual(await readdir(at('real')), ['daemon.json'])
})

test('a process that is no dockerd is left alone', async (t) => {
  const { files } = await machine(t, 'bash')
  const { process, obstacle } = await files.look()
  t.is(process, undefined)
  t.regex(obstacle ?? '', /is "bash", not dockerd/)
})

test('an engine without a pid file is an obstacle that names the flag', async (t) => {
  const { files, at } = await machine(t)
  await rm(at('pid'))
  t.regex((await files.look()).obstacle ?? '', /--engine-pidfile/)
})

test('a directory in the place of the file is an obstacle, not a failure', async (t) => {
  const { files, at } = await machine(t)
  await mkdir(at('etc/docker/daemon.json'), { recursive: true })
  t.regex((await files.look()).obstacle ?? '', /cannot read/)
})

test('a note that was damaged is as none', async (t) => {
  const { files, at } = await machine(t)
  await mkdir(at('data'))
  for (const text of ['{', '[]', 'null', '{"before": 1, "wrote": "", "reported": {}}']) {
    await writeFile(at('data/engine-config.json'), text)
    t.is((await files.look()).record, undefined, text)
  }
})

test('the program of the engine itself checks a file, and says what is wrong with it', async (t) => {
  const { files, at } = await machine(t)
  const process = { pid: 77, commandLine: [] }
  const program = ['#!/bin/sh', 'grep -q good "$3" || { echo "bad directive" >&2; exit 1; }', ''].join('\n')
  await writeFile(at('proc/77/exe'), program, { mode: 0o755 })
  await files.validate('{"good": true}', process)
  await assert.rejects(files.validate('{}', process), { reason: 'InvalidSpec', message: /bad directive/ })
  t.deepEqual(await readdir(at('data')), [])
})

test('a reload is one signal, and one that cannot be sent is told', async (t) => {
  const { files, hangUps, at } = await machine(t)
  await files.reload(77)
  t.deepEqual(hangUps, [77])
  const refusing = localEngineFiles({
    configPath: '/nowhere',
    pidPath: at('pid'),
    dataDir: '/nowhere',
    procDir: at('proc'),
    hangUp: () => {
      throw new Error('kill EPERM')
    },
  })
  await assert.rejects(refusing.reload(77), { reason: 'EngineError', message: /kill EPERM/ })
})

test('a process that has the id of the engine by now is not hung up', async (t) => {
  const { files, hangUps, at } = await machine(t)
  await writeFile(at('proc/77/comm'), 'postgres\n')
  await assert.rejects(files.reload(77), { reason: 'EngineError', message: /is "postgres", not dockerd/ })
  await writeFile(at('proc/77/comm'), 'dockerd\n')
  await assert.rejects(files.reload(76), { reason: 'EngineError', message: /is process 77 now, and not 76/ })
  t.deepEqual(hangUps, [])
})

test('of an engine elsewhere nothing is looked at and nothing done', async (t) => {
  const files = noEngineFiles('/etc/docker/daemon.json', 'it is elsewhere')
  t.is((await files.look()).obstacle, 'it is elsewhere')
  await assert.rejects(files.write('{}'), { reason: 'InvalidSpec' })
})
