/** What a simulated engine makes of a create call and an image: Docker's rules for merging the two. Pure. */
import type { ContainerCreate } from './port.ts'
import type { Healthcheck, ImageConfig, ObservedSettings } from './settings.ts'
import type { SimImage } from './simregistry.ts'

const shortIdLength = 12
const defaultShmBytes = 64 * 1024 ** 2

export function imageConfig({ spec }: SimImage): ImageConfig {
  const { healthcheck } = spec
  return {
    user: spec.user ?? '',
    env: spec.env ?? {},
    labels: spec.labels ?? {},
    entrypoint: spec.entrypoint ?? [],
    cmd: spec.cmd ?? [],
    workingDir: spec.workingDir ?? '',
    volumes: spec.volumes ?? [],
    exposedPorts: spec.exposedPorts ?? [],
    stopSignal: spec.stopSignal ?? '',
    ...(healthcheck && { healthcheck }),
  }
}

/** A given entry point drops the image's command too; an empty list is none. */
export function programOf(
  create: ContainerCreate,
  { spec }: SimImage,
): Pick<ImageConfig, 'entrypoint' | 'cmd'> {
  const given = create.cmd ?? []
  if (create.entrypoint !== undefined) return { entrypoint: create.entrypoint, cmd: given }
  return { entrypoint: spec.entrypoint ?? [], cmd: given.length > 0 ? given : (spec.cmd ?? []) }
}

/** 0 is the engine's default. */
function numbersOf(check: Healthcheck | undefined): Healthcheck | undefined {
  if (check === undefined || check.disabled) return check
  const { interval, timeout, retries } = check
  return { ...check, interval: interval || 30_000, timeout: timeout || 30_000, retries: retries || 3 }
}

export function observeSettings(id: string, create: ContainerCreate, image: SimImage): ObservedSettings {
  const { labels: _, ...own } = imageConfig(image)
  const healthcheck = numbersOf(create.healthcheck) ?? own.healthcheck
  const ports = create.ports.map(({ containerPort, protocol }) => `${containerPort}/${protocol}`)
  return {
    ...own,
    ...programOf(create, image),
    ...(healthcheck && { healthcheck }),
    ...(create.init !== undefined && { init: create.init }),
    env: { ...own.env, ...create.env },
    user: create.user ?? own.user,
    workingDir: create.workingDir ?? own.workingDir,
    exposedPorts: [...new Set([...ports, ...own.exposedPorts])],
    stopSignal: create.stopSignal ?? own.stopSignal,
    hostname: create.hostname ?? id.slice(0, shortIdLength),
    extraHosts: create.extraHosts ?? [],
    dns: create.dns ?? { servers: [], searches: [], options: [] },
    devices: create.devices ?? [],
    ulimits: create.ulimits ?? [],
    sysctls: create.sysctls ?? {},
    shmBytes: create.shmBytes ?? defaultShmBytes,
    logging: create.logging ?? { driver: 'json-file', options: {} },
    publishAll: create.publishAll === true,
    stdin: create.stdin === true,
    further: [],
    stdinOnce: create.stdinOnce === true,
  }
}
