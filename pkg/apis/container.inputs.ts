/** What a Container gets from outside its image: variables, ports, mounts and networks. */
import * as Type from 'typebox'
import { objectName, port, text } from './container.fields.ts'
import { atomicList, exactlyOneOf, oneOf, quantity, rules } from './schema.ts'

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

export const envVar = Type.Object(
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

const wholeObject = (what: string) =>
  Type.Object(
    {
      name: objectName(`Name of the ${what}, in the namespace of the Container.`),
      optional: Type.Optional(
        Type.Boolean({ description: `Whether it may start without the ${what}; absent: false.` }),
      ),
    },
    { description: `Every key of a ${what}.` },
  )

/** As Kubernetes has it: of two sources the later one wins, and `env` wins over both. */
export const envFrom = Type.Optional(
  atomicList(
    Type.Object(
      {
        prefix: Type.Optional(
          text('Begins the name of each variable.', {
            pattern: '^([-._a-zA-Z][-._a-zA-Z0-9]*)?$',
            maxLength: 253,
          }),
        ),
        secretRef: Type.Optional(wholeObject('Secret')),
        configMapRef: Type.Optional(wholeObject('ConfigMap')),
      },
      rules(...exactlyOneOf('secretRef', 'configMapRef')),
    ),
    {
      maxItems: 128,
      description:
        'Every key of a Secret or ConfigMap as a variable; env wins over it, and a later source over an earlier one. Keys that are no name of a variable are left out, which an event tells. A change recreates the container.',
    },
  ),
)

export const containerPort = Type.Object({
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
export const hostPortsDiffer = (() => {
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

export const mount = Type.Object(
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
    subPath: Type.Optional(
      text('One key of the configMap or secret, which is then a file at mountPath instead of a directory.', {
        minLength: 1,
        maxLength: 253,
        pattern: '^[-._a-zA-Z0-9]+$',
      }),
    ),
    configMap: Type.Optional(
      objectName('Name of a ConfigMap: each key becomes a file. A change recreates the container.'),
    ),
    secret: Type.Optional(
      objectName('Name of a Secret: each key becomes a file. A change recreates the container.'),
    ),
    optional: Type.Optional(
      Type.Boolean({
        description:
          'Whether it may start without the ConfigMap or Secret, with an empty directory; absent: false.',
      }),
    ),
  },
  rules(
    ...exactlyOneOf('volume', 'hostPath', 'tmpfs', 'configMap', 'secret'),
    {
      rule: '!has(self.optional) || has(self.configMap) || has(self.secret)',
      message: 'is for a configMap or a secret',
      fieldPath: '.optional',
    },
    {
      rule: '!has(self.subPath) || has(self.configMap) || has(self.secret)',
      message: 'is for a configMap or a secret',
      fieldPath: '.subPath',
    },
    {
      rule: "!has(self.subPath) || !(self.subPath in ['.', '..'])",
      message: 'must be a key, not a directory',
      fieldPath: '.subPath',
    },
  ),
)

export const networkAttachment = Type.Object({
  name: objectName('Name of a Network.'),
  aliases: Type.Array(Type.String(), {
    default: [],
    'x-kubernetes-list-type': 'set',
    description: 'Further names of the container in this network.',
  }),
})
