/**
 * Pod, as Kubernetes has it, as far as a Container can be told in its words: for clients that know nothing else, such
 * as `kubectl logs`, `exec` and `port-forward`. Objects of it are never stored; pod.view.ts makes them.
 */
import type { Static } from 'typebox'
import * as Type from 'typebox'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { conditions } from './meta.ts'
import { atomicList, quantity, stringMap, time } from './schema.ts'

const text = (description: string) => Type.Optional(Type.String({ description }))
const integer = (description: string) => Type.Optional(Type.Integer({ description }))
const flag = (description: string) => Type.Optional(Type.Boolean({ description }))
const object = <T extends Parameters<typeof Type.Object>[0]>(fields: T, description: string) =>
  Type.Optional(Type.Object(fields, { description }))

const keyReference = (what: string) =>
  object(
    {
      name: Type.String({ description: `Name of the ${what}.` }),
      key: Type.String({ description: 'Key whose value is taken.' }),
      optional: flag('Leave the variable out when the key is missing.'),
    },
    `One key of a ${what}.`,
  )

const envVar = Type.Object({
  name: Type.String({ description: 'Name of the variable.' }),
  value: text('Its value.'),
  valueFrom: object(
    {
      secretKeyRef: keyReference('Secret'),
      configMapKeyRef: keyReference('ConfigMap'),
      fieldRef: object({ fieldPath: Type.String({ description: 'Path of the field.' }) }, 'A field of it.'),
    },
    'Where the value comes from.',
  ),
})

const wholeReference = (what: string) =>
  object(
    {
      name: Type.String({ description: `Name of the ${what}.` }),
      optional: flag('Whether it may be missing.'),
    },
    `A ${what}.`,
  )

const envSource = Type.Object({
  prefix: text('Begins the name of each variable.'),
  secretRef: wholeReference('Secret'),
  configMapRef: wholeReference('ConfigMap'),
})

const toleration = Type.Object({
  key: text('Of the taint.'),
  operator: text('Exists or Equal.'),
  value: text('Of the taint.'),
  effect: text('NoSchedule, PreferNoSchedule or NoExecute.'),
  tolerationSeconds: integer('For how long.'),
})

const port = Type.Object({
  name: text('Name of the port.'),
  containerPort: Type.Integer({ description: 'Port inside the container.' }),
  hostPort: integer('Port of the host.'),
  hostIP: text('Address of the host.'),
  protocol: Type.String({ description: 'Protocol of the port.' }),
})

const volumeMount = Type.Object({
  name: Type.String({ description: 'Name among spec.volumes.' }),
  mountPath: Type.String({ description: 'Path inside the container.' }),
  readOnly: flag('Whether the container may only read it.'),
})

const probe = object(
  {
    exec: object(
      { command: Type.Array(Type.String(), { description: 'Program and arguments.' }) },
      'A command.',
    ),
    periodSeconds: integer('Time between two checks.'),
    timeoutSeconds: integer('A check that runs longer has failed.'),
    failureThreshold: integer('So many failures in a row mean unhealthy.'),
    initialDelaySeconds: integer('Failures in this time after the start do not count.'),
  },
  "The Container's healthcheck, when it is a command.",
)

const quantities = (description: string) =>
  Type.Optional(Type.Record(Type.String(), quantity(), { description }))

const securityContext = object(
  {
    privileged: flag('Everything that root of the node may do.'),
    readOnlyRootFilesystem: flag('Only mounts can be written.'),
    allowPrivilegeEscalation: flag('Whether a process may gain more rights than its parent.'),
    runAsNonRoot: flag('Whether it must not run as root.'),
    runAsUser: integer('User, where it is a number.'),
    runAsGroup: integer('Group, where it is a number.'),
    capabilities: object(
      {
        add: Type.Optional(Type.Array(Type.String(), { description: 'Given.' })),
        drop: Type.Optional(Type.Array(Type.String(), { description: 'Taken away.' })),
      },
      'Capabilities of the kernel.',
    ),
    seccompProfile: object(
      { type: Type.String({ description: 'RuntimeDefault or Unconfined.' }) },
      'System calls.',
    ),
  },
  'What it may do to its node.',
)

const container = Type.Object({
  name: Type.String({ description: 'The name of the Container.' }),
  image: Type.String({ description: 'The image.' }),
  imagePullPolicy: text('When to pull.'),
  command: Type.Optional(Type.Array(Type.String(), { description: "Replaces the image's ENTRYPOINT." })),
  args: Type.Optional(Type.Array(Type.String(), { description: "Replaces the image's CMD." })),
  workingDir: text('Working directory.'),
  env: Type.Optional(Type.Array(envVar, { description: 'Environment variables.' })),
  envFrom: Type.Optional(Type.Array(envSource, { description: 'Every key of a Secret or ConfigMap.' })),
  ports: Type.Optional(Type.Array(port, { description: 'Ports.' })),
  resources: Type.Object(
    { limits: quantities('Most it may use.'), requests: quantities('What is set aside for it.') },
    { description: 'Processor and memory.' },
  ),
  volumeMounts: Type.Optional(Type.Array(volumeMount, { description: 'What is mounted where.' })),
  livenessProbe: probe,
  securityContext,
  stdin: flag('Whether standard input is kept open.'),
  tty: flag('Whether it has a terminal.'),
})

