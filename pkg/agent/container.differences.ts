/**
 * Where a container differs from its wish, field by field, whoever made it. What an engine or an image adds by itself is
 * no difference: the numbers that stand for 0, variables, labels and volumes of the image, a host name made of the id.
 * Without the image's configuration what the image may have brought is left out. Labels of the
 * metadata and the name are not compared: they say who a container is, not what it does. Pure.
 */
import { posix } from 'node:path'
import { ownValue } from '#pkg/apimachinery/hash.ts'
import { containerChange } from '#pkg/apis/container.changes.ts'
import { engineLabels } from '#pkg/apis/wellknown.ts'
import type { Mount, ObservedContainer, ObservedMount, PortMapping } from '#pkg/engine/port.ts'
import type { Device, Healthcheck, ImageConfig, Ulimit } from '#pkg/engine/settings.ts'
import { isAnonymous } from './container.look.ts'
import { rightsDifferences } from './container.security.ts'
import {
  compare,
  compareMaps,
  compareSets,
  type Difference,
  type Draft,
  memberOf,
  shown,
} from './difference.ts'
import { mayBeSecret } from './env.secrets.ts'
import { canonicalImage } from './image.ts'
import { usualLogging } from './resolve.runtime.ts'
import type { Resolved } from './resolve.ts'

interface Pair {
  readonly resolved: Resolved
  readonly found: ObservedContainer
  /** Of the image that the container was made from; undefined: not known. */
  readonly image: ImageConfig | undefined
  /** It was made for this very wish: what else it has was added by the engine. */
  readonly fits: boolean
}

/** In the order of the spec. Values of variables that come or came from Secrets are not told. */
export function differences(
  resolved: Resolved,
  found: ObservedContainer,
  image: ImageConfig | undefined = resolved.imageConfigs.get(found.imageID),
): Difference[] {
  const fits = found.labels[engineLabels.fingerprint] === resolved.fingerprint
  const pair = { resolved, found, image, fits }
  const mendable = [...networks(pair), ...limits(pair), ...restartPolicy(pair)]
  const drafts = [
    ...imageOf(pair),
    ...program(pair),
    ...variables(pair),
    ...process(pair),
    ...ports(pair),
    ...mounts(pair),
    ...names(pair),
    ...health(pair),
    ...rightsDifferences(resolved.create, found),
    ...devicesAndKernel(pair),
    ...logging(pair),
    ...ownLabels(pair),
  ]
  return [
    ...drafts.map((draft): Difference => ({ ...draft, change: changeOf(draft) })),
    ...mendable.map((draft): Difference => ({ ...draft, change: 'in place' })),
  ]
}

function changeOf({ field }: Draft): Difference['change'] {
  return containerChange(field) === 'in place' ? 'in place' : 'recreate'
}

function imageOf({ resolved: { create }, found }: Pair): Draft[] {
  const same = canonicalImage(create.image) === canonicalImage(found.image)
  return same ? [] : [{ field: 'spec.image', want: create.image, found: found.image }]
}

/** A given entry point drops the image's command; an empty list is none. */
function program({ resolved: { create }, found: { settings }, image }: Pair): Draft[] {
  const given = create.cmd ?? []
  const entrypoint = create.entrypoint ?? image?.entrypoint
  const fallback = create.entrypoint === undefined ? image?.cmd : []
  const cmd = given.length > 0 ? given : fallback
  return [
    ...(entrypoint === undefined ? [] : compare('spec.command', entrypoint, settings.entrypoint)),
    ...(cmd === undefined ? [] : compare('spec.args', cmd, settings.cmd)),
  ]
}

function variables({ resolved, found, image }: Pair): Draft[] {
  const want: Readonly<Record<string, string>> = { ...image?.env, ...resolved.create.env }
  const there = found.settings.env
  const names = image === undefined ? Object.keys(want) : Object.keys({ ...want, ...there })
  const secret = new Set(resolved.secretVariables)
  const frozen = new Set(resolved.frozenVariables)
  return names
    .filter((name) => !frozen.has(name) || !Object.hasOwn(there, name))
    .filter((name) => ownValue(want, name) !== ownValue(there, name))
    .sort()
    .map((name) => ({
      field: memberOf('spec.env', name),
      want: told(ownValue(want, name), secret.has(name), 'the value of a Secret'),
      found: told(ownValue(there, name), secret.has(name) || mayBeSecret(name, found), 'another value'),
    }))
}

function told(value: string | undefined, isHidden: boolean, instead: string): string {
  if (value === undefined) return 'none'
  if (isHidden) return instead
  return value === '' ? '""' : shown(value)
}

