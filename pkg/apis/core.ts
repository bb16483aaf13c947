/** The kinds of Kubernetes' core group that Cove serves as Kubernetes has them: Namespace, Secret, ConfigMap. */
import type { Static } from 'typebox'
import * as Type from 'typebox'
import type { Cause } from '#pkg/apimachinery/errors.ts'
import type { KubeObject, ObjectMeta } from '#pkg/apimachinery/meta.ts'
import { ageColumn } from './columns.ts'
import type { Kind } from './kind.ts'
import { conditions } from './meta.ts'
import { objectSchema } from './object.ts'
import { oneOf, rules, stringMap, type Validation } from './schema.ts'
import { fitsItsType } from './secret.rules.ts'
import { levelLabels, levels } from './security.levels.ts'

const core = { group: '', version: 'v1' } as const
const immutable = Type.Optional(Type.Boolean({ description: 'Once true, the data cannot be changed.' }))
const base64Map = (description: string) =>
  Type.Record(Type.String(), Type.String({ format: 'byte' }), { description })

/** `immutable: true` stays, and so does what it protects. */
function frozen(...fields: readonly string[]): Validation[] {
  const reason = 'FieldValueForbidden'
  const message = 'field is immutable when `immutable` is set'
  const free = '!has(oldSelf.immutable) || !oldSelf.immutable'
  const same = (name: string) =>
    `has(self.${name}) == has(oldSelf.${name}) && (!has(self.${name}) || self.${name} == oldSelf.${name})`
  return ['immutable', ...fields].map((name) => ({
    rule: `${free} || (${same(name)})`,
    message,
    reason,
    fieldPath: `.${name}`,
  }))
}

const namespaceSpec = Type.Object(
  {
    finalizers: Type.Array(Type.String(), {
      default: ['kubernetes'],
      description: 'Who must clean up before it goes.',
    }),
  },
  { description: 'What should be.', default: {} },
)
const namespaceStatus = Type.Object(
  {
    phase: oneOf(['Active', 'Terminating'], { default: 'Active', description: 'Whether it may be used.' }),
    conditions: Type.Optional(
      conditions([
        'NamespaceDeletionContentFailure',
        'NamespaceContentRemaining',
        'NamespaceFinalizersRemaining',
      ]),
    ),
  },
  { description: 'What is.', default: {} },
)

export interface Namespace extends KubeObject<Static<typeof namespaceSpec>, Static<typeof namespaceStatus>> {
  kind: 'Namespace'
}

export const namespaceKind: Kind<Namespace> = {
  ...core,
  kind: 'Namespace',
  plural: 'namespaces',
  singular: 'namespace',
  shortNames: ['ns'],
  categories: [],
  namespaced: false,
  nameRule: 'label',
  description: 'Namespace keeps names apart.',
  schema: objectSchema({ spec: namespaceSpec, status: namespaceStatus }),
  statusSubresource: true,
  selectableFields: ['status.phase'],
  columns: [
    {
      name: 'Status',
      type: 'string',
      description: 'Whether it may be used.',
      cell: ({ status }) => status?.phase ?? 'Active',
    },
    ageColumn,
  ],
  prepare: (namespace) => ({ ...namespace, metadata: withNameLabel(namespace.metadata) }),
  rules: [levelsAreKnown],
  warn: levelsOfKubernetes,
}

/** A level that nobody knows would protect nothing. A rule in CEL does not see labels. */
function levelsAreKnown({ metadata }: Namespace): Cause[] {
  return Object.values(levelLabels).flatMap((label) => {
    const value = metadata.labels?.[label]
    if (value === undefined || levels.some((level) => level === value)) return []
    const supported = levels.map((level) => JSON.stringify(level)).join(', ')
    const message = `Unsupported value: ${JSON.stringify(value)}: supported values: ${supported}`
    return [{ reason: 'FieldValueNotSupported', field: `metadata.labels[${label}]`, message }]
  })
}

