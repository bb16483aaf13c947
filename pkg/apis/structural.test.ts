/** What an API server of Kubernetes asks of a CustomResourceDefinition before it takes it. */
import test from 'ava'
import fc from 'fast-check'
import { makeRuleChecker, typeErrors } from './cel.ts'
import { containerKind } from './container.kind.ts'
import { crdForm, crdName, crdSchema, customResourceDefinition, schemaAt } from './crd.ts'
import { anyKind } from './kind.ts'
import { kinds } from './kinds.ts'
import { applyDefaults, prune } from './normalize.ts'
import type { Schema } from './schema.ts'
import { validate } from './validate.ts'

interface Node {
  readonly path: string
  readonly schema: Schema
  /** The lists and maps it is in. */
  readonly within: readonly Schema[]
}

function nodes(schema: Schema, path = '', within: readonly Schema[] = []): Node[] {
  const { properties = {}, items, additionalProperties } = schema
  return [
    { path, schema, within },
    ...Object.entries(properties).flatMap(([name, member]) => nodes(member, `${path}.${name}`, within)),
    ...(items === undefined ? [] : nodes(items, `${path}[]`, [...within, schema])),
    ...(additionalProperties === undefined
      ? []
      : nodes(additionalProperties, `${path}{}`, [...within, schema])),
  ]
}

/** Everything that apiextensions.k8s.io/v1 knows and we use: another word would be refused, or dropped silently. */
const keywords = new Set([
  ...['type', 'description', 'properties', 'required', 'additionalProperties', 'items', 'enum', 'default'],
  ...[
    'minimum',
    'maximum',
    'minLength',
    'maxLength',
    'minItems',
    'maxItems',
    'maxProperties',
    'pattern',
    'format',
  ],
  ...['x-kubernetes-int-or-string', 'x-kubernetes-preserve-unknown-fields'],
  ...['x-kubernetes-list-type', 'x-kubernetes-list-map-keys', 'x-kubernetes-validations'],
])
const knownFormats = new Set(['date-time', 'byte', 'int32', 'int64', 'double'])
const scalar = new Set(['string', 'integer', 'number', 'boolean'])

const own = kinds.filter(({ group }) => group === 'cove.run')

