/**
 * What a container was made with and what an image brings, from Docker's `Config` and `HostConfig`. Pure. Lists that an
 * engine leaves out are empty, and a health check's numbers are those that the engine goes by: 0 is its default.
 */
import { readFurther } from './dockerfurther.ts'
import { healthDefaults, shortestPeriod } from './dockerspec.ts'
import type { DeclaredConfig } from './images.ts'
import { array, type Json, number, object, text, textMap, texts } from './json.ts'
import type { Device, Healthcheck, ImageConfig, ObservedSettings, Ulimit } from './settings.ts'

const nanoseconds = 1e6

/** `Config` of an image. */
export function readImageConfig(config: Json): ImageConfig {
  const healthcheck = readHealthcheck(config['Healthcheck'])
  return {
    user: text(config['User']),
    env: readEnv(config['Env']),
    labels: textMap(config['Labels']),
    entrypoint: texts(config['Entrypoint']),
    cmd: texts(config['Cmd']),
    workingDir: text(config['WorkingDir']),
    volumes: Object.keys(object(config['Volumes'])),
    exposedPorts: Object.keys(object(config['ExposedPorts'])),
    stopSignal: text(config['StopSignal']),
    ...(healthcheck && { healthcheck }),
  }
}

/** The same `Config`, as it is told of the image itself. */
export function readDeclared(config: Json): DeclaredConfig {
  const { env: _, labels: __, healthcheck: ___, ...declared } = readImageConfig(config)
  return { ...declared, onBuild: texts(config['OnBuild']) }
}

/** Of a container, as inspect answers. */
export function readSettings(root: Json): ObservedSettings {
  const [config, host] = [object(root, 'Config'), object(root, 'HostConfig')]
  const { labels: _, ...own } = readImageConfig(config)
  const log = object(host, 'LogConfig')
  return {
    ...own,
    hostname: text(config['Hostname']),
    ...(typeof host['Init'] === 'boolean' && { init: host['Init'] }),
    extraHosts: texts(host['ExtraHosts']),
    dns: {
      servers: texts(host['Dns']),
      searches: texts(host['DnsSearch']),
      options: texts(host['DnsOptions']),
    },
    devices: array(host['Devices']).map((entry) => readDevice(object(entry))),
    ulimits: array(host['Ulimits']).map((entry) => readUlimit(object(entry))),
    sysctls: textMap(host['Sysctls']),
    shmBytes: number(host['ShmSize']),
    logging: { driver: text(log['Type']), options: textMap(log['Config']) },
    publishAll: host['PublishAllPorts'] === true,
    stdin: config['OpenStdin'] === true,
    further: readFurther(root),
    stdinOnce: config['StdinOnce'] === true,
  }
}

/** Absent without a check, and for one whose test is inherited, which an engine resolves before it says anything. */
function readHealthcheck(value: unknown): Healthcheck | undefined {
  const check = object(value)
  const test = texts(check['Test'])
  if (test.length === 0) return undefined
  if (test[0] === 'NONE') return { disabled: true }
  const startPeriod = number(check['StartPeriod']) / nanoseconds
  const startInterval = number(check['StartInterval']) / nanoseconds
  return {
    disabled: false,
    test,
    interval: number(check['Interval']) / nanoseconds || healthDefaults.interval,
    timeout: number(check['Timeout']) / nanoseconds || healthDefaults.timeout,
    retries: number(check['Retries']) || healthDefaults.retries,
    startPeriod: startPeriod <= shortestPeriod ? 0 : startPeriod,
    ...(startInterval > 0 && { startInterval }),
  }
}

function readEnv(value: unknown): Record<string, string> {
  const pairs = texts(value).map((line): [string, string] => {
    const end = line.indexOf('=')
    return end < 0 ? [line, ''] : [line.slice(0, end), line.slice(end + 1)]
  })
  return Object.fromEntries(pairs)
}

function readDevice(device: Json): Device {
  return {
    hostPath: text(device['PathOnHost']),
    containerPath: text(device['PathInContainer']),
    permissions: text(device['CgroupPermissions']),
  }
}

function readUlimit(limit: Json): Ulimit {
  return { name: text(limit['Name']), soft: number(limit['Soft']), hard: number(limit['Hard']) }
}
