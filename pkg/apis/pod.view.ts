/** From a Container to the Pod that shows it: metadata and spec. Pure; pod.viewstatus.ts tells the status. */
import type { ObjectMeta } from '#pkg/apimachinery/meta.ts'
import { parseDuration } from '#pkg/apimachinery/quantity.ts'
import type { Container, ContainerLimits, ContainerMount, EnvVar } from './container.ts'
import type { Pod, PodContainer, PodSpec, PodVolume } from './pod.ts'
import { viewStatus } from './pod.viewstatus.ts'

/** The Pod has the Container's name, UID and revision, so that events and watches of the one are those of the other. */
export function podOf(container: Container): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: viewMeta(container),
    spec: viewSpec(container),
    status: viewStatus(container),
  }
}

const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration'

/** Without what tells about writing the Container: its managers, finalizers and last manifest are not a Pod's. */
function viewMeta({ metadata, apiVersion, kind }: Container): ObjectMeta {
  const { managedFields: _managers, finalizers: _finalizers, annotations = {}, ...rest } = metadata
  const { [lastApplied]: _manifest, ...told } = annotations
  const owner = { apiVersion, kind, name: metadata.name, uid: metadata.uid ?? '', controller: true }
  return {
    ...rest,
    ...(Object.keys(told).length > 0 && { annotations: told }),
    ownerReferences: [owner],
  }
}

function viewSpec(container: Container): PodSpec {
  const { spec } = container
  const volumes = spec.mounts.map(viewVolume)
  const unique = volumes.filter(
    ({ name }, index) => volumes.findIndex((other) => other.name === name) === index,
  )
  return {
    containers: [viewContainer(container)],
    ...(unique.length > 0 && { volumes: unique }),
    ...(spec.nodeName !== undefined && { nodeName: spec.nodeName }),
    ...(spec.networkMode === 'host' && { hostNetwork: true }),
    ...(Object.keys(spec.nodeSelector).length > 0 && { nodeSelector: spec.nodeSelector }),
    ...(spec.tolerations !== undefined && { tolerations: spec.tolerations }),
    ...(spec.imagePullSecrets !== undefined && { imagePullSecrets: spec.imagePullSecrets }),
    restartPolicy: spec.restartPolicy,
    terminationGracePeriodSeconds: spec.terminationGracePeriodSeconds,
  }
}

function viewContainer({ metadata, spec, status }: Container): PodContainer {
  const { imagePullPolicy, command, args, workingDir, stdin, tty, env, ports, mounts, healthcheck } = spec
  return {
    name: metadata.name,
    image: spec.image ?? status?.image?.reference ?? '',
    ...(imagePullPolicy !== undefined && { imagePullPolicy }),
    ...(command !== undefined && { command }),
    ...(args !== undefined && { args }),
    ...(workingDir !== undefined && { workingDir }),
    ...(env.length > 0 && { env: env.map(viewVariable) }),
    ...(spec.envFrom !== undefined && { envFrom: spec.envFrom }),
    ...(ports.length > 0 && { ports: ports.map((port) => ({ ...port })) }),
    resources: viewResources(spec.resources?.limits, spec.resources?.requests),
    ...(mounts.length > 0 && { volumeMounts: mounts.map(viewMount) }),
    ...viewProbe(healthcheck),
    ...viewSecurity(spec),
    ...(stdin === true && { stdin }),
    ...(tty === true && { tty }),
  }
}

/** A user by name is none to Kubernetes. */
function viewSecurity({
  securityContext,
  user = '',
}: Container['spec']): Pick<PodContainer, 'securityContext'> {
  const [uid = '', gid = ''] = user.split(':')
  const isNumber = /^[0-9]+$/
  const viewed = {
    ...securityContext,
    ...(isNumber.test(uid) && { runAsUser: Number(uid) }),
    ...(isNumber.test(gid) && { runAsGroup: Number(gid) }),
  }
  return Object.keys(viewed).length > 0 ? { securityContext: viewed } : {}
}

/** A value that comes from elsewhere is told as where it comes from, never as what it is. */
function viewVariable({ name, value, valueFrom }: EnvVar): NonNullable<PodContainer['env']>[number] {
  if (valueFrom !== undefined) return { name, valueFrom }
  return { name, ...(value !== undefined && { value }) }
}

type Requests = NonNullable<NonNullable<Container['spec']['resources']>['requests']>

/** What Kubernetes has no name for, the number of processes, is left out. */
function viewResources(limits: ContainerLimits = {}, requests: Requests = {}): PodContainer['resources'] {
  const named = ({ cpu, memory }: Requests) => ({
    ...(cpu !== undefined && { cpu: String(cpu) }),
    ...(memory !== undefined && { memory: String(memory) }),
  })
  const [most, least] = [named(limits), named(requests)]
  return {
    ...(Object.keys(most).length > 0 && { limits: most }),
    ...(Object.keys(least).length > 0 && { requests: least }),
  }
}

function viewMount(mount: ContainerMount, index: number): NonNullable<PodContainer['volumeMounts']>[number] {
  const { mountPath, readOnly } = mount
  return { name: volumeName(mount, index), mountPath, ...(readOnly && { readOnly }) }
}

function viewVolume(mount: ContainerMount, index: number): PodVolume {
  const name = volumeName(mount, index)
  const { volume, hostPath, tmpfs, configMap, secret, optional } = mount
  const missing = { ...(optional !== undefined && { optional }) }
  if (volume !== undefined) return { name, persistentVolumeClaim: { claimName: volume } }
  if (hostPath !== undefined) return { name, hostPath: { path: hostPath } }
  if (configMap !== undefined) return { name, configMap: { name: configMap, ...missing } }
  if (secret !== undefined) return { name, secret: { secretName: secret, ...missing } }
  const sizeLimit = tmpfs?.sizeLimit
  return {
    name,
    emptyDir: { medium: 'Memory', ...(sizeLimit !== undefined && { sizeLimit: String(sizeLimit) }) },
  }
}

/** Mounts of the same thing share a volume; mounts without a name of their own are told apart by their place. */
function volumeName({ volume, configMap, secret }: ContainerMount, index: number): string {
  if (volume !== undefined) return `volume-${volume}`
  if (configMap !== undefined) return `configmap-${configMap}`
  return secret === undefined ? `mount-${index}` : `secret-${secret}`
}

function viewProbe(check: Container['spec']['healthcheck']): Pick<PodContainer, 'livenessProbe'> {
  if (check === undefined || check.disabled) return {}
  const command = check.command ?? (check.shell === undefined ? undefined : ['/bin/sh', '-c', check.shell])
  if (command === undefined) return {}
  return {
    livenessProbe: {
      exec: { command },
      periodSeconds: seconds(check.interval),
      timeoutSeconds: seconds(check.timeout),
      failureThreshold: check.retries,
      initialDelaySeconds: seconds(check.startPeriod),
    },
  }
}

function seconds(duration: string): number {
  return Math.ceil((parseDuration(duration) ?? 0) / 1000)
}
