/**
 * Container: one container on one node. The schema is the whole of the design; a field that this version does
 * not act on is marked unimplemented, and validation refuses it.
 */
import type { Static } from 'typebox'
import * as Type from 'typebox'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import type { containerStatus } from './container.status.ts'
import {
  atomicList,
  duration,
  exactlyOneOf,
  listMap,
  oneOf,
  quantity,
  rules,
  stringMap,
  unimplemented,
  type Validation,
} from './schema.ts'

const text = (description: string, options: Record<string, unknown> = {}) =>
  Type.String({ description, ...options })
const port = { minimum: 1, maximum: 65535 }
const objectName = (description: string) => text(description, { minLength: 1, maxLength: 253 })

const keySelector = (what: string) =>
  Type.Object(
    {
      name: objectName(`Name of the ${what}, in the namespace of the Container.`),
      key: text('Key whose value is taken.', { minLength: 1 }),
      optional: Type.Boolean({
        default: false,
        description: 'Leave the variable out when the key is missing.',
      }),
    },
    { description: `One key of a ${what}.` },
  )

const allKeys = (what: string) =>
  Type.Object({ name: text(`Name of the ${what}.`) }, { description: `A ${what} of the namespace.` })

const envVar = Type.Object(
  {
    name: text('Name of the variable.', { pattern: '^[A-Za-z_][A-Za-z0-9_.-]*$' }),
    value: Type.Optional(text('Its value, taken as it stands.')),
    valueFrom: Type.Optional(
      Type.Object(
        {
          secretKeyRef: Type.Optional(keySelector('Secret')),
          configMapKeyRef: Type.Optional(keySelector('ConfigMap')),
          fieldRef: Type.Optional(
            Type.Object(
              {
                fieldPath: oneOf(['metadata.name', 'metadata.namespace', 'metadata.uid', 'spec.nodeName'], {
                  description: 'Path of the field.',
                }),
              },
              { description: 'A field of the Container itself.' },
            ),
          ),
        },
        {
          description: 'Where the value comes from; exactly one source.',
          ...rules(...exactlyOneOf('secretKeyRef', 'configMapKeyRef', 'fieldRef')),
        },
      ),
    ),
  },
  rules({
    rule: '!(has(self.value) && has(self.valueFrom))',
    message: 'has both value and valueFrom; keep one',
  }),
)

const containerPort = Type.Object({
  name: Type.Optional(text('Name of the port, for people.')),
  containerPort: Type.Integer({ ...port, description: 'Port inside the container.' }),
  hostPort: Type.Optional(
    Type.Integer({
      ...port,
      description: 'Port of the host; absent: the engine picks a free one at each start.',
    }),
  ),
  hostIP: Type.Optional(
    text('Address of the host to bind; absent: all of them.', {
      maxLength: 45,
      ...rules({
        rule: 'isIP(self)',
        message: 'must be an address',
        messageExpression: `'"' + self + '" is not an address'`,
      }),
    }),
  ),
  protocol: oneOf(['TCP', 'UDP', 'SCTP'], { default: 'TCP', description: 'Protocol of the port.' }),
})

/** Of all ports that are published on one host port, protocol and address, every address counted for one of them. */
const hostPortsDiffer = (() => {
  const any = (port: string) => `(!has(${port}.hostIP) || ${port}.hostIP in ['0.0.0.0', '::'])`
  const sameAddress = `(${any('one')} || ${any('other')} || one.hostIP == other.hostIP)`
  const clashes = `self.filter(other, has(other.hostPort) && other.hostPort == one.hostPort && other.protocol == one.protocol && ${sameAddress}).size() > 1`
  const clashing = `self.filter(one, has(one.hostPort) && ${clashes})`
  return rules({
    rule: `!self.exists(one, has(one.hostPort) && ${clashes})`,
    message: 'two ports are published on the same host port',
    messageExpression: `'more than one is published on ' + string(${clashing}[0].hostPort) + '/' + ${clashing}[0].protocol`,
    reason: 'FieldValueDuplicate',
  })
})()

