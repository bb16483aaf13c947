/** How the engine runs a Container: names and hosts, devices and kernel settings, where its output goes. */
import * as Type from 'typebox'
import { text } from './container.fields.ts'
import { atomicList, quantity, rules, stringMap, type Validation } from './schema.ts'

/** A number may be written as one: `nofile: 1024`. */
const numberOrText = (rule: Validation) =>
  Type.Unsafe<string | number>({ 'x-kubernetes-int-or-string': true, ...rules(rule) })

export const hostname = text(
  "Host name inside the container; absent: the engine's choice, the beginning of the container's id.",
  {
    maxLength: 63,
    ...rules({
      rule: "self.matches('^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$')",
      message: 'must be letters, digits, dots and hyphens, with a letter or digit at both ends',
    }),
  },
)

export const stopSignal = text(
  "Signal that asks it to end: SIGTERM, TERM or 15; absent: the image's, else SIGTERM.",
  {
    maxLength: 32,
    ...rules({
      rule: "self.matches('^((SIG)?[A-Z][A-Z0-9+-]*|[1-9][0-9]?)$')",
      message: 'must be the name of a signal such as SIGQUIT, or its number',
    }),
  },
)

const address = "self.substring(self.indexOf(':') + 1)"

export const extraHosts = atomicList(
  Type.String({
    maxLength: 320,
    ...rules({
      rule: `self.matches('^[!-9;-~]+:.') && (${address} == 'host-gateway' || isIP(${address}))`,
      message: 'must be NAME:ADDRESS, or NAME:host-gateway for the node itself',
    }),
  }),
  {
    maxItems: 128,
    description: 'Further lines of /etc/hosts, as NAME:ADDRESS; NAME:host-gateway is the node.',
  },
)

const nameServer = Type.String({
  maxLength: 45,
  ...rules({
    rule: 'isIP(self)',
    message: 'must be an address',
    messageExpression: `'"' + self + '" is not an address'`,
  }),
})
const word = (maxLength: number) =>
  Type.String({
    minLength: 1,
    maxLength,
    ...rules({ rule: "self.matches('^[!-~]+$')", message: 'must be one word' }),
  })

export const dns = Type.Object(
  {
    servers: Type.Optional(
      atomicList(nameServer, { maxItems: 16, description: "Name servers, by address; absent: the node's." }),
    ),
    searches: Type.Optional(
      atomicList(word(253), { maxItems: 32, description: 'Domains in which short names are looked up.' }),
    ),
    options: Type.Optional(
      atomicList(word(253), { maxItems: 32, description: 'Options of the resolver: ndots:2, rotate.' }),
    ),
  },
  { description: "How names are looked up, as Kubernetes' dnsConfig; absent: as on the node." },
)

export const devices = atomicList(
  Type.String({
    maxLength: 512,
    ...rules({
      rule: "self.matches('^/[^:]+(:/[^:]+(:r?w?m?)?)?$') && !self.endsWith(':')",
      message: 'must be /dev/x, /dev/x:/dev/y or /dev/x:/dev/y:rwm',
    }),
  }),
  {
    maxItems: 64,
    description:
      'Devices of the node: PATH, PATH:PATH-INSIDE or PATH:PATH-INSIDE:RIGHTS, with the rights r, w and m in this order; absent rights: rwm.',
  },
)

const ulimitNames = [
  ...['as', 'core', 'cpu', 'data', 'fsize', 'locks', 'memlock', 'msgqueue', 'nice', 'nofile', 'nproc', 'rss'],
  ...['rtprio', 'rttime', 'sigpending', 'stack'],
]

export const ulimits = Type.Record(
  Type.String(),
  numberOrText({
    rule: "string(self).matches('^(-1|[0-9]{1,18})(:(-1|[0-9]{1,18}))?$')",
    message: 'must be SOFT or SOFT:HARD, numbers, with -1 for no limit',
  }),
  {
    maxProperties: 16,
    description:
      'Limits of its processes, by name: nofile is 1024, or 1024:4096 for soft and hard; -1 is no limit.',
    ...rules(
      {
        rule: `self.all(name, name in [${ulimitNames.map((name) => `'${name}'`).join(', ')}])`,
        message: `knows ${ulimitNames.join(', ')}`,
      },
      {
        rule: "self.all(name, !string(self[name]).matches('^-1:[0-9]'))",
        message: 'a soft limit cannot be above the hard one',
      },
      {
        rule: "self.all(name, !string(self[name]).matches('^[0-9]{1,18}:[0-9]{1,18}$') || int(string(self[name]).split(':')[0]) <= int(string(self[name]).split(':')[1]))",
        message: 'a soft limit cannot be above the hard one',
      },
    ),
  },
)

export const sysctls = stringMap({
  maxProperties: 128,
  description:
    'Parameters of the kernel that are kept apart for each container, by name: net.core.somaxconn is "1024".',
  ...rules({
    rule: "self.all(name, name.matches('^[a-z0-9_-]+([./][a-zA-Z0-9_-]+)+$'))",
    message: 'has a name that is not one of a kernel parameter, such as net.core.somaxconn',
  }),
})

export const shmSize = quantity({
  description: 'Bytes of /dev/shm: 128Mi; absent: 64Mi on most engines.',
  ...rules({ rule: 'quantity(string(self)).sign() > 0', message: 'must be more than zero' }),
})

export const logging = Type.Object(
  {
    driver: Type.Optional(
      text('Logging driver of the engine; absent: json-file.', {
        maxLength: 128,
        ...rules({
          rule: "self.matches('^[a-zA-Z0-9][a-zA-Z0-9_./:-]*$')",
          message: 'must be the name of a driver',
        }),
      }),
    ),
    options: Type.Optional(
      stringMap({
        maxProperties: 64,
        description: 'Options of the driver, as it has them: max-size is "10m".',
      }),
    ),
  },
  {
    description:
      "Where output goes; absent: json-file with max-size 10m and max-file 3, whatever the engine's own default is. A driver that keeps nothing on the node leaves nothing for `cove logs`.",
  },
)

const shares = "has(self.networkMode) && self.networkMode.startsWith('container:')"
const ofTheOwner = 'belongs to the container whose network it shares; set it there'

/** Of the whole spec. */
export const runtimeRules: readonly Validation[] = [
  ...(['hostname', 'dns', 'extraHosts'] as const).map(
    (field): Validation => ({
      rule: `!(${shares} && has(self.${field}))`,
      message: ofTheOwner,
      fieldPath: `.${field}`,
    }),
  ),
  {
    rule: "!(has(self.publishAll) && self.publishAll && has(self.networkMode) && self.networkMode != 'bridge')",
    message: 'has no effect with this networkMode: nothing is published there',
    fieldPath: '.publishAll',
  },
  {
    rule: "!(has(self.networkMode) && self.networkMode == 'host' && has(self.sysctls) && self.sysctls.exists(name, name.matches('^net[./]')))",
    message: "cannot set net.* with networkMode host: they would be the node's own",
    fieldPath: '.sysctls',
  },
]
