/** What a simulated engine answers about images, and what lines of a Dockerfile change in one. Pure. */
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import type { DiskUsage, ImageDetails, ImageHistoryEntry, ListedImage } from './images.ts'
import type { ObservedImage } from './port.ts'
import { diffIdOf } from './simarchive.ts'
import { type HeldImage, refuse, type SimHost } from './simhost.ts'
import { familiarName, type SimImage, type SimImageSpec } from './simregistry.ts'
import { imageConfig } from './simsettings.ts'

export function sizeOf({ spec }: SimImage): number {
  return Object.values(spec.layers ?? {}).reduce((sum, size) => sum + size, 0)
}

export function observeImage(held: HeldImage): ObservedImage {
  return {
    id: held.image.id,
    references: [...held.references].map(familiarName),
    digests: [...held.digests].map(familiarName),
    sizeBytes: sizeOf(held.image),
    createdAt: new Date(held.createdAt).toISOString(),
  }
}

export function listImage(held: HeldImage): ListedImage {
  return { ...observeImage(held), parent: held.parent ?? '', labels: held.image.spec.labels ?? {} }
}

export function detailsOf(held: HeldImage): ImageDetails {
  const { labels: _, ...listed } = listImage(held)
  const layers = Object.entries(held.image.spec.layers ?? {}).map(diffIdOf)
  const { env: __, labels: ___, healthcheck: ____, ...declared } = imageConfig(held.image)
  return {
    ...listed,
    author: '',
    comment: held.image.spec.comment ?? '',
    os: 'linux',
    architecture: 'amd64',
    variant: '',
    layers,
    config: { ...declared, onBuild: [] },
  }
}

/** One step for each layer, the newest first; of those before it the engine has no image. */
export function historyOf(held: HeldImage): ImageHistoryEntry[] {
  const { id, references, createdAt } = observeImage(held)
  const layers = Object.entries(held.image.spec.layers ?? {})
  const steps = layers.length === 0 ? [['', 0] as const] : layers
  return steps.toReversed().map(([layer, sizeBytes], index) => ({
    id: index === 0 ? id : '<missing>',
    createdAt,
    createdBy: layer === '' ? '' : `layer ${layer}`,
    sizeBytes,
    comment: index === 0 ? (held.image.spec.comment ?? '') : '',
    tags: index === 0 ? references : [],
  }))
}

export function diskUsageOf(host: SimHost): DiskUsage {
  const images = [...host.images.values()]
  const containers = [...host.containers.values()]
  const sizes = new Map(images.flatMap(({ image }) => Object.entries(image.spec.layers ?? {})))
  const usersOf = (layer: string) =>
    images.filter(({ image }) => Object.hasOwn(image.spec.layers ?? {}, layer)).length
  return {
    layersBytes: [...sizes.values()].reduce((sum, size) => sum + size, 0),
    images: images.map(({ image }) => ({
      id: image.id,
      sizeBytes: sizeOf(image),
      sharedBytes: Object.entries(image.spec.layers ?? {})
        .filter(([layer]) => usersOf(layer) > 1)
        .reduce((sum, [, size]) => sum + size, 0),
      containers: containers.filter((one) => one.image.id === image.id).length,
    })),
    containers: containers.map(({ id, name, create, state, createdAt }) => ({
      id,
      name,
      image: create.image,
      state,
      writtenBytes: 0,
      createdAt: new Date(createdAt).toISOString(),
    })),
    volumes: [...host.volumes.values()].map(({ name, labels, createdAt }) => ({
      name,
      labels,
      createdAt,
      sizeBytes: 0,
      containers: containers.filter(({ mounts }) => mounts.some(({ source }) => source === name)).length,
    })),
    buildCache: [...host.buildCache],
  }
}

const instructions: Readonly<Record<string, (rest: string, spec: SimImageSpec) => SimImageSpec>> = {
  CMD: (rest) => ({ cmd: words(rest) }),
  ENTRYPOINT: (rest) => ({ entrypoint: words(rest) }),
  ENV: (rest, { env }) => ({ env: { ...env, ...pair(rest) } }),
  LABEL: (rest, { labels }) => ({ labels: { ...labels, ...pair(rest) } }),
  USER: (user) => ({ user }),
  WORKDIR: (workingDir) => ({ workingDir }),
  EXPOSE: (port, { exposedPorts = [] }) => ({
    exposedPorts: [...exposedPorts, port.includes('/') ? port : `${port}/tcp`],
  }),
  VOLUME: (path, { volumes = [] }) => ({ volumes: [...volumes, ...(list(path) ?? [path])] }),
  STOPSIGNAL: (stopSignal) => ({ stopSignal }),
  ONBUILD: () => ({}),
  HEALTHCHECK: () => ({}),
}

/** What the lines make of an image; InvalidSpec for an instruction that needs a build, or that is none. */
export function readChanges(changes: readonly string[], before: SimImageSpec = {}): SimImageSpec {
  let spec = before
  for (const line of changes) {
    const [, name = '', rest = ''] = /^\s*(\S+)\s*(.*)$/.exec(line) ?? []
    const apply = instructions[name.toUpperCase()]
    if (apply === undefined)
      return refuse('InvalidSpec', `${name.toLowerCase()} is not a valid change command`)
    spec = { ...spec, ...apply(rest, spec) }
  }
  return spec
}

function words(rest: string): readonly string[] {
  return list(rest) ?? ['/bin/sh', '-c', rest]
}

function list(rest: string): string[] | undefined {
  if (!rest.startsWith('[')) return undefined
  const value: unknown = JSON.parse(rest)
  return Array.isArray(value) ? value.map(String) : undefined
}

function pair(rest: string): Readonly<Record<string, string>> {
  const match = /^([^=\s]+)[=\s](.*)$/.exec(rest)
  return match === null ? {} : { [match[1] ?? '']: (match[2] ?? '').replace(/^"(.*)"$/, '$1') }
}

/** The configuration of an image, read back. */
export function readSpec(json: string): SimImageSpec {
  const value: unknown = JSON.parse(json)
  // Only simulated engines write these archives, and what they write is a spec.
  return isPlainObject(value) ? (value as SimImageSpec) : {}
}