const mount = Type.Object(
  {
    mountPath: text('Absolute path inside the container.', { pattern: '^/' }),
    readOnly: Type.Boolean({ default: false, description: 'Whether the container may only read it.' }),
    volume: Type.Optional(objectName('Name of a Volume. A new, empty one is filled from the image.')),
    hostPath: Type.Optional(
      text('Absolute path on the node. It must exist: a missing one is an error, not an empty directory.', {
        pattern: '^/',
      }),
    ),
    tmpfs: Type.Optional(
      Type.Object(
        {
          sizeLimit: Type.Optional(
            quantity({ description: 'Most bytes it may hold; absent: half the memory.' }),
          ),
        },
        { description: 'An empty directory in memory, gone when the container stops.' },
      ),
    ),
    configMap: Type.Optional(
      objectName('Name of a ConfigMap: each key becomes a file. A change recreates the container.'),
    ),
    secret: Type.Optional(
      objectName('Name of a Secret: each key becomes a file. A change recreates the container.'),
    ),
  },
  rules(...exactlyOneOf('volume', 'hostPath', 'tmpfs', 'configMap', 'secret')),
)

const networkAttachment = Type.Object({
  name: objectName('Name of a Network.'),
  aliases: Type.Array(Type.String(), {
    default: [],
    'x-kubernetes-list-type': 'set',
    description: 'Further names of the container in this network.',
  }),
})

/** Go reads "0" as a duration, the library does not. */
const atLeastAMillisecond = {
  maxLength: 64,
  ...rules({
    rule: "!self.matches('^[+]?0$') && duration(self) >= duration('1ms')",
    message: 'must be at least 1ms',
  }),
}

const healthcheckRules = rules(
  {
    rule: 'self.disabled || has(self.command) || has(self.shell)',
    message: 'needs one of command, shell, disabled',
    reason: 'FieldValueRequired',
  },
  {
    rule: '!(has(self.command) && has(self.shell))',
    message: 'has command and shell; exactly one of command, shell, disabled is allowed',
  },
  {
    rule: '!(self.disabled && (has(self.command) || has(self.shell)))',
    message: 'excludes command and shell',
    messageExpression:
      "'excludes ' + [has(self.command) ? 'command' : '', has(self.shell) ? 'shell' : ''].filter(name, name != '').join(' and ')",
    fieldPath: '.disabled',
  },
  {
    rule: "self.onUnhealthy != 'Recreate'",
    message: 'Recreate is not implemented in this version of Cove; use Restart or None',
    reason: 'FieldValueForbidden',
    fieldPath: '.onUnhealthy',
  },
)

const healthcheck = Type.Object(
  {
    command: Type.Optional(
      atomicList(Type.String(), {
        minItems: 1,
        description: 'Program and arguments; needs no shell in the image.',
      }),
    ),
    shell: Type.Optional(text('Command line for /bin/sh of the image.', { minLength: 1 })),
    http: unimplemented(
      Type.Object(
        {
          path: text('Path of the request.', { default: '/' }),
          port: Type.Integer({ ...port, description: 'Port inside the container.' }),
          scheme: oneOf(['HTTP', 'HTTPS'], { default: 'HTTP', description: 'Scheme of the request.' }),
          headers: stringMap({ default: {}, description: 'Headers of the request.' }),
        },
        { description: 'A request made by the agent; needs no tool in the image.' },
      ),
    ),
    tcp: unimplemented(
      Type.Object(
        { port: Type.Integer({ ...port, description: 'Port inside the container.' }) },
        { description: 'A connection made by the agent; needs no tool in the image.' },
      ),
    ),
    disabled: Type.Boolean({ default: false, description: 'Switches the HEALTHCHECK of the image off.' }),
    interval: duration({
      ...atLeastAMillisecond,
      default: '30s',
      description: 'Time between two checks; the first runs one interval after the start.',
    }),
    timeout: duration({
      ...atLeastAMillisecond,
      default: '30s',
      description: 'A check that runs longer has failed.',
    }),
    retries: Type.Integer({
      minimum: 1,
      default: 3,
      description: 'So many failures in a row mean unhealthy.',
    }),
    startPeriod: duration({
      default: '0s',
      description: 'Failures in this time after the start do not count.',
    }),
    startInterval: unimplemented(duration({ description: 'Time between checks during startPeriod.' })),
    onUnhealthy: oneOf(['Restart', 'Recreate', 'None'], {
      default: 'Restart',
      description: 'What to do when it becomes unhealthy. Recreate is not implemented yet.',
    }),
    budget: unimplemented(
      Type.Object(
        {
          restarts: Type.Integer({ minimum: 1, description: 'Most restarts within the window.' }),
          window: duration({ description: 'Length of the window.' }),
        },
        { description: 'How often to heal before holding, visibly.' },
      ),
    ),
  },
  {
    description:
      "How to tell whether the container works; absent: the image's HEALTHCHECK. Exactly one of command, shell, http, tcp, disabled.",
    ...healthcheckRules,
  },
)

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
    cpu: Type.Optional(quantity({ description: 'Cores.' })),
    memory: Type.Optional(quantity({ description: 'Bytes.' })),
  },
  { description: 'What placement sets aside for the container.' },
)

