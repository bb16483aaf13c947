/**
 * What a container was made with that Cove has no word for, from Docker's `Config`, `HostConfig` and networks: only what
 * is not as engines have it for everybody. Pure.
 */
import { noNewPrivileges, unconfined } from './dockerspec.ts'
import { array, type Json, object, text, texts } from './json.ts'

interface Setting {
  readonly in: 'Config' | 'HostConfig'
  readonly key: string
  /** Besides nothing, 0, false and what is empty. */
  readonly usual?: readonly string[]
}

const host = (...keys: readonly string[]) => keys.map((key): Setting => ({ in: 'HostConfig', key }))

const settings: readonly Setting[] = [
  { in: 'Config', key: 'Domainname' },
  { in: 'Config', key: 'MacAddress' },
  { in: 'HostConfig', key: 'IpcMode', usual: ['private', 'shareable'] },
  { in: 'HostConfig', key: 'Runtime', usual: ['runc', 'io.containerd.runc.v2', 'crun', 'oci'] },
  ...host('PidMode', 'UTSMode', 'UsernsMode', 'CgroupParent', 'GroupAdd', 'AutoRemove', 'OomScoreAdj'),
  ...host('OomKillDisable', 'CpuShares', 'CpuPeriod', 'CpuQuota', 'CpusetCpus', 'CpusetMems', 'BlkioWeight'),
  ...host('MemoryReservation', 'DeviceRequests', 'DeviceCgroupRules', 'StorageOpt', 'Annotations'),
]

/** `HostConfig.PidMode host`, in a fixed order. */
export function readFurther(root: Json): string[] {
  const plain = settings.flatMap(({ in: section, key, usual = [] }) => {
    const value = object(root, section)[key]
    const isUsual = isNothing(value) || usual.some((one) => one === value)
    return isUsual ? [] : [`${section}.${key} ${typeof value === 'string' ? value : JSON.stringify(value)}`]
  })
  return [...plain, ...options(root), ...propagations(root), ...addresses(root)]
}

function isNothing(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === 0 || value === false) return true
  return Array.isArray(value)
    ? value.length === 0
    : typeof value === 'object' && Object.keys(value).length === 0
}

/** `label=disable` is an engine's own, for containers that see more than their files. */
const knownOptions: readonly string[] = [
  noNewPrivileges,
  `${noNewPrivileges}=true`,
  unconfined,
  'label=disable',
]

function options(root: Json): string[] {
  const all = texts(object(root, 'HostConfig')['SecurityOpt'])
  const others = all.filter((option) => !knownOptions.includes(option.replace(':', '=')))
  return others.map((option) => `HostConfig.SecurityOpt ${option.slice(0, 80)}`)
}

function propagations(root: Json): string[] {
  return array(root['Mounts']).flatMap((entry) => {
    const mount = object(entry)
    const propagation = text(mount['Propagation'])
    const isUsual = propagation === '' || propagation === 'rprivate'
    return isUsual ? [] : [`propagation ${propagation} of the mount at ${text(mount['Destination'])}`]
  })
}

/** Addresses that were asked for. */
function addresses(root: Json): string[] {
  return Object.entries(object(root, 'NetworkSettings', 'Networks')).flatMap(([network, endpoint]) => {
    const asked = object(endpoint, 'IPAMConfig')
    const given = [text(asked['IPv4Address']), text(asked['IPv6Address'])].filter((each) => each !== '')
    return given.map((address) => `address ${address} in network ${network}`)
  })
}
