/** Builders of planner inputs: literal desired and observed state in a few words. */
import type { AgentOp } from '#pkg/agent/ops.ts'
import { describeOp } from '#pkg/agent/ops.ts'
import type { World } from '#pkg/agent/world.ts'
import { type KubeObject, objectKey } from '#pkg/apimachinery/meta.ts'
import type { Build } from '#pkg/apis/build.ts'
import { makeRuleChecker } from '#pkg/apis/cel.ts'
import type { Container } from '#pkg/apis/container.ts'
import type { ConfigMap, Secret } from '#pkg/apis/core.ts'
import type { Image } from '#pkg/apis/image.ts'
import { findKind } from '#pkg/apis/kinds.ts'
import type { Network } from '#pkg/apis/network.ts'
import type { PrunePolicy } from '#pkg/apis/prunepolicy.ts'
import type { Registry } from '#pkg/apis/registry.ts'
import type { Volume } from '#pkg/apis/volume.ts'
import { engineLabels, engineName, nodeFinalizer } from '#pkg/apis/wellknown.ts'
import {
  type ObservedContainer,
  type ObservedImage,
  type ObservedNetwork,
  type ObservedVolume,
  usualSecurity,
} from '#pkg/engine/port.ts'
import type { ImageConfig, ObservedSettings } from '#pkg/engine/settings.ts'
import { admit } from '#pkg/manifest/admit.ts'
import { type Plan, printPlan } from '#pkg/plan/plan.ts'

const rules = makeRuleChecker()
export const clusterID = 'test-cluster'
export const nodeName = 'n1'
export const now = Date.parse('2026-01-01T12:00:00Z')

interface Parts {
  readonly name: string
  readonly metadata?: Partial<KubeObject['metadata']>
  readonly spec?: Record<string, unknown>
  readonly [field: string]: unknown
}

/** An object as the API would hand it to the agent: admitted, defaulted, placed on n1. */
function make<T extends KubeObject>(
  type: { group: string; kind: string },
  { name, metadata, ...fields }: Parts,
): T {
  const kind = findKind({ ...type, version: 'v1' })
  if (kind === undefined) throw new Error(`no kind ${type.kind}`)
  const value = {
    apiVersion: type.group === '' ? 'v1' : `${type.group}/v1`,
    kind: type.kind,
    metadata: {
      name,
      ...(kind.namespaced && { namespace: 'default' }),
      uid: `uid-${type.kind}-${name}`,
      generation: 1,
      finalizers: [nodeFinalizer(nodeName)],
      ...metadata,
    },
    ...fields,
  }
  const { object, causes, unknown } = admit(kind, value, { rules })
  const problems = [
    ...causes.map((cause) => `${cause.field}: ${cause.message}`),
    ...unknown.map(({ path }) => path),
  ]
  if (problems.length > 0) throw new Error(`${type.kind} ${name}: ${problems.join('; ')}`)
  return object as T
}

const cove = (kind: string) => ({ group: 'cove.run', kind })

export function container(
  name: string,
  spec: Record<string, unknown> = {},
  more: Omit<Parts, 'name'> = {},
): Container {
  const image = spec['imageFrom'] === undefined ? { image: 'app:1' } : {}
  return make<Container>(cove('Container'), { name, ...more, spec: { ...image, nodeName, ...spec } })
}

export function volume(
  name: string,
  spec: Record<string, unknown> = {},
  more: Omit<Parts, 'name'> = {},
): Volume {
  return make<Volume>(cove('Volume'), { name, ...more, spec: { nodeName, ...spec } })
}

export function network(
  name: string,
  spec: Record<string, unknown> = {},
  more: Omit<Parts, 'name'> = {},
): Network {
  return make<Network>(cove('Network'), { name, ...more, spec })
}

export function imageObject(
  name: string,
  spec: Record<string, unknown> = {},
  more: Omit<Parts, 'name'> = {},
): Image {
  return make<Image>(cove('Image'), { name, ...more, spec: { reference: 'app:1', nodeName, ...spec } })
}

export function build(
  name: string,
  spec: Record<string, unknown> = {},
  more: Omit<Parts, 'name'> = {},
): Build {
  const context = { empty: {} }
  const dockerfileInline = 'FROM scratch\n'
  return make<Build>(cove('Build'), {
    name,
    ...more,
    spec: { context, dockerfileInline, nodeName, ...spec },
  })
}

/** Of files in the manifest, which say nothing but where it begins, unless `spec` says more. */
export function buildObject(
  name: string,
  spec: Record<string, unknown> = {},
  more: Omit<Parts, 'name'> = {},
): Build {
  const context = { empty: {} }
  return make<Build>(cove('Build'), {
    name,
    ...more,
    spec: { context, dockerfileInline: 'FROM base:1\n', nodeName, ...spec },
  })
}

export function prunePolicy(
  name: string,
  spec: Record<string, unknown> = {},
  more: Omit<Parts, 'name'> = {},
): PrunePolicy {
  return make<PrunePolicy>(cove('PrunePolicy'), { name, ...more, spec })
}

export function secret(name: string, data: Record<string, string>): Secret {
  return make<Secret>({ group: '', kind: 'Secret' }, { name, stringData: data })
}

export function configMap(name: string, data: Record<string, string>): ConfigMap {
  return make<ConfigMap>({ group: '', kind: 'ConfigMap' }, { name, data })
}

