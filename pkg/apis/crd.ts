/**
 * A kind as a CustomResourceDefinition, for an API server of Kubernetes: the same schema in words that Kubernetes
 * knows. Cove's formats become patterns, and what this version does not implement is left out, so that it is refused
 * there as well. Two things cannot be said: a CRD takes no bare fraction for a quantity (`cpu: 0.5` must be quoted), and
 * it does not see what only reading a value shows, such as a duration
 * of more than 292 years. Pure.
 */
import { durationPattern, quantityPattern } from '#pkg/apimachinery/quantity.ts'
import { idPattern, referencePattern } from '#pkg/apimachinery/reference.ts'
import type { Column, Kind } from './kind.ts'
import { rules, type Schema } from './schema.ts'

type Json = Readonly<Record<string, unknown>>

const longestName = { subdomain: 253, label: 63, 'path segment': 253 } as const

/** What takes the place of each of Cove's formats. */
const formats: Readonly<Record<string, Partial<Schema>>> = {
  'cove-duration': { pattern: durationPattern.source },
  'cove-quantity': { pattern: quantityPattern.source, minimum: 0 },
  'cove-schedule': { pattern: '^\\S+( +\\S+){4}$' },
  'cove-time-zone': { pattern: '^[A-Za-z0-9_+/-]+$' },
  'cove-version-range': { pattern: '^[0-9A-Za-z.*^~<>=| +-]+$' },
  'cove-image-reference': {
    pattern: referencePattern,
    ...rules({ rule: `!self.matches('${idPattern.source}')`, message: 'is the id of an image, not a name' }),
  },
}

export function crdName(kind: Kind): string {
  return `${kind.plural}.${kind.group}`
}

export function customResourceDefinition(kind: Kind): Json {
  const { plural, singular, shortNames, categories, version } = kind
  const columns = kind.columns.flatMap((column) => printerColumn(kind.schema, column))
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: crdName(kind) },
    spec: {
      group: kind.group,
      scope: kind.namespaced ? 'Namespaced' : 'Cluster',
      names: {
        kind: kind.kind,
        listKind: `${kind.kind}List`,
        plural,
        singular,
        ...(shortNames.length > 0 && { shortNames }),
        ...(categories.length > 0 && { categories }),
      },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          ...(kind.statusSubresource && { subresources: { status: {} } }),
          ...(columns.length > 0 && { additionalPrinterColumns: columns }),
          ...(kind.selectableFields.length > 0 && {
            selectableFields: kind.selectableFields.map((path) => ({ jsonPath: `.${path}` })),
          }),
          schema: { openAPIV3Schema: crdSchema(kind) },
        },
      ],
    },
  }
}

/** The schema of the whole object; of its metadata only what a CRD may say. */
export function crdSchema(kind: Kind): Schema {
  const { metadata: _, ...fields } = kind.schema.properties ?? {}
  const { properties, ...whole } = crdForm({ ...kind.schema, properties: fields })
  const name: Schema = { type: 'string', maxLength: longestName[kind.nameRule ?? 'subdomain'] }
  return {
    ...whole,
    description: kind.description,
    properties: { ...properties, metadata: { type: 'object', properties: { name } } },
  }
}

/** One schema in words that Kubernetes knows. */
export function crdForm(schema: Schema): Schema {
  const {
    'x-kubernetes-patch-merge-key': _mergeKey,
    'x-kubernetes-patch-strategy': _strategy,
    'x-cove-unimplemented': _unimplemented,
    'x-kubernetes-validations': own = [],
    properties,
    additionalProperties,
    items,
    format,
    required = [],
    ...rest
  } = schema
  const { 'x-kubernetes-validations': more = [], ...instead } = formats[format ?? ''] ?? {
    ...(format !== undefined && { format }),
  }
  const validations = [...own, ...more]
  return {
    ...rest,
    ...(required.length > 0 && { required }),
    ...instead,
    ...(validations.length > 0 && rules(...validations)),
    ...(properties !== undefined && { properties: crdProperties(properties) }),
    ...(additionalProperties !== undefined && { additionalProperties: crdForm(additionalProperties) }),
    ...(items !== undefined && { items: crdForm(items) }),
  }
}

function crdProperties(properties: Readonly<Record<string, Schema>>): Record<string, Schema> {
  const kept = Object.entries(properties).filter(([, property]) => property['x-cove-unimplemented'] !== true)
  return Object.fromEntries(kept.map(([name, property]) => [name, crdForm(property)]))
}

function printerColumn(schema: Schema, { name, type, description, wide, jsonPath }: Column<never>): Json[] {
  if (jsonPath === undefined) return []
  const isTime = schemaAt(schema, jsonPath)?.format === 'date-time'
  const column = { name, type: isTime ? 'date' : type, description, jsonPath }
  return [{ ...column, ...(wide === true && { priority: 1 }) }]
}

/** Of a path without brackets; undefined for others, and for what the schema does not know. */
export function schemaAt(schema: Schema, jsonPath: string): Schema | undefined {
  return jsonPath
    .split('.')
    .slice(1)
    .reduce<Schema | undefined>((at, name) => at?.properties?.[name], schema)
}
