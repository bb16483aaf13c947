/** How the engine is told to run a Container: names, devices, kernel settings, output. Pure. */
import { parseDuration, parseQuantity } from '#pkg/apimachinery/quantity.ts'
import type { ContainerHealthcheck, ContainerSpec } from '#pkg/apis/container.ts'
import type {
  Device,
  DnsSettings,
  Healthcheck,
  LoggingSettings,
  RuntimeSettings,
  Ulimit,
} from '#pkg/engine/settings.ts'

/** Where output goes when nothing is said: engines keep all of it for ever, or leave it to how they were set up. */
export const usualLogging: LoggingSettings = {
  driver: 'json-file',
  options: { 'max-size': '10m', 'max-file': '3' },
}

/** Only what the spec says: what it leaves out must not change the fingerprints of containers that are there. */
export function resolveRuntime(spec: ContainerSpec): RuntimeSettings {
  const { hostname, init, stopSignal, extraHosts = [], devices = [], ulimits = {}, sysctls = {} } = spec
  const dns = resolveDns(spec.dns)
  return {
    ...(hostname !== undefined && { hostname }),
    ...(init !== undefined && { init }),
    ...(stopSignal !== undefined && { stopSignal }),
    ...(extraHosts.length > 0 && { extraHosts }),
    ...(dns && { dns }),
    ...(devices.length > 0 && { devices: devices.map(resolveDevice) }),
    ...(Object.keys(ulimits).length > 0 && { ulimits: resolveUlimits(ulimits) }),
    ...(Object.keys(sysctls).length > 0 && { sysctls }),
    ...(spec.shmSize !== undefined && { shmBytes: Math.ceil(parseQuantity(spec.shmSize) ?? 0) }),
    ...(spec.logging && { logging: resolveLogging(spec.logging) }),
    ...(spec.publishAll === true && { publishAll: true }),
  }
}

export function resolveHealthcheck(check: ContainerHealthcheck): Healthcheck {
  // What the agent checks itself the engine must not check as well, by the image's own HEALTHCHECK.
  if (check.disabled || check.http !== undefined || check.tcp !== undefined) return { disabled: true }
  const startInterval = check.startInterval === undefined ? undefined : parseDuration(check.startInterval)
  return {
    disabled: false,
    test: check.shell === undefined ? ['CMD', ...(check.command ?? [])] : ['CMD-SHELL', check.shell],
    interval: parseDuration(check.interval) ?? 30_000,
    timeout: parseDuration(check.timeout) ?? 30_000,
    retries: check.retries,
    startPeriod: parseDuration(check.startPeriod) ?? 0,
    ...(startInterval !== undefined && { startInterval }),
  }
}

function resolveDns(dns: ContainerSpec['dns']): DnsSettings | undefined {
  const { servers = [], searches = [], options = [] } = dns ?? {}
  return servers.length + searches.length + options.length === 0 ? undefined : { servers, searches, options }
}

/** `/dev/x[:/dev/y[:rwm]]`. */
function resolveDevice(device: string): Device {
  const [hostPath = '', containerPath = hostPath, permissions = 'rwm'] = device.split(':')
  return { hostPath, containerPath, permissions }
}

/** Sorted, so that the order of keys says nothing. */
function resolveUlimits(ulimits: Readonly<Record<string, string | number>>): Ulimit[] {
  const limits = Object.entries(ulimits).map(([name, value]): Ulimit => {
    const [soft = 0, hard = soft] = String(value).split(':').map(Number)
    return { name, soft, hard }
  })
  return limits.sort((a, b) => (a.name < b.name ? -1 : 1))
}

function resolveLogging({ driver, options }: NonNullable<ContainerSpec['logging']>): LoggingSettings {
  return { driver: driver ?? usualLogging.driver, options: options ?? {} }
}
