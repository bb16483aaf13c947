/** What to do about a container that the engine cannot start, beside the engine's own words. Pure. */
import { posix } from 'node:path'
import type { Reason } from '#pkg/apimachinery/errors.ts'
import type { Container } from '#pkg/apis/container.ts'
import { programError } from '#pkg/engine/programerror.ts'
import { refusedPart } from '#pkg/engine/refusedpart.ts'

export interface Failure {
  readonly reason: Reason
  readonly message: string
}

/** Words that only a shell knows. */
const shellWords: readonly string[] = [
  '.',
  'cd',
  'eval',
  'exec',
  'export',
  'set',
  'source',
  'trap',
  'ulimit',
  'unset',
]

/** A sentence; undefined when the engine's words say it all. */
export function startHint({ reason, message }: Failure, { spec }: Container): string | undefined {
  if (reason === 'ExecutableNotFound') return programHint(programError(message)?.program, spec)
  if (reason === 'UserNotFound') {
    const whose = spec.user === undefined ? 'the USER of the image' : `spec.user "${spec.user}"`
    return `${whose} is not in /etc/passwd and /etc/group of the image: use a name that is there, or a number such as "1000:1000"`
  }
  if (reason === 'DeviceNotFound')
    return `the node has no such device: mend spec.devices (${(spec.devices ?? []).join(', ')})`
  if (reason === 'HostPortInUse') return portHint(spec)
  if (reason === 'MountSourceMissing')
    return 'spec.mounts: make that path on the node first, or mount a Volume, which is made for you'
  return reason === 'InvalidSpec' ? refusalHint(message, spec) : undefined
}

function portHint({ ports }: Container['spec']): string {
  const fixed = (ports ?? []).flatMap(({ hostPort }) => (hostPort === undefined ? [] : [hostPort]))
  return `something else on the node listens there: end it, or choose another hostPort than ${fixed.join(', ')} in spec.ports`
}

function refusalHint(message: string, { securityContext, sysctls }: Container['spec']): string | undefined {
  switch (refusedPart(message)) {
    case 'capability': {
      const { add = [], drop = [] } = securityContext?.capabilities ?? {}
      return `the engine of the node does not know it: mend spec.securityContext.capabilities (${[...add, ...drop].join(', ')})`
    }
    case 'logging':
      return 'mend spec.logging, or install what it asks for on the node'
    case 'sysctl':
      return `the node has no such parameter for a container: mend spec.sysctls (${Object.keys(sysctls ?? {}).join(', ')})`
    case 'nothingToRun':
      return 'the image has neither ENTRYPOINT nor CMD: say in spec.command or spec.args what to run'
    case 'memory':
      return 'raise spec.resources.limits.memory'
    default:
      return undefined
  }
}

function programHint(program: string | undefined, { args, command, workingDir }: Container['spec']): string {
  if (program === 'docker-init')
    return 'spec.init is run by a program of the node, docker-init, which its engine lacks: install it there, or leave spec.init out'
  const where = command === undefined && args === undefined ? 'the image asks for' : 'the spec asks for'
  const otherwise = 'set spec.command or spec.args to a program that the image has'
  if (program === undefined) return otherwise
  if (shellWords.includes(program))
    return `"${program}" is a word of the shell, no program: leave it out, or run it as sh -c "${program} ..."`
  if (program.startsWith('-'))
    return `spec.args take the place of the image's CMD, and the image has no ENTRYPOINT: begin with the program, then "${program}"`
  if (program.includes('/') && !posix.isAbsolute(program)) {
    const directory = workingDir === undefined ? 'the WORKDIR of the image' : `spec.workingDir ${workingDir}`
    return `${where} "${program}", which is looked for in ${directory}: mend the one or the other`
  }
  return otherwise
}
