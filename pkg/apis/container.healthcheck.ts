/** How a Container is told to work, or not. */
import * as Type from 'typebox'
import { port, text } from './container.fields.ts'
import { atomicList, duration, oneOf, rules, stringMap } from './schema.ts'

/** Go reads "0" as a duration, the library does not. */
const atLeastAMillisecond = {
  maxLength: 64,
  ...rules({
    rule: "!self.matches('^[+]?0$') && duration(self) >= duration('1ms')",
    message: 'must be at least 1ms',
  }),
}

/** Whoever may write a Container is not to have the agent, which is there for all of them, do nothing but check. */
export const shortestPause = 100
const often = ['interval', 'startInterval'] as const

/** Of checking; `disabled` is the fifth choice. */
const ways = ['command', 'shell', 'http', 'tcp'] as const
const givenWays = `[${ways.map((way) => `has(self.${way}) ? '${way}' : ''`).join(', ')}].filter(name, name != '')`

const healthcheckRules = rules(
  {
    rule: `self.disabled || ${ways.map((way) => `has(self.${way})`).join(' || ')}`,
    message: `needs one of ${ways.join(', ')}, disabled`,
    reason: 'FieldValueRequired',
  },
  {
    rule: `${givenWays}.size() <= 1`,
    message: `exactly one of ${ways.join(', ')}, disabled is allowed`,
    messageExpression: `'has ' + ${givenWays}.join(' and ') + '; exactly one of ${ways.join(', ')}, disabled is allowed'`,
  },
  {
    rule: `!self.disabled || ${givenWays}.size() == 0`,
    message: `excludes ${ways.join(', ')}`,
    messageExpression: `'excludes ' + ${givenWays}.join(' and ')`,
    fieldPath: '.disabled',
  },
  ...often.map((field) => ({
    rule: `!(has(self.http) || has(self.tcp)) || !has(self.${field}) || duration(self.${field}) >= duration('${shortestPause}ms')`,
    message: `must be at least ${shortestPause}ms with http or tcp, which the agent checks`,
    fieldPath: `.${field}`,
  })),
)

export const healthcheck = Type.Object(
  {
    command: Type.Optional(
      atomicList(Type.String(), {
        minItems: 1,
        description: 'Program and arguments; needs no shell in the image.',
      }),
    ),
    shell: Type.Optional(text('Command line for /bin/sh of the image.', { minLength: 1 })),
    http: Type.Optional(
      Type.Object(
        {
          path: text('Path of the request, with its query.', {
            default: '/',
            maxLength: 2048,
            pattern: '^/\\S*$',
          }),
          port: Type.Integer({ ...port, description: 'Port inside the container.' }),
          scheme: oneOf(['HTTP', 'HTTPS'], { default: 'HTTP', description: 'Scheme of the request.' }),
          headers: stringMap({
            default: {},
            maxProperties: 32,
            description: 'Headers of the request, such as Host.',
          }),
        },
        {
          description:
            'A request made by the agent of the node; needs no tool in the image. An answer from 200 to 399 is good; redirects are followed on the same host, certificates are not verified.',
        },
      ),
    ),
    tcp: Type.Optional(
      Type.Object(
        { port: Type.Integer({ ...port, description: 'Port inside the container.' }) },
        { description: 'A connection made by the agent of the node; needs no tool in the image.' },
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
    startInterval: Type.Optional(
      duration({
        ...atLeastAMillisecond,
        description:
          "Time between checks during startPeriod; absent: the engine's choice. Needs an engine with API 1.44 (Docker 25).",
      }),
    ),
    onUnhealthy: oneOf(['Restart', 'Recreate', 'None'], {
      default: 'Restart',
      description:
        'What to do when it becomes unhealthy: restart it, and make a new one when two restarts did not help; make a new one each time; or only show it.',
    }),
    budget: Type.Object(
      {
        restarts: Type.Integer({
          minimum: 1,
          maximum: 10,
          default: 5,
          description: 'Most attempts within the window, new containers included.',
        }),
        window: duration({ ...atLeastAMillisecond, default: '5m', description: 'Length of the window.' }),
      },
      {
        default: {},
        description:
          'How often to heal it before holding: tried once an hour from then on, until it is well.',
      },
    ),
  },
  {
    description:
      "How to tell whether the container works; absent: the image's HEALTHCHECK. Exactly one of command, shell, http, tcp, disabled.",
    ...healthcheckRules,
  },
)