function process({ resolved: { create }, found, image }: Pair): Draft[] {
  const { settings } = found
  const workingDir = create.workingDir ?? image?.workingDir
  const user = create.user ?? image?.user
  const stopSignal = create.stopSignal ?? image?.stopSignal
  return [
    ...(workingDir === undefined
      ? []
      : compare('spec.workingDir', directory(workingDir), directory(settings.workingDir))),
    ...(user === undefined ? [] : compare('spec.user', user, settings.user)),
    ...compare('spec.stdin', create.stdin === true, settings.stdin),
    ...compare('spec.stdinOnce', create.stdinOnce === true, settings.stdinOnce),
    ...compare('spec.tty', create.tty === true, found.tty),
    // Engines write down nothing, or false, where nothing was said.
    ...((create.init ?? false) === (settings.init ?? false)
      ? []
      : compare('spec.init', create.init, settings.init)),
    ...(stopSignal === undefined
      ? []
      : compare('spec.stopSignal', signalName(stopSignal), signalName(settings.stopSignal))),
  ]
}

/** Engines tidy paths up; no directory is the root. */
function directory(path: string): string {
  return posix.join('/', path).replace(/(?<=.)\/+$/, '')
}

function signalName(signal: string): string {
  return signal.toUpperCase().replace(/^SIG/, '')
}

function ports({ resolved: { create }, found }: Pair): Draft[] {
  return [
    ...compareSets('spec.ports', create.ports.map(portText), found.requestedPorts.map(portText)),
    ...compare('spec.publishAll', create.publishAll === true, found.settings.publishAll),
  ]
}

/** `127.0.0.1:8080->80/tcp`. */
function portText({ hostIP = '', hostPort, containerPort, protocol }: PortMapping): string {
  const address = hostIP === '' || hostIP === '0.0.0.0' ? '' : `${hostIP}:`
  return `${address}${hostPort ?? ''}->${containerPort}/${protocol}`
}

/** Volumes that nobody named go along with every successor: one that nothing is mounted over is no difference. */
function mounts({ resolved, found }: Pair): Draft[] {
  const wanted = new Map(resolved.create.mounts.map((mount) => [directory(mount.target), mount]))
  const there = new Map(found.mounts.map((mount) => [directory(mount.target), mount]))
  const projected = resolved.projections.map((files) => files.directory)
  return [...new Set([...wanted.keys(), ...there.keys()])].sort().flatMap((target) => {
    const [want, mount] = [wanted.get(target), there.get(target)]
    if (want === undefined && mount !== undefined && isAnonymous(mount)) return []
    const field = `spec.mounts[${target}]`
    const differs = compare(field, want && mountText(want), mount && mountText(mount))
    const isContent = want !== undefined && mount !== undefined && isSameFiles(want, mount, projected)
    return differs.length > 0 && isContent
      ? [{ field, want: 'its content now', found: 'earlier content' }]
      : differs
  })
}

/** Projected files lie in `UID/CONTENT`, all of them or one: of the same object, with other content. */
function isSameFiles(want: Mount, found: ObservedMount, projected: readonly string[]): boolean {
  if (want.type !== 'bind' || found.type !== 'bind' || want.readOnly !== found.readOnly) return false
  const content = projected.find((path) => `${want.source}/`.includes(`/${path}/`))
  if (content === undefined) return false
  const ofObject = want.source.slice(0, want.source.indexOf(content) + content.indexOf('/') + 1)
  return found.source.startsWith(ofObject)
}

function mountText(mount: Mount | ObservedMount): string {
  const readOnly = mount.readOnly ? ', read-only' : ''
  if (mount.type === 'tmpfs')
    return `tmpfs${mount.sizeBytes ? ` of ${mount.sizeBytes} bytes` : ''}${readOnly}`
  const source = mount.type === 'bind' ? directory(mount.source) : mount.source
  return `${mount.type} ${source}${readOnly}`
}

const shortIdLength = 12

function names({ resolved: { create }, found }: Pair): Draft[] {
  const { settings } = found
  const own = found.id.slice(0, shortIdLength)
  // With the network of the node or of another container goes its host name.
  const isOwn = found.networkMode === 'bridge' || found.networkMode === 'none'
  const hostname = create.hostname ?? (isOwn ? own : settings.hostname)
  const dns = create.dns ?? { servers: [], searches: [], options: [] }
  return [
    ...compare('spec.hostname', hostname, settings.hostname),
    ...compareSets('spec.extraHosts', create.extraHosts ?? [], settings.extraHosts),
    ...(['servers', 'searches', 'options'] as const).flatMap((list) =>
      compare(`spec.dns.${list}`, dns[list], settings.dns[list]),
    ),
  ]
}

