/** Limits, rights and checks of `cove run` as fields of a Container. Pure. */
import type { Args } from '../args.ts'
import { UsageError } from '../errors.ts'
import { pair, pairs, present, size, wholeNumber, wrong } from './words.ts'

export function limitFields(args: Args): Record<string, unknown> {
  const [memory, shm, pids] = [args.text('memory'), args.text('shm-size'), args.text('pids-limit')]
  const processes = pids === undefined ? 0 : wholeNumber('pids-limit', pids)
  return present({
    resources: present({
      limits: present({
        cpu: args.text('cpus'),
        memory: memory === undefined ? undefined : size('memory', memory),
        // Docker's 0 and -1 are no limit.
        pids: processes > 0 ? processes : undefined,
      }),
    }),
    shmSize: shm === undefined ? undefined : size('shm-size', shm),
    ulimits: pairs('ulimit', args.list('ulimit')),
    sysctls: pairs('sysctl', args.list('sysctl')),
    devices: args.list('device').map(device),
  })
}

/** `/dev/x:r` names the rights only. */
function device(text: string): string {
  const [path = '', inside, more] = text.split(':')
  return inside !== undefined && more === undefined && /^[rwm]+$/.test(inside)
    ? `${path}:${path}:${inside}`
    : text
}

export function securityFields(args: Args): Record<string, unknown> {
  const options = args.list('security-opt').map(securityOption)
  const securityContext = present({
    privileged: args.bool('privileged'),
    readOnlyRootFilesystem: args.bool('read-only'),
    ...Object.assign({}, ...options),
    capabilities: present({
      add: args.list('cap-add').map(capability),
      drop: args.list('cap-drop').map(capability),
    }),
  })
  // `present` takes what is false for absent, which here it is not.
  const gains = options.some((option) => 'allowPrivilegeEscalation' in option)
  return present({
    securityContext: { ...securityContext, ...(gains && { allowPrivilegeEscalation: false }) },
  })
}

function capability(name: string): string {
  return name.toUpperCase().replace(/^CAP_/, '')
}

function securityOption(text: string): Record<string, unknown> {
  const [key, value = 'true'] = pair(text, text.includes('=') ? '=' : ':')
  if (key === 'no-new-privileges') return value === 'true' ? { allowPrivilegeEscalation: false } : {}
  if (key === 'seccomp' && value === 'unconfined') return { seccompProfile: { type: 'Unconfined' } }
  throw wrong('security-opt', text, 'no-new-privileges and seccomp=unconfined are')
}

const checkFlags = {
  interval: 'health-interval',
  timeout: 'health-timeout',
  startPeriod: 'health-start-period',
  startInterval: 'health-start-interval',
} as const

export function healthFields(args: Args): Record<string, unknown> {
  const command = args.text('health-cmd')
  const details = [...Object.values(checkFlags), 'health-retries'].filter((flag) => args.has(flag))
  if (args.bool('no-healthcheck')) {
    if (command !== undefined || details.length > 0)
      throw new UsageError('--no-healthcheck excludes the other --health flags', 'run')
    return { healthcheck: { disabled: true } }
  }
  if (command === 'none') return { healthcheck: { disabled: true } }
  if (command === undefined || command === '') {
    if (details.length === 0) return {}
    throw new UsageError(
      `--${details[0]} needs --health-cmd: the times of the image's own HEALTHCHECK come with it`,
      'run',
    )
  }
  const retries = args.text('health-retries')
  const times = Object.entries(checkFlags).map(([field, flag]) => [field, args.text(flag)] as const)
  return {
    healthcheck: present({
      shell: command,
      ...Object.fromEntries(times),
      retries: retries === undefined ? undefined : wholeNumber('health-retries', retries),
    }),
  }
}
