/**
 * Container: one container on one node. The schema is the whole of the design; a field that this version does
 * not act on is marked unimplemented, and validation refuses it.
 */
import type { Static } from 'typebox'
import * as Type from 'typebox'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { objectName, text } from './container.fields.ts'
import { healthcheck } from './container.healthcheck.ts'
import { adopt, labels } from './container.identity.ts'
import {
  containerPort,
  envFrom,
  envVar,
  hostPortsDiffer,
  mount,
  networkAttachment,
} from './container.inputs.ts'
import { links, networkMode, networkRules, ownNetworkRules } from './container.network.ts'
import {
  devices,
  dns,
  extraHosts,
  hostname,
  logging,
  runtimeRules,
  shmSize,
  stopSignal,
  sysctls,
  ulimits,
} from './container.runtime.ts'
import { securityContext, securityRules } from './container.security.ts'
import type { containerStatus } from './container.status.ts'
import { update, updateRules } from './container.update.ts'
import { tolerations } from './node.taints.ts'
import {
  atomicList,
  exactlyOneOf,
  listMap,
  oneOf,
  quantity,
  rules,
  stringMap,
  type Validation,
} from './schema.ts'

/** To the engine zero means no limit, which is said by leaving the field out. */
const moreThanNothing = rules({
  rule: 'quantity(string(self)).sign() > 0',
  message: 'must be more than zero; leave it out for no limit',
})

const limits = Type.Object(
  {
    cpu: Type.Optional(quantity({ description: 'Cores: 0.5 or 500m.', ...moreThanNothing })),
    memory: Type.Optional(
      quantity({
        description: 'Bytes: 64Mi. The kernel kills a container that takes more.',
        ...moreThanNothing,
      }),
    ),
    pids: Type.Optional(Type.Integer({ minimum: 1, description: 'Most processes at once.' })),
  },
  { description: 'What the container may use at most. Changed in place, without a restart.' },
)

const requests = Type.Object(
  {
    cpu: Type.Optional(quantity({ description: 'Cores: 0.5 or 500m.' })),
    memory: Type.Optional(quantity({ description: 'Bytes: 64Mi.' })),
  },
  {
    description:
      'What placement sets aside for it on its node: it goes only where so much is left. Nothing is set aside for limits alone.',
  },
)

/** What has run once has an end and a log: that is not what Created means. */
const neverCreatedAgain = rules({
  rule: "self != 'Created' || self == oldSelf",
  message: 'cannot become Created again; use Stopped',
  reason: 'FieldValueForbidden',
})

const dependency = Type.Object({
  container: objectName('Name of the Container this one needs.'),
  condition: oneOf(['Started', 'Healthy', 'Completed'], {
    default: 'Started',
    description: 'What must be true of it before this one starts.',
  }),
})

/** `docker run` refuses --rm with a restart policy for the same reason. */
const finishes: Validation = {
  rule: "!has(self.ttlSecondsAfterFinished) || self.restartPolicy != 'Always'",
  message: 'needs restartPolicy Never or OnFailure: with Always a Container is never finished',
  fieldPath: '.ttlSecondsAfterFinished',
}

const imageFrom = Type.Object(
  {
    build: Type.Optional(
      objectName('Name of a Build of the namespace, which is followed through its Image.'),
    ),
    image: Type.Optional(objectName('Name of an Image of the namespace.')),
  },
  {
    description:
      'Made from the image that an Image has found or a Build has made, and replaced as by a change of the spec when that changes.',
    ...rules(...exactlyOneOf('build', 'image')),
  },
)

