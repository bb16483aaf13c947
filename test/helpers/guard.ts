/** Child processes that must not outlive the test that started them, whatever becomes of it. */
import { type ChildProcess, spawn } from 'node:child_process'

/**
 * Kills the child when this test is gone, also when it was ended without a chance to clean up: a worker thread that is
 * terminated runs no handlers, but its pipes are closed. The guard waits for that, and goes with the child.
 */
export function endWithUs(child: ChildProcess): void {
  if (child.pid === undefined) return
  const script = `cat >/dev/null; kill -KILL ${child.pid}`
  const guard = spawn('/bin/sh', ['-c', script], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
  // It is not what keeps a test running, and a guard that is gone already has nothing to say.
  guard.unref()
  guard.stdin?.on('error', () => {})
  guard.on('error', () => child.kill('SIGKILL'))
  child.once('exit', () => endGroup(guard))
}

/** The shell and what it waits with. */
function endGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}
