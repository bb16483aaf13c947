/** The messages of Kubernetes' protobuf that clients send here, as tables of field numbers. Only what is listed is read. */

export type Field =
  | { readonly name: string; readonly type: 'string' | 'bytes' | 'integer' | 'boolean' | 'time' }
  | { readonly name: string; readonly type: 'message'; readonly fields: Message }
  | { readonly name: string; readonly type: 'map'; readonly values: 'string' | 'bytes' }
  | { readonly name: string; readonly type: 'list'; readonly fields?: Message }
/** By field number. */
export type Message = ReadonlyMap<number, Field>

export const scalar = (
  name: string,
  type: 'string' | 'bytes' | 'integer' | 'boolean' | 'time' = 'string',
): Field => ({
  name,
  type,
})
const map = (name: string, values: 'string' | 'bytes' = 'string'): Field => ({ name, type: 'map', values })
const message = (name: string, fields: Message): Field => ({ name, type: 'message', fields })
const strings = (name: string): Field => ({ name, type: 'list' })
const messages = (name: string, fields: Message): Field => ({ name, type: 'list', fields })

const ownerReference: Message = new Map([
  [1, scalar('kind')],
  [3, scalar('name')],
  [4, scalar('uid')],
  [5, scalar('apiVersion')],
  [6, scalar('controller', 'boolean')],
  [7, scalar('blockOwnerDeletion', 'boolean')],
])

const metadata = message(
  'metadata',
  new Map([
    [1, scalar('name')],
    [2, scalar('generateName')],
    [3, scalar('namespace')],
    [5, scalar('uid')],
    [6, scalar('resourceVersion')],
    [7, scalar('generation', 'integer')],
    [8, scalar('creationTimestamp', 'time')],
    [9, scalar('deletionTimestamp', 'time')],
    [10, scalar('deletionGracePeriodSeconds', 'integer')],
    [11, map('labels')],
    [12, map('annotations')],
    [13, messages('ownerReferences', ownerReference)],
    [14, strings('finalizers')],
  ]),
)

const preconditions: Message = new Map([
  [1, scalar('uid')],
  [2, scalar('resourceVersion')],
])

const accessReviewFields: readonly [number, Field][] = [
  [
    1,
    message(
      'resourceAttributes',
      new Map([
        [1, scalar('namespace')],
        [2, scalar('verb')],
        [3, scalar('group')],
        [4, scalar('version')],
        [5, scalar('resource')],
        [6, scalar('subresource')],
        [7, scalar('name')],
      ]),
    ),
  ],
  [
    2,
    message(
      'nonResourceAttributes',
      new Map([
        [1, scalar('path')],
        [2, scalar('verb')],
      ]),
    ),
  ],
]

const accessReview: Message = new Map([
  [1, metadata],
  [
    2,
    message(
      'spec',
      new Map([...accessReviewFields, [3, scalar('user')], [4, strings('groups')], [6, scalar('uid')]]),
    ),
  ],
])

const policyRule: Message = new Map([
  [1, strings('verbs')],
  [2, strings('apiGroups')],
  [3, strings('resources')],
  [4, strings('resourceNames')],
  [5, strings('nonResourceURLs')],
])

const labelSelector: Message = new Map([
  [1, map('matchLabels')],
  [
    2,
    messages(
      'matchExpressions',
      new Map([
        [1, scalar('key')],
        [2, scalar('operator')],
        [3, strings('values')],
      ]),
    ),
  ],
])

const role: Message = new Map([
  [1, metadata],
  [2, messages('rules', policyRule)],
  [3, message('aggregationRule', new Map([[1, messages('clusterRoleSelectors', labelSelector)]]))],
])

const roleBinding: Message = new Map([
  [1, metadata],
  [
    2,
    messages(
      'subjects',
      new Map([
        [1, scalar('kind')],
        [2, scalar('apiGroup')],
        [3, scalar('name')],
        [4, scalar('namespace')],
      ]),
    ),
  ],
  [
    3,
    message(
      'roleRef',
      new Map([
        [1, scalar('apiGroup')],
        [2, scalar('kind')],
        [3, scalar('name')],
      ]),
    ),
  ],
])

const objectReference: Message = new Map([
  [1, scalar('kind')],
  [2, scalar('namespace')],
  [3, scalar('name')],
  [4, scalar('uid')],
  [5, scalar('apiVersion')],
])

const boundObject: Message = new Map([
  [1, scalar('kind')],
  [2, scalar('apiVersion')],
  [3, scalar('name')],
  [4, scalar('uid')],
])

const tokenRequestSpec: Message = new Map([
  [1, strings('audiences')],
  [3, message('boundObjectRef', boundObject)],
  [4, scalar('expirationSeconds', 'integer')],
])

/** By `apiVersion/kind`; DeleteOptions come under the version of what is deleted. */
export const protobufMessages: ReadonlyMap<string, Message> = new Map<string, Message>([
  [
    'v1/Namespace',
    new Map([
      [1, metadata],
      [2, message('spec', new Map([[1, strings('finalizers')]]))],
      [3, message('status', new Map([[1, scalar('phase')]]))],
    ]),
  ],
  [
    'v1/Secret',
    new Map([
      [1, metadata],
      [2, map('data', 'bytes')],
      [3, scalar('type')],
      [4, map('stringData')],
      [5, scalar('immutable', 'boolean')],
    ]),
  ],
  [
    'v1/ConfigMap',
    new Map([
      [1, metadata],
      [2, map('data')],
      [3, map('binaryData', 'bytes')],
      [4, scalar('immutable', 'boolean')],
    ]),
  ],
  [
    'authorization.k8s.io/v1/SelfSubjectAccessReview',
    new Map([
      [1, metadata],
      [2, message('spec', new Map(accessReviewFields))],
    ]),
  ],
  ['authorization.k8s.io/v1/SubjectAccessReview', accessReview],
  ['authorization.k8s.io/v1/LocalSubjectAccessReview', accessReview],
  ['rbac.authorization.k8s.io/v1/Role', role],
  ['rbac.authorization.k8s.io/v1/ClusterRole', role],
  ['rbac.authorization.k8s.io/v1/RoleBinding', roleBinding],
  ['rbac.authorization.k8s.io/v1/ClusterRoleBinding', roleBinding],
  [
    'authorization.k8s.io/v1/SelfSubjectRulesReview',
    new Map([
      [1, metadata],
      [2, message('spec', new Map([[1, scalar('namespace')]]))],
    ]),
  ],
  ['authentication.k8s.io/v1/SelfSubjectReview', new Map([[1, metadata]])],
  [
    'v1/ServiceAccount',
    new Map([
      [1, metadata],
      [2, messages('secrets', objectReference)],
      [3, messages('imagePullSecrets', new Map([[1, scalar('name')]]))],
      [4, scalar('automountServiceAccountToken', 'boolean')],
    ]),
  ],
  [
    'authentication.k8s.io/v1/TokenRequest',
    new Map([
      [1, metadata],
      [2, message('spec', tokenRequestSpec)],
    ]),
  ],
  [
    'authentication.k8s.io/v1/TokenReview',
    new Map([
      [1, metadata],
      [
        2,
        message(
          'spec',
          new Map([
            [1, scalar('token')],
            [2, strings('audiences')],
          ]),
        ),
      ],
    ]),
  ],
  [
    'DeleteOptions',
    new Map([
      [1, scalar('gracePeriodSeconds', 'integer')],
      [2, message('preconditions', preconditions)],
      [3, scalar('orphanDependents', 'boolean')],
      [4, scalar('propagationPolicy')],
      [5, strings('dryRun')],
    ]),
  ],
])
