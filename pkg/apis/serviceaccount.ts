/** ServiceAccount: an identity for programs, as Kubernetes has it; and the names that its tokens go by. */
import * as Type from 'typebox'
import type { Cause } from '#pkg/apimachinery/errors.ts'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { ageColumn } from './columns.ts'
import type { Secret } from './core.ts'
import type { Kind } from './kind.ts'
import { objectSchema } from './object.ts'
import { atomicList, unimplemented } from './schema.ts'
import { accountNameAnnotation, serviceAccountTokenType } from './secret.types.ts'

export interface ServiceAccount extends KubeObject {
  kind: 'ServiceAccount'
  automountServiceAccountToken?: boolean
}

const name = Type.Object({ name: Type.Optional(Type.String({ description: 'Name of the Secret.' })) })

export const serviceAccountKind: Kind<ServiceAccount> = {
  group: '',
  version: 'v1',
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  singular: 'serviceaccount',
  shortNames: ['sa'],
  categories: [],
  namespaced: true,
  description: 'ServiceAccount is an identity for programs: they show a token of it.',
  schema: objectSchema({
    automountServiceAccountToken: Type.Optional(
      Type.Boolean({ description: 'Whether Containers are given a token; only false is supported.' }),
    ),
    secrets: unimplemented(atomicList(name, { description: 'Secrets that its Pods may use.' })),
    imagePullSecrets: unimplemented(atomicList(name, { description: 'Secrets for pulling images.' })),
  }),
  statusSubresource: false,
  selectableFields: [],
  subresources: [
    {
      name: 'token',
      verbs: ['create'],
      kind: { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' },
    },
  ],
  columns: [ageColumn],
  rules: [nothingMounted],
}

/** Containers get no token by themselves: a promise of one would not be kept. */
function nothingMounted({ automountServiceAccountToken }: ServiceAccount): Cause[] {
  if (automountServiceAccountToken !== true) return []
  const message = 'only false is supported by this version of Cove; give a Container a token by a Secret'
  return [{ reason: 'FieldValueNotSupported', field: 'automountServiceAccountToken', message }]
}

/** The user that a ServiceAccount is. */
export function serviceAccountUser(namespace: string, name: string): string {
  return `system:serviceaccount:${namespace}:${name}`
}

/** The name of the account whose token the Secret is for; undefined when it is for none. */
export function accountOfSecret(secret: Pick<Secret, 'type' | 'metadata'>): string | undefined {
  return secret.type === serviceAccountTokenType
    ? secret.metadata.annotations?.[accountNameAnnotation]
    : undefined
}
