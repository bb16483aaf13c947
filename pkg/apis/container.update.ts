/** How a changed Container replaces the container that runs: the schema, what it excludes, and what absent means. */
import type { Static } from 'typebox'
import * as Type from 'typebox'
import { parseDuration } from '#pkg/apimachinery/quantity.ts'
import { duration, oneOf, rules, type Validation } from './schema.ts'

const moreThanNothing = rules({
  rule: "!self.matches('^[+]?0$') && duration(self) >= duration('1ms')",
  message: 'must be at least 1ms',
})

export const update = Type.Object(
  {
    order: Type.Optional(
      oneOf(['Auto', 'StartFirst', 'StopFirst'], {
        description:
          'Whether the new one starts before the old one stops. Absent: Auto, which is StopFirst where both cannot run beside each other (a host port, a device, the network of the node or of another container) or would write the same data (a volume or host path that is not readOnly), else StartFirst.',
      }),
    ),
    monitor: Type.Optional(
      duration({
        maxLength: 64,
        description:
          'How long the new one must be up, or healthy where it has a healthcheck, to count as good. Absent: 5s.',
      }),
    ),
    healthTimeout: Type.Optional(
      duration({
        maxLength: 64,
        ...moreThanNothing,
        description: 'How long the new one may take to become healthy. Absent: 5m.',
      }),
    ),
    onFailure: Type.Optional(
      oneOf(['Rollback', 'Hold'], {
        description:
          'What happens when the new one is not good. Rollback: the old one serves again, and the new one is not tried again until the object changes. Hold: the new one stays. Absent: Rollback.',
      }),
    ),
    keepPrevious: Type.Optional(
      duration({
        maxLength: 64,
        description:
          'How long the old one is kept, stopped, after the new one was found good: going back to it takes no longer than a start. Absent: 10m.',
      }),
    ),
    paused: Type.Optional(
      Type.Boolean({
        description: 'While true, what runs is kept as it is whatever else is asked for. Absent: false.',
      }),
    ),
  },
  { description: 'How a changed container replaces the old one.' },
)

const startsFirst = "has(self.update) && has(self.update.order) && self.update.order == 'StartFirst'"

/** Of the whole spec: two containers cannot have the same port, nor the same network, at once. */
export const updateRules: readonly Validation[] = [
  {
    rule: `!(${startsFirst}) || !self.ports.exists(port, has(port.hostPort))`,
    message:
      'StartFirst cannot be with a hostPort: two containers cannot hold it at once; use StopFirst or Auto',
    fieldPath: '.update.order',
  },
  {
    rule: `!(${startsFirst}) || !has(self.networkMode) || self.networkMode in ['bridge', 'none']`,
    message:
      'StartFirst cannot be with a shared network: both would listen on the same ports; use StopFirst or Auto',
    fieldPath: '.update.order',
  },
]

export interface UpdatePolicy {
  readonly order: 'Auto' | 'StartFirst' | 'StopFirst'
  /** ms, as the others. */
  readonly monitor: number
  readonly healthTimeout: number
  readonly onFailure: 'Rollback' | 'Hold'
  readonly keepPrevious: number
  readonly paused: boolean
}

const defaults: UpdatePolicy = {
  order: 'Auto',
  monitor: 5000,
  healthTimeout: 300_000,
  onFailure: 'Rollback',
  keepPrevious: 600_000,
  paused: false,
}

/** What a spec says of replacing, absent fields filled in. */
export function updatePolicy({
  update: given = {},
}: {
  readonly update?: Static<typeof update>
}): UpdatePolicy {
  const ms = (key: 'monitor' | 'healthTimeout' | 'keepPrevious') =>
    parseDuration(given[key] ?? '') ?? defaults[key]
  return {
    order: given.order ?? defaults.order,
    monitor: ms('monitor'),
    healthTimeout: ms('healthTimeout'),
    onFailure: given.onFailure ?? defaults.onFailure,
    keepPrevious: ms('keepPrevious'),
    paused: given.paused ?? defaults.paused,
  }
}