export interface WorldParts {
  readonly objects?: readonly KubeObject[]
  readonly containers?: readonly ObservedContainer[]
  readonly images?: readonly ObservedImage[]
  readonly networks?: readonly ObservedNetwork[]
  readonly volumes?: readonly ObservedVolume[]
  /** By id; what is not said is empty. */
  readonly imageConfigs?: Readonly<Record<string, Partial<ImageConfig>>>
  readonly logTails?: Readonly<Record<string, readonly string[]>>
}

/** A world of the given objects and observations; `app:1` is on the node unless images are given. */
export function world(parts: WorldParts = {}, more: Partial<World> = {}): World {
  const containers = parts.containers ?? []
  return {
    nodeName,
    engineApi: '1.41',
    clusterID,
    now,
    projectionRoot: '/projected',
    desired: {
      containers: ofKind<Container>(parts.objects, 'Container'),
      volumes: ofKind<Volume>(parts.objects, 'Volume'),
      networks: ofKind<Network>(parts.objects, 'Network'),
      secrets: ofKind<Secret>(parts.objects, 'Secret'),
      configMaps: ofKind<ConfigMap>(parts.objects, 'ConfigMap'),
      images: ofKind<Image>(parts.objects, 'Image'),
      builds: ofKind<Build>(parts.objects, 'Build'),
      registries: ofKind<Registry>(parts.objects, 'Registry'),
      prunePolicies: ofKind<PrunePolicy>(parts.objects, 'PrunePolicy'),
      isWhole: true,
    },
    observed: {
      containers,
      containerNames: new Map(containers.map(({ name, id }) => [name, id])),
      images: parts.images ?? [image('app:1')],
      imageConfigs: new Map(
        Object.entries(parts.imageConfigs ?? {}).map(([id, config]) => [id, { ...plainImage, ...config }]),
      ),
      imageDetails: new Map(),
      networks: [engineNetwork('bridge'), ...(parts.networks ?? [])],
      volumes: parts.volumes ?? [],
      logTails: new Map(Object.entries(parts.logTails ?? {})),
      lookedAt: new Map(containers.map(({ id }) => [id, more.now ?? now])),
    },
    holds: new Map(),
    busy: new Set(),
    pulls: new Map(),
    statuses: new Map(),
    healed: new Map(),
    rearmed: new Map(),
    asked: new Map(),
    imageStatuses: new Map(),
    registryAnswers: new Map(),
    imageAsks: new Map(),
    imageSizes: new Map(),
    registryHolds: new Map(),
    ...more,
  }
}

/** An image that brings nothing. */
export const plainImage: ImageConfig = {
  user: '',
  env: {},
  labels: {},
  entrypoint: [],
  cmd: [],
  workingDir: '',
  volumes: [],
  exposedPorts: [],
  stopSignal: '',
}

const { labels: _, ...plainOwn } = plainImage

/** What the engine tells of a container of such an image that nothing was asked of. */
export const plainSettings: ObservedSettings = {
  ...plainOwn,
  hostname: 'id-web',
  extraHosts: [],
  dns: { servers: [], searches: [], options: [] },
  devices: [],
  ulimits: [],
  sysctls: {},
  shmBytes: 64 * 1024 ** 2,
  logging: { driver: 'json-file', options: {} },
  publishAll: false,
  stdin: false,
  further: [],
  stdinOnce: false,
}

/** A network that the engine has, whoever made it. */
export function engineNetwork(name: string): ObservedNetwork {
  return { id: `id-${name}`, name, driver: 'bridge', internal: false, options: {}, labels: {}, subnets: [] }
}

function ofKind<T extends KubeObject>(objects: readonly KubeObject[] = [], kind: string): Map<string, T> {
  const wanted = objects.filter((object) => object.kind === kind)
  return new Map(wanted.map((object) => [objectKey(object.metadata), object as T]))
}

export function image(reference: string, id = `sha256:${reference}`): ObservedImage {
  return { id, references: [reference], digests: [], sizeBytes: 1, createdAt: '2026-01-01T00:00:00Z' }
}

/** A running container of the object; `fingerprint` is what planning with `fingerprintOf` gives. */
export function observed(
  object: Container,
  fingerprint: string,
  more: Partial<ObservedContainer> = {},
): ObservedContainer {
  const { namespace = 'default', name, uid = '' } = object.metadata
  return {
    id: `id-${name}`,
    name: engineName(object.metadata),
    image: object.spec.image ?? '',
    imageID: `sha256:${object.spec.image}`,
    labels: {
      [engineLabels.uid]: uid,
      [engineLabels.namespace]: namespace,
      [engineLabels.name]: name,
      [engineLabels.cluster]: clusterID,
      [engineLabels.fingerprint]: fingerprint,
    },
    state: 'running',
    pid: 42,
    createdAt: '2026-01-01T11:00:00Z',
    startedAt: '2026-01-01T11:00:01Z',
    exitCode: 0,
    oomKilled: false,
    error: '',
    command: ['sh'],
    networks: [{ network: 'bridge', aliases: [], ip: '172.17.0.2' }],
    networkMode: 'bridge',
    security: usualSecurity,
    ports: [],
    requestedPorts: [],
    mounts: [],
    limits: { cpus: 0, memoryBytes: 0, pids: 0 },
    restartPolicy: 'no',
    tty: false,
    settings: plainSettings,
    ...more,
  }
}

export function print(plan: Plan<AgentOp>): string {
  return printPlan(plan, describeOp)
}
