/** What a Container may do to its node: the schema, and the rules between its fields. */
import * as Type from 'typebox'
import { atomicList, oneOf, rules, type Validation } from './schema.ts'

const capability = Type.String({
  maxLength: 64,
  ...rules(
    {
      rule: "!self.startsWith('CAP_')",
      message: 'is written without CAP_, as in NET_ADMIN',
      messageExpression: `'is written without CAP_: ' + self.substring(4)`,
    },
    { rule: "self.matches('^[A-Z][A-Z0-9_]*$')", message: 'must be a capability such as NET_ADMIN, or ALL' },
  ),
})

const capabilities = Type.Object(
  {
    add: Type.Optional(
      atomicList(capability, {
        maxItems: 64,
        description: 'Given beside those that the engine gives every container.',
      }),
    ),
    drop: Type.Optional(
      atomicList(capability, {
        maxItems: 64,
        description: 'Taken away. ALL leaves nothing but what is added.',
      }),
    ),
  },
  { description: 'Capabilities of the kernel, by name and without CAP_: NET_ADMIN. ALL is every one.' },
)

const is = (field: string, value: string) => `has(self.${field}) && self.${field} == ${value}`

const contradictions: readonly Validation[] = [
  {
    rule: `!(${is('privileged', 'true')} && ${is('allowPrivilegeEscalation', 'false')})`,
    message: 'cannot be false while privileged is true',
    fieldPath: '.allowPrivilegeEscalation',
  },
  {
    rule: `!(${is('allowPrivilegeEscalation', 'false')} && has(self.capabilities) && has(self.capabilities.add) && 'SYS_ADMIN' in self.capabilities.add)`,
    message: 'cannot be false while capabilities.add has SYS_ADMIN',
    fieldPath: '.allowPrivilegeEscalation',
  },
  {
    rule: `!(${is('privileged', 'true')} && has(self.capabilities) && has(self.capabilities.drop) && self.capabilities.drop.size() > 0)`,
    message: 'has no effect while privileged is true: a privileged container has every capability',
    fieldPath: '.capabilities',
  },
  {
    rule: `!(${is('privileged', 'true')} && has(self.seccompProfile) && self.seccompProfile.type == 'RuntimeDefault')`,
    message: 'cannot be RuntimeDefault while privileged is true: a privileged container runs unconfined',
    fieldPath: '.seccompProfile',
  },
  ...['runAsUser', 'runAsGroup'].map(
    (field): Validation => ({
      rule: `!has(self.${field})`,
      message: 'is written as spec.user: "UID", or "UID:GID"',
      reason: 'FieldValueForbidden',
      fieldPath: `.${field}`,
    }),
  ),
]

const elsewhere = 'Refused: Cove says it in `spec.user`, as "UID" or "UID:GID".'

export const securityContext = Type.Object(
  {
    privileged: Type.Optional(
      Type.Boolean({
        description: "Everything that root of the node may do, and all of the node's devices; absent: false.",
      }),
    ),
    readOnlyRootFilesystem: Type.Optional(
      Type.Boolean({ description: 'Only mounts can be written; absent: false.' }),
    ),
    allowPrivilegeEscalation: Type.Optional(
      Type.Boolean({
        description:
          'Whether a process may gain more rights than its parent, as a setuid program does. false is no-new-privileges; absent: true.',
      }),
    ),
    runAsNonRoot: Type.Optional(
      Type.Boolean({
        description:
          'The agent refuses to make a container that would run as root, or as a user by name, which cannot be told from root. The user is `spec.user`, else the USER of the image.',
      }),
    ),
    runAsUser: Type.Optional(Type.Integer({ description: elsewhere })),
    runAsGroup: Type.Optional(Type.Integer({ description: elsewhere })),
    capabilities: Type.Optional(capabilities),
    seccompProfile: Type.Optional(
      Type.Object(
        {
          type: oneOf(['RuntimeDefault', 'Unconfined'], {
            description: "RuntimeDefault is the engine's own profile; Unconfined is none.",
          }),
        },
        { description: "Which system calls it may make; absent: the engine's own profile." },
      ),
    ),
  },
  {
    description: 'What it may do to its node. Every change makes a new container.',
    ...rules(...contradictions),
  },
)

/** Of the whole spec. */
export const securityRules: readonly Validation[] = [
  {
    rule: `!(has(self.securityContext) && has(self.securityContext.runAsNonRoot) && self.securityContext.runAsNonRoot && has(self.user)) || !self.user.matches('^([+-]?0+|root)?(:.*)?$')`,
    message: 'is root, which securityContext.runAsNonRoot forbids',
    fieldPath: '.user',
  },
]

/**
 * Whom a container with this `user` (of a spec or an image) runs as: `named` may be root under another name, which only
 * the image's own files could tell.
 */
export function kindOfUser(user: string): 'root' | 'numbered' | 'named' {
  const [name = ''] = user.split(':')
  if (name === '' || name === 'root' || /^[+-]?0+$/.test(name)) return 'root'
  return /^[0-9]+$/.test(name) ? 'numbered' : 'named'
}
