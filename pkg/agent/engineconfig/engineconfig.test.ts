import assert from 'node:assert/strict'
import test from 'ava'
import fc from 'fast-check'
import { ManualClock, silentLogger } from '#pkg/apimachinery/ambient.ts'
import type { NodeSpec } from '#pkg/apis/node.ts'
import { printPlan } from '#pkg/plan/plan.ts'
import { describeOp } from '../ops.ts'
import { type EngineConfigDecision, patienceMs, planEngineConfig } from './engineconfig.plan.ts'
import { EngineSettings } from './enginesettings.ts'
import type { EngineConfigRecord, EngineFiles } from './port.ts'
import { parseFile, settingsIn } from './settings.ts'

type Wanted = NodeSpec['engine']

/** A machine with an engine that reads its file as Docker Engine 20.10 does: each list by itself, and what is absent stays. */
class Machine {
  readonly clock = new ManualClock(1_000_000)
  text: string | undefined
  insecure: string[] = []
  mirrors: string[] = []
  commandLine = ['dockerd', '--config-file', '/e/daemon.json', '-H', 'unix:///e/docker.sock']
  obstacle: string | undefined
  alive = true
  /** Mirrors that the engine does not take. */
  bad = 'refused.example'
  readonly done: string[] = []
  #record: EngineConfigRecord | undefined
  #settings = this.#begin()
  /** The agent is killed before its so manieth step. */
  killIn = Number.POSITIVE_INFINITY

  constructor(text?: string) {
    this.text = text
    this.#read()
  }

  #begin(): EngineSettings {
    const step = (name: string) => {
      if (this.killIn-- <= 0) throw new Error(`killed before: ${name}`)
      this.done.push(name)
    }
    const files: EngineFiles = {
      look: async () => ({
        path: '/e/daemon.json',
        text: this.text,
        process: this.alive ? { pid: 7, commandLine: this.commandLine } : undefined,
        ...(this.obstacle !== undefined && { obstacle: this.obstacle }),
        ...(this.#record !== undefined && { record: this.#record }),
      }),
      write: async (text) => {
        step('write')
        this.text = text ?? undefined
      },
      record: async (record) => {
        step('record')
        this.#record = record
      },
      validate: async () => step('validate'),
      reload: async () => {
        step('reload')
        this.#read()
      },
    }
    return new EngineSettings({ files, clock: this.clock, log: silentLogger })
  }

  restartAgent(): void {
    this.killIn = Number.POSITIVE_INFINITY
    this.#settings = this.#begin()
  }

  /** What a reload does. */
  #read(): void {
    const parsed = parseFile(this.text)
    if (!parsed.ok || 'nonsense' in parsed.content) return
    if (typeof settingsIn(parsed.content) === 'string') return
    const list = (key: string) => parsed.content[key] as string[] | undefined
    this.insecure = list('insecure-registries') ?? this.insecure
    const mirrors = list('registry-mirrors')
    if (mirrors?.some((each) => each.includes(this.bad))) return
    this.mirrors = mirrors?.map((each) => `${each}/`) ?? this.mirrors
  }

  async plan(wanted: Wanted): Promise<EngineConfigDecision> {
    const facts = await this.#settings.look(wanted)
    if (facts === undefined) return { plan: { ops: [] } }
    return planEngineConfig({
      ...facts,
      group: 'EngineConfig/n1',
      now: this.clock.now(),
      wanted,
      socketPath: '/e/docker.sock',
      engineVersion: '20.10.24',
      reported: { insecure: ['127.0.0.0/8', ...this.insecure], mirrors: this.mirrors },
    })
  }

  async printed(wanted: Wanted): Promise<string> {
    return printPlan((await this.plan(wanted)).plan, describeOp)
  }

  async step(wanted: Wanted): Promise<EngineConfigDecision> {
    const decision = await this.plan(wanted)
    for (const { op } of decision.plan.ops) {
      if (op.type === 'writeEngineConfig') await this.#settings.write(op)
      else if (op.type === 'reloadEngine') await this.#settings.reload(op)
      else throw new Error(`unexpected ${op.type}`)
    }
    return decision
  }

  /** Passes until nothing is left to do. */
  async settle(wanted: Wanted): Promise<EngineConfigDecision> {
    for (let passes = 0; passes < 20; passes++) {
      const decision = await this.step(wanted)
      if (decision.plan.ops.length > 0) continue
      if (decision.wakeAt === undefined) return decision
      await this.clock.advance(patienceMs)
    }
    throw new Error('it does not come to rest')
  }

  putBackForTheDead(): Promise<void> {
    return this.#settings.putBackForTheDead()
  }
}

const insecure = { insecureRegistries: ['192.168.199.100:5000'] }
const refusedMirror = { registryMirrors: ['http://refused.example'] }