function health({ resolved: { create }, found: { settings }, image }: Pair): Draft[] {
  if (create.healthcheck === undefined && image === undefined) return []
  const want = checkText(create.healthcheck ?? image?.healthcheck)
  const found = checkText(settings.healthcheck)
  const isWhole = [want, found].some((check) => !('interval' in check))
  return isWhole ? compare('spec.healthcheck', want, found) : compareMaps('spec.healthcheck', want, found)
}

/** By the fields of a spec. No check and a disabled one are told apart: the latter silences the image's. */
function checkText(check: Healthcheck | undefined): Record<string, unknown> {
  if (check === undefined) return {}
  if (check.disabled) return { disabled: true }
  const { test, interval, timeout, retries, startPeriod, startInterval } = check
  const [how, ...rest] = test
  return {
    ...(how === 'CMD-SHELL' ? { shell: rest.join(' ') } : { command: rest }),
    interval: seconds(interval || 30_000),
    timeout: seconds(timeout || 30_000),
    retries: retries || 3,
    startPeriod: seconds(startPeriod),
    ...(startInterval !== undefined && { startInterval: seconds(startInterval) }),
  }
}

function seconds(milliseconds: number): string {
  return `${milliseconds / 1000}s`
}

function devicesAndKernel({ resolved: { create }, found: { settings }, fits }: Pair): Draft[] {
  const { devices = [], ulimits = [], sysctls = {}, shmBytes } = create
  const hasMore = fits && ulimits.every((limit) => settings.ulimits.some(({ name }) => name === limit.name))
  return [
    ...compareSets('spec.devices', devices.map(deviceText), settings.devices.map(deviceText)),
    // Engines may give every container limits and memory of their own choice.
    ...(hasMore
      ? []
      : compareSets('spec.ulimits', ulimits.map(ulimitText), settings.ulimits.map(ulimitText))),
    ...compareMaps('spec.sysctls', sysctls, settings.sysctls),
    ...compare('spec.shmSize', shmBytes ?? usualShm(settings.shmBytes, fits), settings.shmBytes),
  ]
}

function deviceText({ hostPath, containerPath, permissions }: Device): string {
  const rights = ['r', 'w', 'm'].filter((right) => permissions.includes(right)).join('')
  return `${hostPath}:${containerPath}:${rights}`
}

function ulimitText({ name, soft, hard }: Ulimit): string {
  return `${name}=${soft}:${hard}`
}

const usualShmBytes = 64 * 1024 ** 2

function usualShm(found: number, fits: boolean): number {
  return fits || found === 0 ? found : usualShmBytes
}

/** A container that is older than the usual logging is left as it is until it is replaced for another reason. */
function logging({ resolved: { create }, found: { settings }, fits }: Pair): Draft[] {
  const want = create.logging ?? usualLogging
  if (fits && want === usualLogging) return []
  return [
    ...compare('spec.logging.driver', want.driver, settings.logging.driver),
    ...compareMaps('spec.logging.options', want.options, settings.logging.options),
  ]
}

/** Those that are asked for: of others it is not told whether the image, metadata or somebody else put them on. */
function ownLabels({ resolved: { ownLabels: wanted }, found }: Pair): Draft[] {
  return Object.keys(wanted)
    .sort()
    .flatMap((name) => compare(memberOf('spec.labels', name), wanted[name], ownValue(found.labels, name)))
}

const defaultNetwork = 'bridge'

function networks({ resolved: { create }, found }: Pair): Draft[] {
  const { networkMode = defaultNetwork } = create
  if (networkMode === 'host' || networkMode.startsWith('container:')) return []
  const only = [{ network: networkMode, aliases: [] }]
  const wanted = new Map(
    (create.networks.length > 0 ? create.networks : only).map((one) => [one.network, one.aliases]),
  )
  const there = new Map(found.networks.map((one) => [one.network, one.aliases]))
  return [...new Set([...wanted.keys(), ...there.keys()])].sort().flatMap((network) => {
    const field = `spec.networks[${network}]`
    const [want, joined] = [wanted.get(network), there.get(network)]
    if (want === undefined || joined === undefined)
      return compare(field, want && 'joined', joined && 'joined')
    return compareSets(`${field}.aliases`, want, joined)
  })
}

function limits({ resolved: { create }, found }: Pair): Draft[] {
  const keys = { cpus: 'cpu', memoryBytes: 'memory', pids: 'pids' } as const
  return (['cpus', 'memoryBytes', 'pids'] as const)
    .filter((key) => Math.abs(create.limits[key] - found.limits[key]) > 1e-9)
    .flatMap((key) =>
      compare(
        `spec.resources.limits.${keys[key]}`,
        create.limits[key] || undefined,
        found.limits[key] || undefined,
      ),
    )
}

/** Cove restarts containers by itself: the engine's own policy is always `no`. */
function restartPolicy({ found }: Pair): Draft[] {
  return compare("the engine's restart policy", 'no', found.restartPolicy)
}
