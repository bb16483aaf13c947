/** The programs that the engine suite runs, each as a real command line and as the script of a simulated process. */
import { canonicalJson } from '#pkg/apimachinery/hash.ts'
import type { BuildHook } from '#pkg/engine/simbuild.ts'
import type { CommandHook, SimCommand } from '#pkg/engine/simexec.ts'
import type { Behaviour, BehaviourHook } from '#pkg/engine/simprocess.ts'

interface Program {
  readonly argv: readonly string[]
  readonly behaviour: Behaviour
}

const shell = (script: string): readonly string[] => ['sh', '-c', script]

export const programs = {
  /** Ignores the stop signal, as the first process of a container does by default. */
  stubborn: {
    argv: ['sleep', '86400'],
    behaviour: { stop: { after: Number.POSITIVE_INFINITY, code: 0 } },
  },
  polite: {
    argv: shell('trap "exit 7" TERM; while :; do sleep 0.05; done'),
    behaviour: { stop: { after: 0, code: 7 } },
  },
  failing: { argv: shell('exit 3'), behaviour: { exit: { after: 0, code: 3 } } },
  talking: {
    argv: shell('echo one; echo two; echo oops >&2; echo three'),
    behaviour: {
      exit: { after: 0, code: 0 },
      output: [
        { stream: 'stdout', text: 'one\ntwo\n' },
        { stream: 'stderr', text: 'oops\n' },
        { stream: 'stdout', text: 'three\n' },
      ],
    },
  },
  ticking: {
    argv: shell('for i in 0 1 2 3 4; do echo tick $i; sleep 0.1; done'),
    behaviour: {
      exit: { after: 500, code: 0 },
      output: [0, 1, 2, 3, 4].map((i) => ({
        after: i * 100,
        stream: 'stdout' as const,
        text: `tick ${i}\n`,
      })),
    },
  },
  /** Late enough to be attached to before: of one that has ended an engine waits for the next start. */
  tickingLate: {
    argv: shell('sleep 4; echo tick 3; echo tick 4'),
    behaviour: {
      exit: { after: 4100, code: 0 },
      output: [{ after: 4000, stream: 'stdout', text: 'tick 3\ntick 4\n' }],
    },
  },
  /** Its file for the health check comes late enough to be seen without, on a slow machine too. */
  lateReady: {
    argv: shell('sleep 10; touch /ready; exec sleep 86400'),
    behaviour: { probe: ({ sinceStart }) => (sinceStart >= 10_000 ? 0 : 1) },
  },
  echoing: { argv: ['cat'], behaviour: { echoes: true } },
  missing: {
    argv: ['/no/such/program'],
    behaviour: { startFailure: { reason: 'ExecutableNotFound', message: 'no such file or directory' } },
  },
  notInPath: {
    argv: ['no-such-program'],
    behaviour: { startFailure: { reason: 'ExecutableNotFound', message: 'not found in $PATH' } },
  },
  notExecutable: {
    argv: ['/bin'],
    behaviour: { startFailure: { reason: 'ExecutableNotFound', message: 'permission denied' } },
  },
} as const satisfies Record<string, Program>

/** Says what it was given; simulated from the create itself. */
export const settingsArgv = shell('echo "$GREETING|$(pwd)|$(id -u)"')

/** What a simulated engine has to be told to run these. */
export const simulatedPrograms: BehaviourHook = (create) => {
  const argv = canonicalJson(create.cmd)
  if (argv === canonicalJson(settingsArgv)) {
    const text = `${create.env['GREETING']}|${create.workingDir}|${create.user}\n`
    return { exit: { after: 0, code: 0 }, output: [{ stream: 'stdout', text }] }
  }
  const program: Program | undefined = Object.values(programs).find(
    (candidate) => canonicalJson(candidate.argv) === argv,
  )
  return program?.behaviour ?? {}
}

interface Command {
  readonly argv: readonly string[]
  readonly simulated: SimCommand
}

/** What the suite runs beside a container's own process. */
export const commands = {
  twoStreams: {
    argv: shell('echo out; echo err >&2; exit 3'),
    simulated: async ({ write }) => {
      await write('stdout', 'out\n')
      await write('stderr', 'err\n')
      return 3
    },
  },
  echo: {
    argv: ['cat'],
    simulated: async ({ input, write }) => {
      for await (const data of input) await write('stdout', data)
      return 0
    },
  },
  count: {
    argv: shell('cat | wc -c'),
    simulated: async ({ input, write }) => {
      let bytes = 0
      for await (const data of input) bytes += data.length
      await write('stdout', `${bytes}\n`)
      return 0
    },
  },
  firstByte: {
    argv: ['head', '-c', '1'],
    simulated: async ({ input, write }) => {
      for await (const data of input) {
        await write('stdout', data.subarray(0, 1))
        break
      }
      return 0
    },
  },
  /** Waits for a line, then says how large its terminal is. */
  terminalSize: {
    argv: shell('test -t 1 && echo ready; read line; stty size; exit 5'),
    simulated: async ({ input, size, write }) => {
      await write('stdout', 'ready\r\n')
      for await (const _line of input) break
      await write('stdout', `${size()?.height} ${size()?.width}\r\n`)
      return 5
    },
  },
  flood: {
    argv: ['cat', '/dev/zero'],
    simulated: async ({ write }) => {
      for (;;) await write('stdout', new Uint8Array(65_536))
    },
  },
} as const satisfies Record<string, Command>

/** What a simulated engine has to be told to run these. */
export const simulatedCommands: CommandHook = (argv) => {
  const wanted = canonicalJson(argv)
  return Object.values(commands).find((command) => canonicalJson(command.argv) === wanted)?.simulated
}

/** RUN of the suite's Dockerfiles: `cat` of a secret, `echo`, `exit` and `sleep`, one after the other. */
export const simulatedRuns: BuildHook = (command, secrets) => {
  const parts = command.split(';').map((part) => part.trim().split(' '))
  const of = (name: string) => parts.filter(([first]) => first === name).map(([, ...rest]) => rest.join(' '))
  return {
    output: [
      ...of('cat').map((path) =>
        Buffer.from(secrets.get(path.replace('/run/secrets/', '')) ?? []).toString(),
      ),
      ...of('echo').map((words) => `${words}\n`),
    ].join(''),
    exitCode: Number(of('exit')[0] ?? 0),
    takes: Number(of('sleep')[0] ?? 0) * 1000,
  }
}