for (const kind of own) {
  const schema = crdSchema(kind)
  const all = nodes(schema)

  test(`the schema of a ${kind.kind} is structural: one type everywhere, and no word that Kubernetes does not know`, (t) => {
    for (const { path, schema: at } of all) {
      t.deepEqual(
        Object.keys(at).filter((word) => !keywords.has(word)),
        [],
        path,
      )
      const { type, format } = at
      t.is(type === undefined, at['x-kubernetes-int-or-string'] === true, path)
      t.true(format === undefined || knownFormats.has(format), `${path}: ${format}`)
      t.false(at.properties !== undefined && at.additionalProperties !== undefined, path)
      t.is(at.items !== undefined, type === 'array', path)
      for (const name of at.required ?? []) t.truthy(at.properties?.[name], `${path}.${name}`)
      t.notThrows(() => new RegExp(at.pattern ?? ''), path)
      // RE2 looks neither ahead nor behind, and remembers nothing.
      t.notRegex(at.pattern ?? '', /\(\?[=!<]|\\[1-9]/, path)
    }
  })

  test(`the schema of a ${kind.kind} says of metadata only how names are`, (t) => {
    const { metadata } = schema.properties ?? {}
    t.deepEqual(Object.keys(metadata ?? {}).sort(), ['properties', 'type'])
    t.is(metadata?.type, 'object')
    t.deepEqual(
      Object.keys(metadata?.properties ?? {}).filter((name) => name !== 'name' && name !== 'generateName'),
      [],
    )
  })

  test(`the lists of a ${kind.kind} are what they say`, (t) => {
    for (const { path, schema: at } of all) {
      const { items, 'x-kubernetes-list-type': type, 'x-kubernetes-list-map-keys': keys } = at
      t.is(keys !== undefined, type === 'map', path)
      t.true(type === undefined || at.type === 'array', path)
      if (type === 'set') t.true(scalar.has(items?.type ?? ''), `${path}: a set is of scalars`)
      for (const key of keys ?? []) {
        const field = items?.properties?.[key]
        t.true(scalar.has(field?.type ?? ''), `${path}[${key}]`)
        t.true(items?.required?.includes(key) === true || field?.default !== undefined, `${path}[${key}]`)
      }
    }
  })

  test(`the defaults of a ${kind.kind} are values of their own schema, with nothing to prune`, (t) => {
    const checker = makeRuleChecker()
    const having = all.filter(({ schema: { default: value } }) => value !== undefined)
    if (having.length === 0) t.pass()
    for (const { path, schema: at } of having) {
      const whole = applyDefaults(at, at.default)
      t.deepEqual(prune(at, at.default), at.default, path)
      t.deepEqual(validate(at, whole), [], path)
      t.deepEqual(checker.check(at, whole, { path: 'default' }), [], path)
    }
  })

  test(`the rules of a ${kind.kind} are well typed, name fields that exist, and end in true or false`, (t) => {
    t.deepEqual(typeErrors(schema), [])
    for (const { path, schema: at } of all) {
      for (const { rule, message, messageExpression, fieldPath } of at['x-kubernetes-validations'] ?? []) {
        t.true(message !== undefined || messageExpression !== undefined, `${path}: ${rule}`)
        t.notRegex(message ?? '', /\n/, path)
        if (fieldPath !== undefined) t.truthy(schemaAt(at, fieldPath), `${path}${fieldPath}`)
      }
    }
  })

  /**
   * Kubernetes multiplies what a rule may cost with how often it may be asked and refuses more than ten million; a list
   * without a bound counts as three megabytes of the smallest items.
   */
  test(`how often a rule of a ${kind.kind} is asked is bounded, and so is what it walks over`, (t) => {
    for (const { path, schema: at, within } of all) {
      const validations = at['x-kubernetes-validations'] ?? []
      t.true(
        validations.length === 0 ||
          within.every(({ maxItems, maxProperties }) => (maxItems ?? maxProperties) !== undefined),
        `${path} is in a list without maxItems, or a map without maxProperties`,
      )
      if (!validations.some(({ rule }) => /\.(all|exists|exists_one|filter|map)\(/.test(rule))) continue
      const walked = nodes(at).filter(({ path: below }) => validations.some(({ rule }) => walks(rule, below)))
      for (const { path: below, schema: list } of walked) {
        const bound = list.maxItems ?? list.maxProperties
        t.true(bound !== undefined, `${path}${below} is walked over and has no bound`)
        for (const [name, member] of Object.entries(list.items?.properties ?? {})) {
          const compared = validations.some(({ rule }) => rule.includes(`.${name} == `))
          const bounded = member.maxLength !== undefined || member.enum !== undefined
          t.true(!compared || member.type !== 'string' || bounded, `${path}${below}[].${name}`)
        }
      }
    }
  })

  test(`the definition of a ${kind.kind} is one that Kubernetes takes`, (t) => {
    const { metadata, spec } = JSON.parse(JSON.stringify(customResourceDefinition(kind)))
    t.is(metadata.name, `${kind.plural}.cove.run`)
    t.is(metadata.name, crdName(kind))
    const [version] = spec.versions
    t.true((version.selectableFields ?? []).length <= 8)
    for (const { jsonPath } of version.selectableFields ?? []) {
      t.true(['string', 'integer', 'boolean'].includes(schemaAt(schema, jsonPath)?.type ?? ''), jsonPath)
    }
    for (const { jsonPath, type } of version.additionalPrinterColumns) {
      if (jsonPath.includes('[')) continue
      const at = schemaAt(kind.schema, jsonPath)
      const wanted = at?.format === 'date-time' ? 'date' : at?.type === 'integer' ? 'integer' : 'string'
      t.truthy(at, jsonPath)
      t.is(type, wanted, jsonPath)
    }
  })

  test(`a ${kind.kind} comes out of pruning and defaulting once as it does twice, and the CRD judges it as we do`, (t) => {
    const { metadata: _, ...fields } = kind.schema.properties ?? {}
    const ours: Schema = { ...kind.schema, properties: fields }
    const theirs = crdForm(ours)
    const checker = makeRuleChecker()
    const judge = (form: Schema, value: unknown) => {
      const wrong = validate(form, value)
      return wrong.length > 0 ? wrong : checker.check(form, value)
    }
    let asked = 0
    const property = fc.property(valuesOf(ours), (drawn) => {
      const value: unknown = JSON.parse(JSON.stringify(drawn))
      const ready = applyDefaults(ours, prune(ours, value))
      t.deepEqual(applyDefaults(ours, prune(ours, ready)), ready)
      t.deepEqual(applyDefaults(theirs, prune(theirs, value)), applyDefaults(theirs, prune(theirs, ready)))
      const [here, there] = [judge(ours, ready), judge(theirs, ready)]
      if (validate(ours, ready).length === 0) asked++
      t.deepEqual([...new Set(there.map(({ field }) => field))], [...new Set(here.map(({ field }) => field))])
    })
    t.notThrows(() => fc.assert(property, { numRuns: 300 }))
    t.true(asked > 0)
  })
}

/** Whether the rule walks over what stands there: `self` itself, or a field of it. */
function walks(rule: string, below: string): boolean {
  const list = `self${below}`
  return ['all', 'exists', 'exists_one', 'filter', 'map'].some((verb) => rule.includes(`${list}.${verb}(`))
}

/** What is right, and what is not, for strings of each format, pattern or length that the schemas know. */
const samples: Readonly<Record<string, readonly [readonly string[], readonly string[]]>> = {
  'cove-duration': [
    ['30s', '1m30s', '0', '0s', '.5h', '1.s', '+2ms', '100us'],
    ['30', 's', '-1s', ''],
  ],
  'cove-quantity': [
    ['500m', '64Mi', '1', '.5', '1.', '1e3', '0'],
    ['64MB', '-1', ''],
  ],
  'cove-schedule': [
    ['*/15 * * * *', '0 3 * * 1-5'],
    ['@daily', '* * * *', ''],
  ],
  'cove-time-zone': [
    ['Europe/Berlin', 'UTC'],
    ['Nowhere Land', ''],
  ],
  'cove-version-range': [
    ['~1.27', '>=2 <3'],
    ['1.2!', 'x$'],
  ],
  'cove-image-reference': [
    [
      ...['a', 'a:1', 'nginx:1.27', 'localhost/a', 'localhost:5000/a:b', 'a.b/c', 'a.b', 'A.b/c', 'a_b/c'],
      ...['a__b/c.d:x', `a:1@sha256:${'0'.repeat(64)}`, '[::1]:5000/a', '[::1]/a', 'a.b:80/c/d:e', 'a-b.c/d'],
    ],
    [
      'my_reg.io/x',
      'A',
      'A/b',
      'a//b',
      'a/',
      ':1',
      'a:',
      'a@sha256:0',
      'x:y/z',
      'a..b/c',
      '-a',
      'a/B',
      'a-b.c:x/d',
    ],
  ],
  'date-time': [['2026-01-01T00:00:00Z'], ['yesterday']],
  '^/': [
    ['/a', '/b'],
    ['a', ''],
  ],
  '45': [
    ['127.0.0.1', '0.0.0.0', '::', '10.9.0.1'],
    ['web', '127.0.0.1/8'],
  ],
  '49': [
    ['10.9.0.0/24', '10.9.0.0/25', 'fd00::/64'],
    ['web', '10.9.0.0'],
  ],
}
const anyText: readonly [readonly string[], readonly string[]] = [
  ['web', 'db'],
  ['', 'A b'],
]

/** Values that fit the schema so often that its rules are asked, and miss each of its bounds now and then. */
function valuesOf(schema: Schema): fc.Arbitrary<unknown> {
  if (schema['x-kubernetes-int-or-string'] === true) {
    return fc.oneof(stringsOf(schema), rarely(fc.integer({ min: 0, max: 9 }), fc.constant(-1)))
  }
  switch (schema.type) {
    case 'object':
      return objectsOf(schema)
    case 'array':
      return fc.array(valuesOf(schema.items ?? {}), { maxLength: 2 })
    case 'string':
      return stringsOf(schema)
    case 'boolean':
      return fc.boolean()
    default:
      return rarely(fc.constantFrom(80, 8080), fc.constantFrom(0, 65_536))
  }
}

function rarely(often: fc.Arbitrary<unknown>, seldom: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 60, arbitrary: often }, { weight: 1, arbitrary: seldom })
}