const securityContext = Type.Object(
  {
    privileged: Type.Optional(Type.Boolean({ description: 'Everything the host may do.' })),
    readOnlyRootFilesystem: Type.Optional(Type.Boolean({ description: 'Only mounts can be written.' })),
    allowPrivilegeEscalation: Type.Optional(
      Type.Boolean({ description: 'Whether a process may gain more rights than its parent.' }),
    ),
    capabilities: Type.Optional(
      Type.Object(
        {
          add: Type.Optional(Type.Array(Type.String(), { description: 'Given beside the usual ones.' })),
          drop: Type.Optional(Type.Array(Type.String(), { description: 'Taken away.' })),
        },
        { description: 'Capabilities of the kernel, by name.' },
      ),
    ),
  },
  { description: 'What the container may do to the host.' },
)

const update = Type.Object(
  {
    order: Type.Optional(
      oneOf(['Auto', 'StartFirst', 'StopFirst'], {
        description: 'Whether the new one starts before the old one stops.',
      }),
    ),
    monitor: Type.Optional(duration({ description: 'How long the new one must stay up to count as good.' })),
    healthTimeout: Type.Optional(duration({ description: 'How long it may take to become healthy.' })),
    onFailure: Type.Optional(
      oneOf(['Rollback', 'Hold'], { description: 'What happens when the new one is not good.' }),
    ),
    keepPrevious: Type.Optional(
      duration({ description: 'How long the old one is kept, stopped, for going back.' }),
    ),
  },
  { description: 'How a changed container replaces the old one.' },
)

const dependency = Type.Object({
  container: objectName('Name of the Container this one needs.'),
  condition: oneOf(['Started', 'Healthy', 'Completed'], {
    default: 'Started',
    description: 'What must be true of it before this one starts.',
  }),
})

