import test from 'ava'
import type { HealthProbe, ObservedContainer } from '#pkg/engine/port.ts'
import { container, observed } from '#test/helpers/world.ts'
import { endingOf, lacksCommand, tellEnding, tellHealth } from './container.ending.ts'

const web = container('web', { resources: { limits: { memory: '64Mi' } } })

function ended(more: Partial<ObservedContainer>): ObservedContainer {
  return observed(web, 'f', { state: 'exited', finishedAt: '2026-01-01T11:30:00Z', ...more })
}

test('a kill for memory is told with the limit, or that the node had no more', (t) => {
  const killed = ended({
    exitCode: 137,
    oomKilled: true,
    limits: { cpus: 0, memoryBytes: 64 * 2 ** 20, pids: 0 },
  })
  t.deepEqual(endingOf(killed, web.spec), {
    reason: 'OOMKilled',
    message:
      'the kernel killed it because it used more memory than its limit of 64Mi; raise spec.resources.limits.memory or make it need less',
  })
  t.regex(tellEnding(killed, web.spec), /^exit code 137 \(OOMKilled: the kernel killed it/)
  t.regex(
    endingOf(ended({ exitCode: 137, oomKilled: true }), web.spec).message ?? '',
    /because the node ran out of memory/,
  )
})

test('a program that is not in the image is named, and what to do', (t) => {
  const error = 'failed: exec: "nosuch": executable file not found in $PATH: unknown'
  t.deepEqual(endingOf(ended({ exitCode: 127, error }), web.spec), {
    reason: 'StartError',
    message: `the image has no program "nosuch" in its $PATH: set spec.command or spec.args to a program that it has (the engine: ${error})`,
  })
  t.is(endingOf(ended({ exitCode: 128, error: 'something else' }), web.spec).message, 'something else')
})

test('exit codes of shells and signals are explained', (t) => {
  const tell = (exitCode: number, log: string[] = []) => tellEnding(ended({ exitCode }), web.spec, log)
  t.is(tell(127, ['sh: nosuch: not found']), 'exit code 127 (the image has no program "nosuch" in its $PATH)')
  t.is(tell(127), 'exit code 127 (a shell found a command missing)')
  t.is(tell(126), 'exit code 126 (a shell found a command that it may not execute)')
  t.is(tell(143), 'exit code 143 (ended by SIGTERM)')
  t.is(tell(139), 'exit code 139 (ended by SIGSEGV)')
  t.is(tell(3), 'exit code 3')
  t.is(tell(1, ['sh: nosuch: not found']), 'exit code 1')
})

test('an entry point that ends at once without a failure is told about the foreground', (t) => {
  const run = (finishedAt: string) => tellEnding(ended({ exitCode: 0, finishedAt }), web.spec)
  t.is(
    run('2026-01-01T11:00:01.5Z'),
    'exit code 0 (the main process ended within a second; a service must run in the foreground)',
  )
  t.is(run('2026-01-01T11:00:03Z'), 'exit code 0')
})

const probe = (exitCode: number, output: string): HealthProbe => ({
  start: '2026-01-01T12:00:00Z',
  end: '2026-01-01T12:00:01Z',
  exitCode,
  output,
})
const sick = (exitCode: number, output: string) =>
  ({ status: 'unhealthy', failingStreak: 3, log: [probe(exitCode, output)] }) as const

test('a health command that is not in the image is told as such, with what needs none', (t) => {
  const missing = sick(
    -1,
    'OCI runtime exec failed: exec: "curl": executable file not found in $PATH: unknown',
  )
  t.true(lacksCommand(missing))
  t.regex(
    tellHealth(missing),
    /^3 checks in a row failed, the last with exit code -1: .* \(the image has no program "curl" in its \$PATH: use a command that it has, or healthcheck\.http or healthcheck\.tcp, which need none\)$/,
  )
  t.regex(tellHealth(sick(127, 'sh: curl: not found')), /no program "curl"/)
  t.regex(tellHealth(sick(127, '')), /the command of the healthcheck is not in the image: use a command/)
  t.regex(
    tellHealth({ ...missing, status: 'starting' }),
    /^the healthcheck is starting, the last check failed with exit code -1/,
  )
})

test('a check that fails in earnest is told with its output, and exit code 2 is warned of', (t) => {
  t.is(tellHealth(sick(1, 'refused\n')), '3 checks in a row failed, the last with exit code 1: refused')
  t.is(tellHealth(sick(1, '\n')), '3 checks in a row failed, the last with exit code 1, without output')
  t.false(lacksCommand(sick(1, 'sh: curl: not found')))
  t.regex(tellHealth(sick(2, '')), /exit code 2 is reserved and counts as a failure/)
  t.is(
    tellHealth({ status: 'healthy', failingStreak: 0, log: [probe(0, 'ok')] }),
    'the healthcheck is healthy',
  )
})
