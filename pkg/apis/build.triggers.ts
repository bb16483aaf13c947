/** What makes a new build, besides a change of the spec. */
import * as Type from 'typebox'
import { duration, rules } from './schema.ts'

export const buildTriggers = Type.Object(
  {
    context: Type.Boolean({
      default: true,
      description:
        'Build when the files have moved: another upload, commit or archive, a changed file of a hostPath.',
    }),
    base: Type.Boolean({
      default: true,
      description: 'Build when an image that it is made of has moved: of any FROM and COPY --from.',
    }),
    interval: duration({
      default: '1h',
      maxLength: 64,
      description:
        'How often git, the server of the archive and registries are asked whether something has moved; at least 5s.',
    }),
    schedule: Type.Optional(
      Type.String({
        format: 'cove-schedule',
        maxLength: 128,
        description: 'Build at these times, whether or not something has moved: a cron expression.',
      }),
    ),
    timeZone: Type.Optional(
      Type.String({ format: 'cove-time-zone', maxLength: 64, description: 'Of schedule. Absent: UTC.' }),
    ),
  },
  {
    default: {},
    description: 'What makes a new build, besides a change of the spec.',
    ...rules(
      {
        rule: "duration(self.interval) >= duration('5s')",
        message: 'must be at least 5s',
        fieldPath: '.interval',
      },
      {
        rule: '!has(self.timeZone) || has(self.schedule)',
        message: 'only goes with schedule',
        fieldPath: '.timeZone',
      },
    ),
  },
)
