/** The real kubectl against a server of a test, with a kubeconfig and a cache of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import type { TestServing } from './server.ts'

export interface Output {
  readonly stdout: string
  readonly stderr: string
  readonly code: number
}

export interface Kubectl {
  /** Runs one command to its end; `input` is its standard input. */
  run(args: readonly string[], input?: string): Promise<Output>
  /** As `run`, for a command that must succeed; resolves with its standard output. */
  ok(args: readonly string[], input?: string): Promise<string>
  /** Starts a command that goes on until it is killed. */
  start(args: readonly string[]): ChildProcess
}

export function makeKubectl(
  { kubeconfigPath, dir }: Pick<TestServing, 'kubeconfigPath' | 'dir'>,
  more: Readonly<Record<string, string>> = {},
  program = 'kubectl',
): Kubectl {
  const env = { ...process.env, KUBECONFIG: kubeconfigPath, HOME: dir, ...more }
  const start = (args: readonly string[]) =>
    spawn(program, ['--cache-dir', join(dir, 'cache'), ...args], { env })
  const run = (args: readonly string[], input = '') => collect(start(args), input)
  const ok = async (args: readonly string[], input?: string) => {
    const { code, stdout, stderr } = await run(args, input)
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')} failed with ${code}: ${stderr}${stdout}`)
    return stdout
  }
  return { run, ok, start }
}

/** What a command wrote, and its exit code. */
export function collect(child: ChildProcess, input: string): Promise<Output> {
  return new Promise((resolve, reject) => {
    const [stdout, stderr] = [[] as Buffer[], [] as Buffer[]]
    child.stdout?.on('data', (chunk) => stdout.push(chunk))
    child.stderr?.on('data', (chunk) => stderr.push(chunk))
    child.once('error', reject)
    child.once('close', (code) => {
      const text = (chunks: Buffer[]) => Buffer.concat(chunks).toString('utf8')
      resolve({ stdout: text(stdout), stderr: text(stderr), code: code ?? -1 })
    })
    // A command that does not read its input may be gone before it is written.
    child.stdin?.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') reject(error)
    })
    child.stdin?.end(input)
  })
}