export const containerSpec = Type.Object(
  {
    image: text('The image: [registry[:port]/]repository[:tag][@digest].', {
      format: 'cove-image-reference',
      maxLength: 512,
    }),
    imageFrom: unimplemented(
      Type.Object(
        {
          build: Type.Optional(text('Name of a Build.')),
          image: Type.Optional(text('Name of an Image.')),
        },
        { description: 'Follow the result of a Build or an Image instead.' },
      ),
    ),
    imagePullPolicy: Type.Optional(
      oneOf(['Always', 'IfNotPresent', 'Never'], {
        description: 'When to pull. Absent: Always for the tag latest, else IfNotPresent.',
      }),
    ),
    imagePullSecrets: unimplemented(
      listMap(Type.Object({ name: text('Name of the Secret.') }), ['name'], {
        description: 'Secrets with registry credentials.',
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
    envFrom: unimplemented(
      atomicList(
        Type.Object({
          prefix: Type.Optional(text('Begins the name of each variable.')),
          secretRef: Type.Optional(allKeys('Secret')),
          configMapRef: Type.Optional(allKeys('ConfigMap')),
        }),
        { description: 'Every key of a Secret or ConfigMap as a variable.' },
      ),
    ),
    workingDir: Type.Optional(text("Working directory; absent: the image's.", { pattern: '^/' })),
    user: Type.Optional(
      text("User, or user:group, by name or number; absent: the image's.", { minLength: 1 }),
    ),
    hostname: unimplemented(text('Host name inside the container.')),
    stdin: Type.Optional(
      Type.Boolean({ description: 'Keep standard input open, for `cove attach -i`; absent: false.' }),
    ),
    tty: Type.Optional(Type.Boolean({ description: 'Give it a terminal; absent: false.' })),
    init: unimplemented(Type.Boolean({ description: 'Run an init process as PID 1.' })),
    stopSignal: unimplemented(text("Signal that asks it to end; absent: the image's, else SIGTERM.")),
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
    publishAll: unimplemented(Type.Boolean({ description: 'Publish every port that the image exposes.' })),
    mounts: listMap(mount, ['mountPath'], {
      default: [],
      maxItems: 256,
      description: 'Data from outside the image; one source each.',
    }),
    networks: listMap(networkAttachment, ['name'], {
      default: [],
      description: "Networks it joins. Changed in place. Absent: the engine's default bridge, without names.",
    }),
    networkMode: unimplemented(text('bridge, host, none or container:NAME.')),
    links: unimplemented(
      listMap(
        Type.Object({
          container: text('Name of the other Container.'),
          alias: Type.Optional(text("Its name inside this one; absent: the Container's.")),
        }),
        ['container'],
        { description: 'Legacy links.' },
      ),
    ),
    extraHosts: unimplemented(atomicList(Type.String(), { description: 'Further lines of /etc/hosts.' })),
    dns: unimplemented(atomicList(Type.String(), { description: 'Name servers.' })),
    healthcheck: Type.Optional(healthcheck),
    restartPolicy: oneOf(['Always', 'OnFailure', 'Never'], {
      default: 'Always',
      description: 'What to do when it ends by itself. Restarts back off from 10 seconds to 5 minutes.',
    }),
    resources: Type.Optional(
      Type.Object(
        { limits: Type.Optional(limits), requests: unimplemented(requests) },
        { description: 'Processor, memory and processes.' },
      ),
    ),
    securityContext: unimplemented(securityContext),
    devices: unimplemented(atomicList(Type.String(), { description: 'Devices of the host.' })),
    ulimits: unimplemented(stringMap({ description: 'Resource limits of processes.' })),
    sysctls: unimplemented(stringMap({ description: 'Kernel parameters.' })),
    shmSize: unimplemented(quantity({ description: 'Size of /dev/shm.' })),
    logging: unimplemented(
      Type.Object(
        {
          driver: Type.Optional(text('Logging driver of the engine.')),
          options: Type.Optional(stringMap({ description: 'Options of the driver.' })),
        },
        { description: 'Where output goes.' },
      ),
    ),
    dependsOn: listMap(dependency, ['container'], {
      default: [],
      maxItems: 128,
      description: 'Containers of the namespace that must be there before this one starts.',
    }),
    state: oneOf(['Running', 'Paused', 'Stopped'], {
      default: 'Running',
      description: 'What it should be doing.',
    }),
    ttlSecondsAfterFinished: unimplemented(
      Type.Integer({ minimum: 0, description: 'Delete it so long after it ended.' }),
    ),
    update: unimplemented(update),
    nodeName: Type.Optional(text('The node it runs on; set by placement when absent.')),
    nodeSelector: stringMap({ default: {}, description: 'Labels the node must have.' }),
    tolerations: unimplemented(atomicList(Type.Object({}), { description: 'Taints it accepts.' })),
  },
  { description: 'What should be.' },
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
]

export type ContainerSpec = Static<typeof containerSpec>
export type ContainerStatus = Static<typeof containerStatus>
export type ContainerMount = Static<typeof mount>
export type ContainerHealthcheck = Static<typeof healthcheck>
export type ContainerLimits = Static<typeof limits>
export type EnvVar = Static<typeof envVar>

export interface Container extends KubeObject<ContainerSpec, ContainerStatus> {
  kind: 'Container'
  spec: ContainerSpec
}
