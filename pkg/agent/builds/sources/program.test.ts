/** Programs with bounds: they end with whoever waits for them, and nothing that they have started stays. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { ManualClock, systemClock } from '#pkg/apimachinery/ambient.ts'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { type Programs, type Run, runProgram } from './program.ts'

const programs: Programs = {
  clock: systemClock(),
  searchPath: process.env['PATH'] ?? '',
  environment: { FROM_AGENT: 'known' },
  endGroup: (pid) => {
    try {
      process.kill(-pid, 'SIGKILL')
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
    }
  },
}

function asked(directory: string, script: string, more: Partial<Run> = {}): Run {
  return {
    args: ['-c', script],
    env: {},
    directory,
    patience: 60_000,
    mostBytes: 1000,
    signal: new AbortController().signal,
    ...more,
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false
    throw error
  }
}

async function untilGone(pid: number): Promise<void> {
  await eventually(() => {
    if (isAlive(pid)) throw new Error(`${pid} is there`)
  })
}

async function pidIn(path: string): Promise<number> {
  return await eventually(async () => {
    const pid = Number.parseInt(await readFile(path, 'utf8'), 10)
    if (!Number.isInteger(pid)) throw new Error('not written')
    return pid
  })
}

test('a program knows what it is told, and nothing else of the agent', async (t) => {
  const directory = await makeTempDir(t)
  const script = 'env; umask; cat; echo no >&2; exit 3'
  const { code, output, errors } = await runProgram(
    'bash',
    asked(directory, script, { env: { GIVEN: 'yes' } }),
    programs,
  )
  t.is(code, 3)
  t.is(errors, 'no\n')
  const lines = output.toString().trim().split('\n')
  t.deepEqual(lines.filter((line) => !/^(PWD|OLDPWD|SHLVL|_|PATH)=/.test(line)).toSorted(), [
    '0022',
    'FROM_AGENT=known',
    'GIVEN=yes',
  ])
})

test('one that writes without an end, or goes on for too long, is ended with all that it has started', async (t) => {
  const directory = await makeTempDir(t)
  const endless = runProgram('bash', asked(directory, 'sleep 1000 & echo $! >pid; yes'), programs)
  const error = await t.throwsAsync(endless)
  t.true(error instanceof StatusError && error.reason === 'SourceUnavailable')
  await untilGone(await pidIn(join(directory, 'pid')))
  const clock = new ManualClock()
  const second = await makeTempDir(t)
  const slow = runProgram('bash', asked(second, 'sleep 1000 & echo $! >pid; wait'), { ...programs, clock })
  const told = t.throwsAsync(slow, { message: 'bash is not done after 60 s' })
  const pid = await pidIn(join(second, 'pid'))
  await clock.advance(60_000)
  await told
  await untilGone(pid)
})

test('what a program leaves behind ends with it', async (t) => {
  const directory = await makeTempDir(t)
  const script = 'sleep 1000 >/dev/null 2>&1 & echo $! >pid'
  t.is((await runProgram('bash', asked(directory, script), programs)).code, 0)
  await untilGone(await pidIn(join(directory, 'pid')))
})

test('an agent that is killed takes its programs with it', async (t) => {
  const directory = await makeTempDir(t)
  const path = join(import.meta.dirname, 'program.ts')
  const script = `
    import { runProgram } from ${JSON.stringify(path)}
    const clock = { now: () => 0, after: () => () => {} }
    const programs = { clock, searchPath: process.env.PATH, environment: {}, endGroup() {} }
    const args = ['-c', 'sleep 1000 & echo $! >pid; wait']
    const signal = new AbortController().signal
    await runProgram('bash', { args, env: {}, directory: ${JSON.stringify(directory)}, patience: 1, mostBytes: 1, signal }, programs)`
  const agent = spawn(process.execPath, ['--input-type=module', '-e', script], {
    cwd: import.meta.dirname,
    stdio: 'inherit',
  })
  const pid = await pidIn(join(directory, 'pid'))
  t.true(isAlive(pid))
  agent.kill('SIGKILL')
  await once(agent, 'close')
  await untilGone(pid)
})
