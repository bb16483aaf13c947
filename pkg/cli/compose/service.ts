/** Each key of a Compose service, once, and what of a Container it becomes. A key that is not here is told. Pure. */
import { ownValue } from '#pkg/apimachinery/hash.ts'
import { deploy } from './deploy.ts'
import { healthcheck } from './healthcheck.ts'
import { ports } from './ports.ts'
import {
  type At,
  bool,
  bytes,
  type Fields,
  integer,
  list,
  map,
  pairs,
  type Turn,
  text,
  texts,
  words,
} from './reading.ts'

const none: Turn = () => ({})

const restartPolicies: Readonly<Record<string, string>> = {
  no: 'Never',
  always: 'Always',
  'unless-stopped': 'Always',
  'on-failure': 'OnFailure',
}

const pullPolicies: Readonly<Record<string, string>> = {
  always: 'Always',
  missing: 'IfNotPresent',
  if_not_present: 'IfNotPresent',
  never: 'Never',
}

const limit = (name: string, value: unknown): Fields => ({ resources: { limits: { [name]: value } } })
const security = (fields: Fields): Fields => ({ securityContext: fields })

export const turns: Readonly<Record<string, Turn>> = {
  image: (value, at) => ({ image: text(value, at) }),
  command: (value, at) => (value === null ? {} : { args: words(value, at) }),
  entrypoint: (value, at) => (value === null ? {} : { command: words(value, at) }),
  working_dir: (value, at) => ({ workingDir: text(value, at) }),
  user: (value, at) => ({ user: text(value, at) }),
  hostname: (value, at) => ({ hostname: text(value, at) }),
  stdin_open: (value, at) => ({ stdin: bool(value, at) }),
  tty: (value, at) => ({ tty: bool(value, at) }),
  init: (value, at) => ({ init: bool(value, at) }),
  stop_signal: (value, at) => ({ stopSignal: text(value, at) }),
  stop_grace_period: (value, at) => ({ terminationGracePeriodSeconds: seconds(text(value, at), at) }),
  restart: restart,
  pull_policy: pullPolicy,
  labels: (value, at) => ({ labels: Object.fromEntries([...pairs(value, at)].map(([k, v = '']) => [k, v])) }),
  ports,
  healthcheck,
  deploy,
  cpus: (value, at) => limit('cpu', text(value, at)),
  mem_limit: (value, at) => limit('memory', bytes(value, at)),
  pids_limit: (value, at) => (integer(value, at) > 0 ? limit('pids', integer(value, at)) : {}),
  privileged: (value, at) => security({ privileged: bool(value, at) }),
  read_only: (value, at) => security({ readOnlyRootFilesystem: bool(value, at) }),
  cap_add: (value, at) => security({ capabilities: { add: capabilities(value, at) } }),
  cap_drop: (value, at) => security({ capabilities: { drop: capabilities(value, at) } }),
  security_opt: securityOptions,
  devices: (value, at) => ({ devices: texts(value, at) }),
  ulimits: (value, at) => ({ ulimits: ulimits(value, at) }),
  sysctls: (value, at) => ({
    sysctls: Object.fromEntries([...pairs(value, at)].map(([k, v = '']) => [k, v])),
  }),
  shm_size: (value, at) => ({ shmSize: bytes(value, at) }),
  extra_hosts: (value, at) => ({ extraHosts: extraHosts(value, at) }),
  dns: (value, at) => ({ dns: { servers: texts(value, at) } }),
  dns_search: (value, at) => ({ dns: { searches: texts(value, at) } }),
  dns_opt: (value, at) => ({ dns: { options: texts(value, at) } }),
  logging: logging,
  // Told by the project: they concern more than one service, or files.
  build: none,
  container_name: none,
  environment: none,
  env_file: none,
  volumes: none,
  tmpfs: none,
  networks: none,
  network_mode: none,
  depends_on: none,
  links: none,
  configs: none,
  secrets: none,
  profiles: none,
  scale: none,
  // Say nothing that a container is made of.
  expose: none,
  attach: none,
  extends: (_, at) => {
    at.note('is not followed; convert the output of `docker compose config` instead')
    return {}
  },
}

function restart(value: unknown, at: At): Fields {
  const [word = '', count] = text(value, at).split(':')
  const restartPolicy = restartPolicies[value === false ? 'no' : word]
  if (restartPolicy === undefined) at.note(`"${word}" is not known; the default Always is taken`)
  if (count !== undefined) at.note(`there is no bound of ${count} restarts; they back off up to 5 minutes`)
  if (word === 'unless-stopped') at.note('a container is stopped by `cove stop`, and stays so')
  return restartPolicy === undefined ? {} : { restartPolicy }
}

function pullPolicy(value: unknown, at: At): Fields {
  const word = text(value, at)
  // What is built is built when something of it has moved, and not otherwise.
  if (word === 'build') return {}
  const imagePullPolicy = ownValue(pullPolicies, word)
  if (imagePullPolicy === undefined) at.note(`"${word}" has no counterpart`)
  return imagePullPolicy === undefined ? {} : { imagePullPolicy }
}

function capabilities(value: unknown, at: At): string[] {
  return texts(value, at).map((name) => name.toUpperCase().replace(/^CAP_/, ''))
}

function securityOptions(value: unknown, at: At): Fields {
  let fields: Fields = {}
  for (const option of texts(value, at)) {
    const [name = '', setting = 'true'] = option.split(/[:=]/)
    if (name === 'no-new-privileges') fields = { ...fields, allowPrivilegeEscalation: setting !== 'true' }
    else if (name === 'seccomp' && setting === 'unconfined')
      fields = { ...fields, seccompProfile: { type: 'Unconfined' } }
    else at.note(`"${option}" has no counterpart`)
  }
  return security(fields)
}

function ulimits(value: unknown, at: At): Record<string, string> {
  const entries = Object.entries(map(value, at)).map(([name, limits]) => {
    if (typeof limits !== 'object') return [name, text(limits, at)]
    const { soft, hard } = map(limits, at)
    return [name, `${text(soft, at)}:${text(hard, at)}`]
  })
  return Object.fromEntries(entries)
}

function extraHosts(value: unknown, at: At): string[] {
  if (!Array.isArray(value)) return [...pairs(value, at)].map(([name, address = '']) => `${name}:${address}`)
  return list(value, at).map((line) => text(line, at).replace('=', ':'))
}

function logging(value: unknown, at: At): Fields {
  const { driver, options } = map(value, at)
  return {
    logging: {
      ...(driver !== undefined && { driver: text(driver, at) }),
      ...(options !== undefined && {
        options: Object.fromEntries([...pairs(options, at)].map(([k, v = '']) => [k, v])),
      }),
    },
  }
}

/** `1m30s` as whole seconds; a begun one counts. */
function seconds(duration: string, at: At): number {
  const units: Readonly<Record<string, number>> = { us: 1e-6, ms: 1e-3, s: 1, m: 60, h: 3600 }
  const parts = [...duration.matchAll(/(\d+(?:\.\d+)?)(us|ms|s|m|h)/g)]
  if (parts.map(([whole]) => whole).join('') !== duration) at.note(`"${duration}" is no duration`)
  return Math.ceil(parts.reduce((sum, [, count, unit]) => sum + Number(count) * (units[unit ?? ''] ?? 0), 0))
}