test('what a Node asks for is written, read by the engine, and then nothing is left to do', async (t) => {
  const machine = new Machine()
  t.is(
    await machine.printed(insecure),
    [
      'EngineConfig/n1#1: write /e/daemon.json because spec.engine: insecure registries [192.168.199.100:5000]',
      'EngineConfig/n1#2: have the engine (process 7) read its settings again because spec.engine: insecure registries [192.168.199.100:5000] (after EngineConfig/n1#1)',
    ].join('\n'),
  )
  const { condition } = await machine.settle(insecure)
  t.like(condition, { status: 'True', reason: 'EngineConfigured' })
  t.deepEqual(machine.insecure, ['192.168.199.100:5000'])
  t.deepEqual(machine.done, ['record', 'write', 'reload'])
})

test('other keys, their order and the indentation stay', async (t) => {
  const machine = new Machine(
    '{\n    "debug": true,\n    "registry-mirrors": ["http://old"],\n    "log-level": "warn"\n}\n',
  )
  await machine.settle({ registryMirrors: ['http://new'] })
  t.is(
    machine.text,
    '{\n    "debug": true,\n    "registry-mirrors": [\n        "http://new"\n    ],\n    "log-level": "warn"\n}\n',
  )
})

test('absent fields leave their keys alone, an empty list takes everything away', async (t) => {
  const machine = new Machine('{"registry-mirrors": ["http://m"], "insecure-registries": ["a.example"]}')
  await machine.settle({ registryMirrors: [] })
  t.deepEqual([machine.mirrors, machine.insecure], [[], ['a.example']])
  t.deepEqual(await machine.plan(undefined), { plan: { ops: [] } })
  t.is((await machine.settle({ insecureRegistries: [] })).condition?.status, 'True')
  t.deepEqual(machine.insecure, [])
})

test('networks and mirrors are the same however they are spelled', async (t) => {
  const machine = new Machine('{"registry-mirrors": ["http://m"], "insecure-registries": ["10.0.0.0/8"]}')
  const same = { registryMirrors: ['http://m/'], insecureRegistries: ['10.1.2.3/8', '127.0.0.0/8'] }
  t.like((await machine.step(same)).condition, { status: 'True' })
  t.deepEqual(machine.done, [])
})

test('what the engine does not take is put back, and not tried again before spec or file change', async (t) => {
  const before = '{"debug": true}'
  const machine = new Machine(before)
  const both = { ...insecure, ...refusedMirror }
  const { condition } = await machine.settle(both)
  t.like(condition, { status: 'False', reason: 'EngineRefused' })
  t.regex(condition?.message ?? '', /with insecure registries .* and mirrors \[http:\/\/refused\.example\]/)
  t.is(machine.text, before)
  // It had taken the half of it.
  t.deepEqual([machine.insecure, machine.mirrors], [[], []])

  const calls = machine.done.length
  machine.restartAgent()
  t.like((await machine.settle(both)).condition, { reason: 'EngineRefused' })
  t.is(machine.done.length, calls)

  t.like((await machine.settle(insecure)).condition, { status: 'True' })
  machine.bad = 'nothing'
  t.like((await machine.settle(both)).condition, { status: 'True' })
})

test('a refused wish is tried again when somebody has changed the file', async (t) => {
  const machine = new Machine('{"nonsense": 1}')
  t.like((await machine.settle(insecure)).condition, { reason: 'EngineRefused' })
  t.is(machine.text, '{"nonsense": 1}')
  machine.text = '{}'
  t.like((await machine.settle(insecure)).condition, { status: 'True' })
})

