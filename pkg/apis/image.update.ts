/** How an Image follows a tag that moves, or newer versions: never unless it says so. */
import * as Type from 'typebox'
import { duration, oneOf, rules, type Validation } from './schema.ts'

export const imageUpdate = Type.Object(
  {
    policy: oneOf(['Digest', 'SemVer'], {
      description:
        'Digest: what the tag of the reference means now. SemVer: the highest version of `range` among the tags of the repository.',
    }),
    schedule: Type.String({
      default: '*/15 * * * *',
      format: 'cove-schedule',
      maxLength: 128,
      description:
        'When the registry is asked: a cron expression in UTC. Each Image asks a little later, by its own offset of up to a minute.',
    }),
    range: Type.Optional(
      Type.String({
        format: 'cove-version-range',
        minLength: 1,
        maxLength: 128,
        description:
          'Of versions, as npm writes it: `~1.27`, `>=2.1 <3`. Prereleases only when it names one.',
      }),
    ),
    filter: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 128,
        pattern: '^[A-Za-z0-9_.*-]+$',
        description:
          'Which tags count, `*` standing for anything: `*-alpine`. What stands around the version is left out of it. Absent: tags that are a version.',
      }),
    ),
    minimumAge: Type.Optional(
      duration({
        maxLength: 64,
        description:
          'How long a new image must have been seen in the registry before it is taken. Absent: 0s.',
      }),
    ),
    window: Type.Optional(
      Type.Object(
        {
          schedule: Type.String({
            format: 'cove-schedule',
            maxLength: 128,
            description: 'When the window opens: a cron expression.',
          }),
          duration: duration({ maxLength: 64, description: 'How long it stays open.' }),
          timeZone: Type.Optional(
            Type.String({ format: 'cove-time-zone', maxLength: 64, description: 'Absent: UTC.' }),
          ),
        },
        { description: 'When a new image may be taken. Absent: at any time.' },
      ),
    ),
    approval: oneOf(['Automatic', 'Manual'], {
      default: 'Automatic',
      description:
        'Manual: a new image is taken when `cove image approve` has named its digest, which is the annotation cove.run/approved.',
    }),
  },
  {
    description: 'Following what the registry has. Absent: the image stays the one that was first found.',
    ...rules({
      rule: "self.policy == 'SemVer' ? has(self.range) : !has(self.range) && !has(self.filter)",
      message: 'range is needed with policy SemVer; range and filter go with no other',
      fieldPath: '.policy',
    }),
  },
)

export const imageUpdateRules: readonly Validation[] = [
  {
    rule: "!has(self.update) || (!self.reference.contains('@') && !self.allTags && (!has(self.source) || has(self.source.registry)))",
    message: 'follows a tag of a registry: not with a digest, allTags or another source',
    fieldPath: '.update',
  },
]