const volume = Type.Object({
  name: Type.String({ description: 'Name within the Pod.' }),
  persistentVolumeClaim: object(
    { claimName: Type.String({ description: 'Name of the Volume.' }) },
    'A Volume of Cove.',
  ),
  hostPath: object({ path: Type.String({ description: 'Path on the node.' }) }, 'A path of the node.'),
  emptyDir: object({ medium: text('Memory.'), sizeLimit: Type.Optional(quantity()) }, 'Memory.'),
  configMap: object(
    { name: Type.String({ description: 'Its name.' }), optional: flag('Whether it may be missing.') },
    'A ConfigMap.',
  ),
  secret: object(
    { secretName: Type.String({ description: 'Its name.' }), optional: flag('Whether it may be missing.') },
    'A Secret.',
  ),
})

export const podSpec = Type.Object(
  {
    containers: atomicList(container, { description: 'The one container.' }),
    volumes: Type.Optional(atomicList(volume, { description: 'What it mounts.' })),
    nodeName: text('The node it runs on.'),
    hostNetwork: flag("Whether it is on the node's own network."),
    nodeSelector: Type.Optional(stringMap({ description: 'Labels the node must have.' })),
    tolerations: Type.Optional(atomicList(toleration, { description: 'Taints that do not keep it away.' })),
    imagePullSecrets: Type.Optional(
      atomicList(Type.Object({ name: Type.String({ description: 'Its name.' }) }), {
        description: 'Secrets with credentials of registries.',
      }),
    ),
    restartPolicy: Type.String({ description: 'What happens when it ends by itself.' }),
    terminationGracePeriodSeconds: integer('Time between the stop signal and SIGKILL.'),
  },
  { description: "What should be: the Container's spec in Kubernetes' words." },
)

const terminated = object(
  {
    exitCode: Type.Integer({ description: 'Exit code.' }),
    reason: text('In a word.'),
    message: text('In a sentence.'),
    startedAt: Type.Optional(time({ description: 'When that run began.' })),
    finishedAt: Type.Optional(time({ description: 'When it ended.' })),
    containerID: text('Id on the engine.'),
  },
  'It has ended.',
)

const state = (description: string) =>
  Type.Object(
    {
      waiting: object({ reason: text('In a word.'), message: text('In a sentence.') }, 'It waits to start.'),
      running: object({ startedAt: Type.Optional(time({ description: 'Since when.' })) }, 'It runs.'),
      terminated,
    },
    { description },
  )

const containerStatus = Type.Object({
  name: Type.String({ description: 'The name of the container.' }),
  state: state('What it is doing.'),
  lastState: state('How it ended last time.'),
  ready: Type.Boolean({ description: 'Whether it does what it should.' }),
  started: Type.Boolean({ description: 'Whether it runs.' }),
  restartCount: Type.Integer({ description: 'How often it was started again.' }),
  image: Type.String({ description: 'The image it runs.' }),
  imageID: Type.String({ description: 'Digest or id of the image.' }),
  containerID: text('docker://ID.'),
})

export const podStatus = Type.Object(
  {
    phase: Type.String({ description: 'Pending, Running, Succeeded, Failed or Unknown.' }),
    conditions: Type.Optional(conditions(['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'])),
    reason: text('In a word, where there is more to tell than the phase.'),
    message: text('In a sentence.'),
    hostIP: text('Address of the node.'),
    podIP: text('Its address.'),
    podIPs: Type.Optional(
      atomicList(Type.Object({ ip: Type.String({ description: 'Address.' }) }), {
        description: 'Its addresses.',
      }),
    ),
    startTime: Type.Optional(time({ description: 'When it began.' })),
    containerStatuses: Type.Optional(
      atomicList(containerStatus, { description: 'The state of the one container.' }),
    ),
    qosClass: text('Guaranteed, Burstable or BestEffort.'),
  },
  { description: "What is: the Container's status in Kubernetes' words." },
)

export type PodSpec = Static<typeof podSpec>
export type PodStatus = Static<typeof podStatus>
export type PodContainer = Static<typeof container>
export type PodVolume = Static<typeof volume>
export type PodContainerStatus = Static<typeof containerStatus>

export interface Pod extends KubeObject<PodSpec, PodStatus> {
  kind: 'Pod'
  spec: PodSpec
  status: PodStatus
}