test('what is wrong with a file is told without what is in it', async (t) => {
  const machine = new Machine('{"proxies": {"http-proxy": "http://me:hunter2@proxy"},, "a": hunter2}')
  const { condition } = await machine.settle(insecure)
  t.regex(condition?.message ?? '', /not valid JSON \(at .*\d/)
  t.notRegex(condition?.message ?? '', /hunter2|proxy/)
  machine.text = 'hunter2'
  const { condition: second } = await machine.settle(insecure)
  t.regex(second?.message ?? '', /not valid JSON/)
  t.notRegex(second?.message ?? '', /hunter2/)
})

test('a file that was broken by hand stays as it is', async (t) => {
  for (const text of ['{"debug": true,', '[]', '{"registry-mirrors": "http://m"}']) {
    const machine = new Machine(text)
    t.like((await machine.settle(insecure)).condition, { status: 'False', reason: 'ConfigInvalid' })
    t.is(machine.text, text)
    t.deepEqual(machine.done, [])
  }
})

test('a file that is right but was never read is read, and left to whoever wrote it when the engine refuses', async (t) => {
  const machine = new Machine('{}')
  machine.text = '{"registry-mirrors": ["http://refused.example"]}'
  t.like((await machine.settle(refusedMirror)).condition, { reason: 'EngineRefused' })
  t.deepEqual(machine.done, ['reload'])
  t.is(machine.text, '{"registry-mirrors": ["http://refused.example"]}')
})

test('a wish that is taken back before the engine has taken it is put back too', async (t) => {
  const machine = new Machine('{"debug": true}')
  await machine.step(refusedMirror)
  await machine.settle(undefined)
  t.is(machine.text, '{"debug": true}')
})

test('what cannot be right is refused before anything is written', async (t) => {
  const wrong: Wanted[] = [
    { registryMirrors: ['http://m:99999'] },
    { registryMirrors: ['http://user:secret@m'] },
    { registryMirrors: ['http://m?x'] },
    { insecureRegistries: ['a b'] },
    { insecureRegistries: ['host:99999'] },
    { insecureRegistries: ['10.0.0.0/33'] },
    { insecureRegistries: ['host/8'] },
  ]
  for (const wanted of wrong) {
    const machine = new Machine()
    const { condition } = await machine.settle(wanted)
    t.like(condition, { status: 'False', reason: 'InvalidSetting' }, JSON.stringify(wanted))
    t.false(condition?.message.includes('secret'))
    t.deepEqual(machine.done, [])
  }
})

test('a setting that is a flag of the engine too is refused: it would not start again', async (t) => {
  for (const flag of [['--insecure-registry', 'a'], ['--insecure-registry=a']]) {
    const machine = new Machine()
    machine.commandLine.push(...flag)
    t.like((await machine.settle(insecure)).condition, { reason: 'SetByFlag' })
    t.like((await machine.settle({ registryMirrors: ['http://m'] })).condition, { status: 'True' })
  }
})

test('the file and the process of another engine are not touched', async (t) => {
  const lines = [
    ['dockerd', '-H', 'unix:///e/docker.sock'],
    ['dockerd', '--config-file=/e/daemon.json', '-H', 'fd://'],
    ['dockerd', '--config-file=/e/daemon.json', '-Hunix:///other.sock'],
    ['dockerd', '--config-file=/e/daemon.json'],
  ]
  for (const line of lines) {
    const machine = new Machine()
    machine.commandLine = line
    const { condition } = await machine.settle(insecure)
    t.like(condition, { status: 'False', reason: 'Unsupported' }, line.join(' '))
    t.regex(condition?.message ?? '', /--engine-(config|pidfile)/)
  }
})

test('where settings cannot be managed from here the condition says why', async (t) => {
  const machine = new Machine()
  machine.obstacle = 'not on this machine'
  t.deepEqual((await machine.settle(insecure)).condition, {
    status: 'False',
    reason: 'Unsupported',
    message: 'not on this machine',
  })
})

test('an engine that dies of its new file gets the old one back to start with', async (t) => {
  const machine = new Machine('{"debug": true}')
  await machine.step(insecure)
  machine.alive = false
  await machine.putBackForTheDead()
  t.is(machine.text, '{"debug": true}')
})

test('an engine that ends long after a reload keeps its file', async (t) => {
  const machine = new Machine('{"debug": true}')
  await machine.settle(insecure)
  await machine.clock.advance(patienceMs + 1)
  machine.alive = false
  await machine.putBackForTheDead()
  t.deepEqual(machine.insecure, insecure.insecureRegistries)
  t.true(machine.text?.includes('192.168.199.100'))
})

test('an agent killed before any step leaves what the next one ends, with the file as it was or as it should be', async (t) => {
  const wishes: Wanted[] = [insecure, refusedMirror, { ...insecure, ...refusedMirror }]
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...wishes),
      fc.constantFrom(undefined, '{"debug": true}', '{"insecure-registries": ["x.example"]}'),
      fc.array(fc.nat(8), { maxLength: 3 }),
      async (wanted, before, kills) => {
        const machine = new Machine(before)
        const known = machine.insecure
        for (const killIn of kills) {
          machine.killIn = killIn
          await machine.settle(wanted).catch((error: unknown) => {
            assert.match(String(error), /killed before/)
          })
          machine.restartAgent()
        }
        const { condition } = await machine.settle(wanted)
        if (wanted?.registryMirrors === undefined) {
          assert.equal(condition?.status, 'True')
          assert.deepEqual(machine.insecure, insecure.insecureRegistries)
        } else {
          assert.equal(condition?.reason, 'EngineRefused')
          assert.equal(machine.text, before)
          assert.deepEqual([machine.insecure, machine.mirrors], [known, []])
        }
      },
    ),
    { numRuns: 300 },
  )
  t.pass()
})
