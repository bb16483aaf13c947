/** Taints of Nodes and tolerations of Containers, as Kubernetes has them: the schemas, and which matches which. */
import type { Static } from 'typebox'
import * as Type from 'typebox'
import { text } from './container.fields.ts'
import { atomicList, oneOf, rules, time } from './schema.ts'

const qualified = '([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?'
const labelValue = '^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$'

const taint = Type.Object({
  key: text('Name of the taint, such as example.com/gpu.', { pattern: `^${qualified}$`, maxLength: 317 }),
  value: Type.Optional(text('Its value.', { pattern: labelValue, maxLength: 63 })),
  effect: oneOf(['NoSchedule', 'PreferNoSchedule', 'NoExecute'], {
    description:
      'NoSchedule: nothing new is placed here that does not tolerate it. PreferNoSchedule: only when no other node fits. NoExecute is refused.',
    ...rules({
      rule: "self != 'NoExecute'",
      message:
        'is not implemented: a Container is not made again by anybody when it is evicted; use NoSchedule, and move Containers yourself',
      reason: 'FieldValueForbidden',
    }),
  }),
  timeAdded: Type.Optional(time({ description: 'When it was added.' })),
})

export const taints = atomicList(taint, {
  maxItems: 64,
  description: 'What keeps Containers away that do not tolerate it. What is placed already stays.',
  ...rules({
    rule: 'self.all(one, self.filter(other, other.key == one.key && other.effect == one.effect).size() == 1)',
    message: 'taints must be unique by key and effect pair',
    reason: 'FieldValueDuplicate',
  }),
})

const toleration = Type.Object(
  {
    key: Type.Optional(
      text('Of the taint; absent, with Exists: every taint.', {
        pattern: `^(${qualified})?$`,
        maxLength: 317,
      }),
    ),
    operator: Type.Optional(
      oneOf(['Exists', 'Equal'], { description: 'Exists: whatever its value. Absent: Equal.' }),
    ),
    value: Type.Optional(text('Of the taint, with Equal.', { pattern: labelValue, maxLength: 63 })),
    effect: Type.Optional(
      oneOf(['NoSchedule', 'PreferNoSchedule', 'NoExecute'], { description: 'Absent: every effect.' }),
    ),
    tolerationSeconds: Type.Optional(
      Type.Integer({ description: 'For how long NoExecute is tolerated. No node has such a taint.' }),
    ),
  },
  rules(
    {
      rule: "(has(self.key) && self.key != '') || (has(self.operator) && self.operator == 'Exists')",
      message: "operator must be Exists when `key` is empty, which means 'match all values and all keys'",
      fieldPath: '.operator',
    },
    {
      rule: "!(has(self.operator) && self.operator == 'Exists') || !has(self.value) || self.value == ''",
      message: "value must be empty when `operator` is 'Exists'",
      fieldPath: '.operator',
    },
    {
      rule: "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
      message: "effect must be 'NoExecute' when `tolerationSeconds` is set",
      fieldPath: '.effect',
    },
  ),
)

export const tolerations = atomicList(toleration, {
  maxItems: 64,
  description: 'Taints of nodes that do not keep it away.',
})

export type Taint = Static<typeof taint>
export type Toleration = Static<typeof toleration>

export function tolerates(
  { key = '', operator = 'Equal', value = '', effect }: Toleration,
  taint: Pick<Taint, 'key' | 'value' | 'effect'>,
): boolean {
  if (effect !== undefined && effect !== taint.effect) return false
  if (key !== '' && key !== taint.key) return false
  return operator === 'Exists' || value === (taint.value ?? '')
}