/** The label that people of Kubernetes set would not do what they think. */
function levelsOfKubernetes({ metadata }: Namespace): string[] {
  const prefix = 'pod-security.kubernetes.io/'
  return Object.keys(metadata.labels ?? {})
    .filter((label) => label.startsWith(prefix))
    .map(
      (label) =>
        `metadata.labels[${label}]: has no effect in Cove, whose labels are ${Object.values(levelLabels).join(' and ')}`,
    )
}

/** Kubernetes labels every namespace with its name, so that selectors can tell namespaces apart. */
function withNameLabel(metadata: ObjectMeta): ObjectMeta {
  return { ...metadata, labels: { ...metadata.labels, 'kubernetes.io/metadata.name': metadata.name } }
}

export interface Secret extends KubeObject {
  kind: 'Secret'
  type: string
  /** Base64. */
  data?: Record<string, string>
  /** Write-only plain text; the server moves it into data. */
  stringData?: Record<string, string>
  immutable?: boolean
}

export const secretKind: Kind<Secret> = {
  ...core,
  kind: 'Secret',
  plural: 'secrets',
  singular: 'secret',
  shortNames: [],
  categories: [],
  namespaced: true,
  description: 'Secret holds data that must not be shown: passwords, tokens, keys.',
  schema: objectSchema(
    {
      type: Type.String({
        default: 'Opaque',
        description: 'What the data is for.',
        ...rules({ rule: 'self == oldSelf', message: 'field is immutable' }),
      }),
      data: Type.Optional(base64Map('The data, in base64.')),
      stringData: Type.Optional(
        stringMap({ description: 'Plain text, moved into data when written; never read back.' }),
      ),
      immutable,
    },
    [],
    frozen('data'),
  ),
  statusSubresource: false,
  selectableFields: ['type'],
  columns: [
    { name: 'Type', type: 'string', description: 'What the data is for.', cell: ({ type }) => type },
    {
      name: 'Data',
      type: 'integer',
      description: 'Number of keys.',
      cell: ({ data }) => Object.keys(data ?? {}).length,
    },
    ageColumn,
  ],
  prepare: mergeStringData,
  rules: [keysAreFileNames, fitsItsType],
}

export interface ConfigMap extends KubeObject {
  kind: 'ConfigMap'
  data?: Record<string, string>
  /** Base64. */
  binaryData?: Record<string, string>
  immutable?: boolean
}

export const configMapKind: Kind<ConfigMap> = {
  ...core,
  kind: 'ConfigMap',
  plural: 'configmaps',
  singular: 'configmap',
  shortNames: ['cm'],
  categories: [],
  namespaced: true,
  description: 'ConfigMap holds configuration as keys and values.',
  schema: objectSchema(
    {
      data: Type.Optional(stringMap({ description: 'Text.' })),
      binaryData: Type.Optional(base64Map('Bytes, in base64.')),
      immutable,
    },
    [],
    frozen('data', 'binaryData'),
  ),
  statusSubresource: false,
  selectableFields: [],
  columns: [
    {
      name: 'Data',
      type: 'integer',
      description: 'Number of keys.',
      cell: ({ data, binaryData }) => Object.keys({ ...data, ...binaryData }).length,
    },
    ageColumn,
  ],
  rules: [keysAreFileNames],
}

function mergeStringData({ stringData, ...secret }: Secret): Secret {
  if (stringData === undefined) return secret
  const encoded = Object.entries(stringData).map(([key, text]) => [key, Buffer.from(text).toString('base64')])
  return { ...secret, data: { ...secret.data, ...Object.fromEntries(encoded) } }
}

/** Keys become files and variables, so they may not climb out of a directory. A rule in CEL could not name the key. */
function keysAreFileNames(object: { data?: object; binaryData?: object }): Cause[] {
  const fields = [['data', object.data] as const, ['binaryData', object.binaryData] as const]
  return fields.flatMap(([field, data]) =>
    Object.keys(data ?? {})
      .filter((key) => !/^[-._a-zA-Z0-9]{1,253}$/.test(key) || key === '.' || key.startsWith('..'))
      .map((key) => ({
        reason: 'FieldValueInvalid' as const,
        field: `${field}[${key}]`,
        message: 'a key consists of letters, digits, "-", "_" and ".", and does not begin with ".."',
      })),
  )
}