export const containerSpec = Type.Object(
  {
    image: Type.Optional(
      text('The image: [registry[:port]/]repository[:tag][@digest]. Either it or imageFrom.', {
        format: 'cove-image-reference',
        maxLength: 512,
      }),
    ),
    imageFrom: Type.Optional(imageFrom),
    imagePullPolicy: Type.Optional(
      oneOf(['Always', 'IfNotPresent', 'Never'], {
        description: 'When to pull. Absent: Always for the tag latest, else IfNotPresent.',
      }),
    ),
    imagePullSecrets: Type.Optional(
      listMap(Type.Object({ name: objectName('Name of a Secret of the namespace.') }), ['name'], {
        maxItems: 64,
        description:
          'Secrets of the type kubernetes.io/dockerconfigjson, asked for credentials of the registry at each pull. A change does nothing to what runs.',
      }),
    ),
    command: Type.Optional(
      atomicList(Type.String(), {
        minItems: 1,
        description: "Replaces the image's ENTRYPOINT, and drops its CMD. No shell unless you write one.",
      }),
    ),
    args: Type.Optional(atomicList(Type.String(), { description: "Replaces the image's CMD." })),
    env: listMap(envVar, ['name'], {
      default: [],
      maxItems: 1024,
      description: 'Environment variables, added to those of the image.',
    }),
    envFrom,
    workingDir: Type.Optional(text("Working directory; absent: the image's.", { pattern: '^/' })),
    user: Type.Optional(
      text("User, or user:group, by name or number; absent: the image's.", { minLength: 1 }),
    ),
    hostname: Type.Optional(hostname),
    stdin: Type.Optional(
      Type.Boolean({ description: 'Keep standard input open, for `cove attach -i`; absent: false.' }),
    ),
    stdinOnce: Type.Optional(
      Type.Boolean({
        description:
          'Its standard input ends when the first who attached has no more for it; absent: false, it stays open for whoever attaches next.',
      }),
    ),
    tty: Type.Optional(Type.Boolean({ description: 'Give it a terminal; absent: false.' })),
    init: Type.Optional(
      Type.Boolean({
        description:
          "Run the engine's own init process as PID 1, which hands signals on and collects what has ended; absent: as the engine is set, which usually is false.",
      }),
    ),
    stopSignal: Type.Optional(stopSignal),
    terminationGracePeriodSeconds: Type.Integer({
      minimum: 0,
      default: 10,
      description: 'Time between the stop signal and SIGKILL.',
    }),
    ports: listMap(containerPort, ['containerPort', 'protocol'], {
      default: [],
      maxItems: 128,
      ...hostPortsDiffer,
      description: 'Ports published on the node.',
    }),
    publishAll: Type.Optional(
      Type.Boolean({
        description:
          'Publish every port that the image exposes, each on a free port of the node picked at each start: status.ports has them; absent: false.',
      }),
    ),
    mounts: listMap(mount, ['mountPath'], {
      default: [],
      maxItems: 256,
      description: 'Data from outside the image; one source each.',
    }),
    networks: listMap(networkAttachment, ['name'], {
      default: [],
      description: "Networks it joins. Changed in place. Absent: the engine's default bridge, without names.",
    }),
    networkMode: Type.Optional(networkMode),
    links,
    extraHosts: Type.Optional(extraHosts),
    dns: Type.Optional(dns),
    healthcheck: Type.Optional(healthcheck),
    restartPolicy: oneOf(['Always', 'OnFailure', 'Never'], {
      default: 'Always',
      description: 'What to do when it ends by itself. Restarts back off from 10 seconds to 5 minutes.',
    }),
    resources: Type.Optional(
      Type.Object(
        { limits: Type.Optional(limits), requests: Type.Optional(requests) },
        { description: 'Processor, memory and processes.' },
      ),
    ),
    securityContext: Type.Optional(securityContext),
    devices: Type.Optional(devices),
    ulimits: Type.Optional(ulimits),
    sysctls: Type.Optional(sysctls),
    shmSize: Type.Optional(shmSize),
    logging: Type.Optional(logging),
    dependsOn: listMap(dependency, ['container'], {
      default: [],
      maxItems: 128,
      description: 'Containers of the namespace that must be there before this one starts.',
    }),
    state: oneOf(['Created', 'Running', 'Paused', 'Stopped'], {
      default: 'Running',
      description: 'What it should be doing. Created: made and not started yet, which only a new one can be.',
      ...neverCreatedAgain,
    }),
    ttlSecondsAfterFinished: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 2_147_483_647,
        description:
          'Delete it so long after it ended for good: with any exit code (restartPolicy Never), or with 0 (OnFailure). 0 is at once, as with docker run --rm. Absent: it is kept.',
      }),
    ),
    update: Type.Optional(update),
    revisionHistoryLimit: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 100,
        description:
          'How many older revisions are kept for `cove rollout undo`, besides the newest. Absent: 10.',
      }),
    ),
    labels: Type.Optional(labels),
    adopt: Type.Optional(adopt),
    nodeName: Type.Optional(text('The node it runs on; set by placement when absent.')),
    nodeSelector: stringMap({ default: {}, description: 'Labels the node must have.' }),
    tolerations: Type.Optional(tolerations),
  },
  {
    description: 'What should be.',
    ...rules(
      ...exactlyOneOf('image', 'imageFrom'),
      ...securityRules,
      ...networkRules,
      finishes,
      ...runtimeRules,
      ...updateRules,
    ),
  },
)

/** Of the whole object: they name metadata.name too. */
export const containerRules: readonly Validation[] = [
  {
    rule: '!has(self.metadata.name) || self.metadata.name.size() >= 2',
    message: 'is too short: the engine wants at least 2 characters',
    messageExpression: `'"' + self.metadata.name + '" is too short: the engine wants at least 2 characters'`,
    fieldPath: '.metadata.name',
  },
  {
    rule: '!has(self.metadata.name) || !self.spec.dependsOn.exists(one, one.container == self.metadata.name)',
    message: 'a Container cannot depend on itself',
    fieldPath: '.spec.dependsOn',
  },
  ...ownNetworkRules,
]

export type ContainerSpec = Static<typeof containerSpec>
export type ContainerStatus = Static<typeof containerStatus>
export type ContainerMount = Static<typeof mount>
export type ContainerHealthcheck = Static<typeof healthcheck>
export type ContainerLimits = Static<typeof limits>
export type ContainerSecurity = Static<typeof securityContext>
export type EnvVar = Static<typeof envVar>

export interface Container extends KubeObject<ContainerSpec, ContainerStatus> {
  kind: 'Container'
  spec: ContainerSpec
}
