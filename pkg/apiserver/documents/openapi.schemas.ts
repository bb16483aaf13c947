/**
 * The component schemas of OpenAPI from the kinds' structural schemas: metadata and quantities become components
 * of their own, kinds carry their group, version and kind, and descriptions say what `kubectl explain` would not
 * show otherwise (defaults, and fields that are refused).
 */
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import type { Schema } from '#pkg/apis/schema.ts'

export type Json = Readonly<Record<string, unknown>>
type Described = Pick<Kind, 'group' | 'version' | 'kind' | 'description' | 'schema'>

const metaPackage = 'io.k8s.apimachinery.pkg.apis.meta.v1'
export const components = {
  objectMeta: `${metaPackage}.ObjectMeta`,
  listMeta: `${metaPackage}.ListMeta`,
  deleteOptions: `${metaPackage}.DeleteOptions`,
  status: `${metaPackage}.Status`,
  patch: `${metaPackage}.Patch`,
  quantity: 'io.k8s.apimachinery.pkg.api.resource.Quantity',
  intOrString: 'io.k8s.apimachinery.pkg.util.intstr.IntOrString',
} as const

export function reference(component: string): Json {
  return { $ref: `#/components/schemas/${component}` }
}

/** Kubernetes' own names for its own kinds; the group reversed for others: `run.cove.v1.Container`. */
export function componentName(kind: Pick<Kind, 'group' | 'version' | 'kind'>): string {
  const prefix = kind.group === '' ? 'io.k8s.api.core' : kind.group.split('.').toReversed().join('.')
  return `${prefix}.${kind.version}.${kind.kind}`
}

/** Every component that documents of these kinds need: each document stands alone. */
export function componentSchemas(kinds: readonly Described[]): Json {
  const entries = kinds.flatMap((kind): [string, Json][] => [
    [componentName(kind), kindSchema(kind)],
    [`${componentName(kind)}List`, listSchema(kind)],
  ])
  const metadata = kinds[0]?.schema.properties?.['metadata'] ?? {}
  return { ...Object.fromEntries(entries), [components.objectMeta]: convert(metadata), ...commonSchemas() }
}

function kindSchema(kind: Described): Json {
  const { metadata, ...fields } = kind.schema.properties ?? {}
  const properties = { ...convertAll(fields), metadata: withReference(metadata, components.objectMeta) }
  return {
    ...convert({ ...kind.schema, properties: {} }),
    description: kind.description,
    properties,
    'x-kubernetes-group-version-kind': [groupVersionKind(kind)],
  }
}

function listSchema(kind: Described): Json {
  return {
    type: 'object',
    description: `${kind.kind}List is a list of ${kind.kind} objects.`,
    required: ['items'],
    properties: {
      apiVersion: { type: 'string', description: 'Group and version of the kind.' },
      kind: { type: 'string', description: 'The kind.' },
      metadata: {
        allOf: [reference(components.listMeta)],
        description: 'Revision of the list, and where its next page begins.',
        default: {},
      },
      items: { type: 'array', description: 'The objects.', items: reference(componentName(kind)) },
    },
    'x-kubernetes-group-version-kind': [
      { group: kind.group, version: kind.version, kind: `${kind.kind}List` },
    ],
  }
}

export function groupVersionKind({ group, version, kind }: Pick<Kind, 'group' | 'version' | 'kind'>): Json {
  return { group, kind, version }
}

function convertAll(properties: Readonly<Record<string, Schema>>): Record<string, Json> {
  return Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, convert(schema)]))
}

/** One structural schema as OpenAPI. Cove's own keywords turn into words of the description. */
function convert(schema: Schema): Json {
  if (schema.format === 'cove-quantity') return withReference(schema, components.quantity)
  if (schema['x-kubernetes-int-or-string'] === true) return withReference(schema, components.intOrString)
  const { properties, additionalProperties, items, format, description, ...rest } = schema
  const { 'x-cove-unimplemented': _refused, ...keywords } = rest
  const told = describe(schema)
  return {
    ...keywords,
    ...(told !== '' && { description: told }),
    ...(format !== undefined && { format: format === 'cove-duration' ? 'duration' : format }),
    ...(properties !== undefined && { properties: convertAll(properties) }),
    ...(additionalProperties !== undefined && { additionalProperties: convert(additionalProperties) }),
    ...(items !== undefined && { items: convert(items) }),
  }
}

/** References cannot stand beside other keywords, so they are wrapped, as Kubernetes does. */
function withReference(schema: Schema | undefined, component: string): Json {
  const told = describe(schema ?? {})
  const value = schema?.default
  const rules = schema?.['x-kubernetes-validations']
  return {
    allOf: [reference(component)],
    ...(rules !== undefined && { 'x-kubernetes-validations': rules }),
    ...(told !== '' && { description: told }),
    ...(value !== undefined && { default: value }),
  }
}

function describe(schema: Schema): string {
  const sentences = [
    schema.description ?? '',
    worthTelling(schema.default) ? `Default: ${JSON.stringify(schema.default)}.` : '',
    schema['x-cove-unimplemented'] === true ? 'Not supported by this version, which refuses it.' : '',
  ]
  return sentences.filter((sentence) => sentence !== '').join(' ')
}

function worthTelling(value: unknown): boolean {
  if (value === undefined || value === '' || value === false) return false
  return Array.isArray(value) ? value.length > 0 : !(isPlainObject(value) && Object.keys(value).length === 0)
}

function commonSchemas(): Json {
  const text = (description: string) => ({ type: 'string', description })
  const integer = (description: string) => ({ type: 'integer', format: 'int64', description })
  return {
    [components.quantity]: {
      description: 'Quantity is a number with an optional unit: 500m, 64Mi, 2G, 1.5.',
      oneOf: [{ type: 'string' }, { type: 'number' }],
    },
    [components.intOrString]: {
      description: 'IntOrString is a number, or a text.',
      oneOf: [{ type: 'integer' }, { type: 'string' }],
      format: 'int-or-string',
    },
    [components.patch]: {
      type: 'object',
      description: 'Patch is a change of an object, in the form that the Content-Type names.',
    },
    [components.listMeta]: {
      type: 'object',
      description: 'ListMeta tells the revision of a list, and where its next page begins.',
      properties: {
        resourceVersion: text('The revision of the list; a watch may begin there.'),
        continue: text('Send it back to get the next page; empty on the last one.'),
        remainingItemCount: integer('How many objects follow.'),
      },
    },
    [components.deleteOptions]: {
      type: 'object',
      description: 'DeleteOptions says how an object is deleted.',
      properties: {
        gracePeriodSeconds: integer('Time to end gracefully.'),
        propagationPolicy: {
          ...text('What happens to the objects that this one owns.'),
          enum: ['Background', 'Foreground', 'Orphan'],
        },
        preconditions: {
          type: 'object',
          description: 'Delete only while these hold.',
          properties: { uid: text('The UID of the object.'), resourceVersion: text('Its resourceVersion.') },
        },
        dryRun: { type: 'array', description: 'All: change nothing.', items: { type: 'string' } },
      },
    },
    [components.status]: {
      type: 'object',
      description: 'Status is the answer to a request that returns no object.',
      properties: {
        status: text('Success or Failure.'),
        message: text('A sentence for people.'),
        reason: text('One CamelCase word for programs.'),
        code: { type: 'integer', format: 'int32', description: 'The HTTP status.' },
        details: {
          type: 'object',
          description: 'What it is about.',
          'x-kubernetes-preserve-unknown-fields': true,
        },
      },
    },
  }
}
