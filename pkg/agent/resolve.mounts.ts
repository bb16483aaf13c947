/** Mounts of a Container as the engine is given them; files of ConfigMaps and Secrets become files of the node. Pure. */
import { fingerprint } from '#pkg/apimachinery/hash.ts'
import { objectKey } from '#pkg/apimachinery/meta.ts'
import { parseQuantity } from '#pkg/apimachinery/quantity.ts'
import type { Container, ContainerMount } from '#pkg/apis/container.ts'
import type { Network } from '#pkg/apis/network.ts'
import type { Volume } from '#pkg/apis/volume.ts'
import { engineName, engineNameOf } from '#pkg/apis/wellknown.ts'
import type { Mount } from '#pkg/engine/port.ts'
import type { ProjectedFiles } from './ops.ts'
import { type Desired, groupOf, type Waiting, type World } from './world.ts'

export interface ResolveInput extends Pick<World, 'desired' | 'observed' | 'clusterID' | 'projectionRoot'> {
  readonly container: Container
}

export interface ResolvedMount {
  readonly mount: Mount
  readonly projection?: ProjectedFiles
}

/** Projected files count by their content, not by where the node keeps them. */
export function contentOf({ mount, projection }: ResolvedMount): unknown {
  return projection === undefined ? mount : { ...mount, source: projection.files }
}

export function resolveMount(
  mount: ContainerMount,
  input: ResolveInput,
): ResolvedMount | { missing: Waiting } {
  const { mountPath: target, readOnly } = mount
  const { desired } = input
  const { namespace = 'default' } = input.container.metadata
  if (mount.volume !== undefined) {
    const source = desiredName(desired.volumes, { namespace, name: mount.volume })
    return { mount: { type: 'volume', source, target, readOnly } }
  }
  if (mount.hostPath !== undefined)
    return { mount: { type: 'bind', source: mount.hostPath, target, readOnly } }
  if (mount.tmpfs !== undefined) {
    const sizeBytes = parseQuantity(mount.tmpfs.sizeLimit ?? '')
    return {
      mount: {
        type: 'tmpfs',
        target,
        readOnly,
        ...(sizeBytes !== undefined && { sizeBytes: Math.ceil(sizeBytes) }),
      },
    }
  }
  return projectMount(mount, input)
}

function projectMount(mount: ContainerMount, input: ResolveInput): ResolvedMount | { missing: Waiting } {
  const { desired, container, projectionRoot } = input
  const { namespace = 'default', uid = '' } = container.metadata
  const secret = mount.secret !== undefined
  const name = mount.secret ?? mount.configMap ?? ''
  const key = objectKey({ namespace, name })
  const all = secret ? desired.secrets.get(key)?.data : configMapFiles(desired, key)
  const files = keysOf(all ?? {}, mount.subPath)
  const found = secret ? desired.secrets.has(key) : desired.configMaps.has(key)
  if (!found && mount.optional !== true) {
    const kind = secret ? 'Secret' : 'ConfigMap'
    return { missing: { reason: `${kind}NotFound`, message: `mounts ${kind} ${key}, which does not exist` } }
  }
  if (mount.subPath !== undefined && !Object.hasOwn(files, mount.subPath) && mount.optional !== true) {
    const message = `mounts key ${mount.subPath} of ${secret ? 'Secret' : 'ConfigMap'} ${key}, which has no such key`
    return { missing: { reason: 'KeyNotFound', message } }
  }
  const salt = secret ? desired.secrets.get(key)?.metadata.uid : undefined
  const projection = {
    directory: `${uid}/${fingerprint({ name, files, ...(salt !== undefined && { salt }) })}`,
    secret,
    files,
  }
  const directory = `${projectionRoot}/${projection.directory}`
  return {
    mount: {
      type: 'bind',
      source: mount.subPath === undefined ? directory : `${directory}/${mount.subPath}`,
      target: mount.mountPath,
      readOnly: true,
    },
    projection,
  }
}

/** Only the key that is mounted counts: others may change without a new container. */
function keysOf(
  files: Readonly<Record<string, string>>,
  subPath: string | undefined,
): Record<string, string> {
  if (subPath === undefined) return { ...files }
  const content = Object.hasOwn(files, subPath) ? files[subPath] : undefined
  return content === undefined ? {} : { [subPath]: content }
}

/** Whether a directory of projected files is mounted, or about to be: its Container is at work. */
export function isMounted(directory: string, world: World): boolean {
  const source = `${world.projectionRoot}/${directory}`
  const uid = directory.split('/')[0]
  const owner = [...world.desired.containers.values()].find(({ metadata }) => metadata.uid === uid)
  if (owner !== undefined && world.busy.has(groupOf('Container', owner.metadata))) return true
  return world.observed.containers.some(({ mounts }) =>
    mounts.some((mount) => mount.source === source || mount.source.startsWith(`${source}/`)),
  )
}

function configMapFiles(desired: Desired, key: string): Record<string, string> {
  const { data = {}, binaryData = {} } = desired.configMaps.get(key) ?? {}
  const text = Object.entries(data).map(
    ([name, value]) => [name, Buffer.from(value).toString('base64')] as const,
  )
  return { ...Object.fromEntries(text), ...binaryData }
}

/** What the engine calls the Volume or Network of this name, whether or not there is one yet. */
export function desiredName(
  objects: ReadonlyMap<string, Volume | Network>,
  meta: { namespace: string; name: string },
): string {
  const object = objects.get(objectKey(meta))
  return object === undefined ? engineName(meta) : engineNameOf(object)
}