function stringsOf({ enum: words, format, pattern, maxLength }: Schema): fc.Arbitrary<unknown> {
  if (words !== undefined) return rarely(fc.constantFrom(...words), fc.constant('Else'))
  const [right, wrong] = samples[format ?? pattern ?? String(maxLength)] ?? anyText
  return rarely(fc.constantFrom(...right), fc.constantFrom(...wrong))
}

/** Without fields that are not implemented: we say so, a CRD does not know them. */
function objectsOf({ properties, additionalProperties, required = [] }: Schema): fc.Arbitrary<unknown> {
  if (additionalProperties !== undefined) {
    return fc.dictionary(fc.constantFrom('a', 'b'), valuesOf(additionalProperties))
  }
  const known = Object.entries(properties ?? {}).filter(([, member]) => !member['x-cove-unimplemented'])
  const members = known.map(([name, member]) => {
    const absent = required.includes(name) ? rarely : fc.oneof
    return [name, absent(valuesOf(member), fc.constant(undefined))] as const
  })
  const unknown = fc.constantFrom(undefined, 1)
  return fc.record<Record<string, unknown>>({ ...Object.fromEntries(members), unknown })
}

test('the id of an image is no reference, here as there', (t) => {
  const image = crdSchema(anyKind(containerKind)).properties?.['spec']?.properties?.['image'] ?? {}
  const id = '0'.repeat(64)
  t.deepEqual(validate(image, id), [])
  t.deepEqual(
    makeRuleChecker()
      .check(image, id)
      .map(({ message }) => message),
    ['is the id of an image, not a name'],
  )
})

test('a wrong rule is found before anybody asks it', (t) => {
  const wrong: readonly (readonly [string, RegExp])[] = [
    ['self.nam == "a"', /No such key: nam/],
    ['self.size + "a" == ""', /no such overload/],
    ['self.size', /int/],
    ['self.name ==', /./],
    ['self.all(one, one.x)', /./],
  ]
  const properties = { name: { type: 'string' }, size: { type: 'integer' } } as const
  for (const [rule, message] of wrong) {
    const schema: Schema = { type: 'object', properties, 'x-kubernetes-validations': [{ rule }] }
    t.regex(typeErrors({ type: 'array', items: schema })[0] ?? '', message, rule)
  }
})
