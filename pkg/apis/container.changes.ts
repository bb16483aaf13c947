/**
 * What becomes of each field of a Container: where it shows on the engine, how that is compared with what is asked for,
 * and what a change of it does to the container that runs. docs/drift.md is written from it, `diff` and `describe` go
 * by it, and tests hold it against the schema and against what the agent really does. A field that is not in it makes a
 * new container: losing what the container wrote outside of volumes may be a surprise, running with an old setting is
 * worse.
 */
import type { ChangeClass } from './kind.ts'

export interface FieldRule {
  /** Where it shows on the engine, by the names of `docker inspect`; or who goes by it. */
  readonly observed: string
  readonly compared: string
  readonly change: ChangeClass
}

const verbatim = 'as it stands'
const set = 'as a set: order says nothing'
const ofImage = "absent: what the image says; one that is the image's own is no difference"
const notCompared = 'not compared'

const recreate = (observed: string, compared: string): FieldRule => ({
  observed,
  compared,
  change: 'recreate',
})
const inPlace = (observed: string, compared: string): FieldRule => ({
  observed,
  compared,
  change: 'in place',
})
const nothing = (observed: string): FieldRule => ({ observed, compared: notCompared, change: 'nothing' })

/** By path; the longest path that leads to a field counts. */
export const containerFields: Readonly<Record<string, FieldRule>> = {
  'spec.image': recreate(
    'Config.Image',
    'as a reference in full: `nginx` is `docker.io/library/nginx:latest`',
  ),
  'spec.imageFrom': recreate(
    'Config.Image',
    'by the digest that the Image says; another one is another image',
  ),
  'spec.imagePullPolicy': nothing('the agent, before a container is made'),
  'spec.imagePullSecrets': nothing('the agent, when it pulls'),
  'spec.command': recreate('Config.Entrypoint', ofImage),
  'spec.args': recreate(
    'Config.Cmd',
    `${ofImage}; an empty list is none, and a command drops those of the image`,
  ),
  'spec.env': recreate(
    'Config.Env',
    "with the image's own merged in; what Secrets and ConfigMaps hold counts, and what Secrets hold is not told",
  ),
  'spec.envFrom': recreate('Config.Env', 'as spec.env'),
  'spec.workingDir': recreate('Config.WorkingDir', `as a path; ${ofImage}`),
  'spec.user': recreate('Config.User', ofImage),
  'spec.hostname': recreate('Config.Hostname', "absent: the beginning of the container's id, or the node's"),
  'spec.stdin': recreate('Config.OpenStdin', 'absent is false'),
  'spec.stdinOnce': recreate('Config.StdinOnce', 'absent is false'),
  'spec.tty': recreate('Config.Tty', 'absent is false'),
  'spec.init': recreate('HostConfig.Init', 'absent is false'),
  'spec.stopSignal': recreate('Config.StopSignal', `with or without SIG; ${ofImage}`),
  'spec.terminationGracePeriodSeconds': nothing('the agent, when it stops one'),
  'spec.ports': recreate('HostConfig.PortBindings', `${set}; all addresses are 0.0.0.0 or none`),
  'spec.publishAll': recreate('HostConfig.PublishAllPorts', 'absent is false'),
  'spec.mounts': recreate(
    'Mounts',
    'by mountPath; volumes that nobody named go along and are no difference; files of Secrets and ConfigMaps by content',
  ),
  'spec.networks': inPlace(
    'NetworkSettings.Networks',
    'by name, with aliases as a set; absent: the default bridge',
  ),
  'spec.networkMode': recreate(
    'HostConfig.NetworkMode',
    'container:NAME as the container that has that name now',
  ),
  'spec.links': recreate('HostConfig.Links, or links of the network', 'by name and alias'),
  'spec.extraHosts': recreate('HostConfig.ExtraHosts', set),
  'spec.dns': recreate('HostConfig.Dns, DnsSearch, DnsOptions', 'in order; absent is empty'),
  'spec.healthcheck': recreate(
    'Config.Healthcheck, or the agent for http and tcp',
    `0 stands for the engine's default; ${ofImage}`,
  ),
  'spec.healthcheck.onUnhealthy': nothing('the agent, when a check fails'),
  'spec.healthcheck.budget': nothing('the agent, when a check fails'),
  'spec.restartPolicy': nothing("the agent; the engine's own policy is put back to `no` in place"),
  'spec.resources.limits': inPlace(
    'HostConfig.NanoCpus, Memory, PidsLimit',
    'in numbers; engines cannot lift cpu and memory limits: without them a new container is made',
  ),
  'spec.resources.requests': nothing('placement'),
  'spec.securityContext': recreate(
    'HostConfig.Privileged, ReadonlyRootfs, CapAdd, CapDrop, SecurityOpt',
    "absent: what engines give everybody; runAsNonRoot against the image's user, before one is made",
  ),
  'spec.devices': recreate('HostConfig.Devices', set),
  'spec.ulimits': recreate('HostConfig.Ulimits', `${set}; what the engine adds by itself is no difference`),
  'spec.sysctls': recreate('HostConfig.Sysctls', 'by name'),
  'spec.shmSize': recreate('HostConfig.ShmSize', "in bytes; absent: the engine's default"),
  'spec.logging': recreate(
    'HostConfig.LogConfig',
    'absent: json-file, max-size 10m, max-file 3, which is no reason to replace a container that is older than this',
  ),
  'spec.dependsOn': nothing('the agent, before one starts'),
  'spec.state': inPlace('State.Status', verbatim),
  'spec.ttlSecondsAfterFinished': nothing('the control plane'),
  'spec.update': nothing('the agent, when it replaces one'),
  'spec.revisionHistoryLimit': nothing('the control plane'),
  'spec.labels': recreate('Config.Labels', 'by name; those of the image and of Cove are no difference'),
  'spec.adopt': nothing('the agent, when it takes one over'),
  'spec.nodeName': recreate('the node that has it', verbatim),
  'spec.nodeSelector': nothing('placement'),
  'spec.tolerations': nothing('placement'),
}

/** The rule of the field at a path such as `spec.env[0].value`; undefined for a field that is not in the table. */
export function fieldRule(path: string): FieldRule | undefined {
  const isIn = (field: string) =>
    path === field || path.startsWith(`${field}.`) || path.startsWith(`${field}[`)
  const found = Object.keys(containerFields).filter(isIn)
  const longest = found.reduce((best, field) => (field.length > best.length ? field : best), '')
  return containerFields[longest]
}

export function containerChange(path: string): ChangeClass {
  if (!path.startsWith('spec.')) return 'nothing'
  return fieldRule(path)?.change ?? 'recreate'
}
