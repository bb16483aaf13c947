/** A program behind a real terminal: python3 holds the other end of it, types what the script says and shows all output. */
import { execFile } from 'node:child_process'

/** What is typed once the output holds the words; `resize` changes the terminal's size instead, `[rows, columns]`. */
export type Step =
  | { readonly after: string; readonly type: string }
  | { readonly after: string; readonly resize: readonly [rows: number, columns: number] }

export interface Session {
  readonly output: string
  readonly code: number
  /** Whether the terminal echoed again and took lines when the program had ended. */
  readonly restored: boolean
}

const holder = `
import fcntl, json, os, pty, select, signal, struct, sys, termios, time
argv, steps, env = json.loads(sys.argv[1])
def size(rows, columns): fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))
master, slave = pty.openpty()
size(24, 80)
before = termios.tcgetattr(slave)[3]
pid = os.fork()
if pid == 0:
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for fd in (0, 1, 2): os.dup2(slave, fd)
    os.close(master)
    os.execvpe(argv[0], argv, env)
output, status, seen, deadline = b'', None, 0, time.time() + 60
while time.time() < deadline:
    if select.select([master], [], [], 0.05)[0]:
        output += os.read(master, 65536)
        continue
    if steps and steps[0]['after'].encode() in output[seen:]:
        seen = output.index(steps[0]['after'].encode(), seen) + len(steps[0]['after'].encode())
        step = steps.pop(0)
        if 'type' in step: os.write(master, step['type'].encode())
        else:
            size(*step['resize'])
            os.kill(pid, signal.SIGWINCH)
        continue
    done, raw = os.waitpid(pid, os.WNOHANG)
    if done:
        status = os.waitstatus_to_exitcode(raw)
        while select.select([master], [], [], 0.05)[0]: output += os.read(master, 65536)
        break
if status is None: os.kill(pid, signal.SIGKILL)
after = termios.tcgetattr(slave)[3]
print(json.dumps({'output': output.decode('utf8', 'replace'), 'code': -1 if status is None else status, 'restored': before == after}))
`

export function inTerminal(
  argv: readonly string[],
  steps: readonly Step[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<Session> {
  return new Promise((resolve, reject) => {
    const script = JSON.stringify([argv, steps, env])
    execFile('python3', ['-c', holder, script], { maxBuffer: 64 * 1024 * 1024 }, (error, stdout) => {
      if (error) reject(error)
      else resolve(JSON.parse(stdout))
    })
  })
}
