import test from 'ava'
import { makeRuleChecker } from './cel.ts'
import type { Schema, Validation } from './schema.ts'

const checker = makeRuleChecker()

function withRules(schema: Schema, ...validations: readonly Validation[]): Schema {
  return { ...schema, 'x-kubernetes-validations': validations }
}

function object(properties: Readonly<Record<string, Schema>>, ...validations: readonly Validation[]): Schema {
  return withRules({ type: 'object', properties }, ...validations)
}

/** What the rules say of `value`, and of its change from `old` when that is given. */
function said(schema: Schema, value: unknown, old?: unknown): string[] {
  return checker
    .check(schema, value, { old, path: 'f' })
    .map(({ reason, field, message }) => `${reason} ${field}: ${message}`)
}

const text: Schema = { type: 'string' }
const integer: Schema = { type: 'integer' }

test('a broken rule names its place, its reason and its words', (t) => {
  const rule = 'self.a == self.b'
  const schema = (more: Partial<Validation>) => object({ a: text, b: text }, { rule, ...more })
  const value = { a: 'x', b: 'y' }
  t.deepEqual(said(schema({}), value), [`FieldValueInvalid f: failed rule: ${rule}`])
  t.deepEqual(
    said(schema({ message: 'must agree', reason: 'FieldValueForbidden', fieldPath: '.b' }), value),
    ['FieldValueForbidden f.b: must agree'],
  )
  t.deepEqual(said(schema({ message: 'no', messageExpression: "self.a + ' is not ' + self.b" }), value), [
    'FieldValueInvalid f: x is not y',
  ])
  t.deepEqual(said(schema({}), { a: 'x', b: 'x' }), [])
})

test('what messageExpression gives is taken only when it is one line of text', (t) => {
  for (const messageExpression of ["''", "'  '", "'a\\nb'", '1', "['a']"]) {
    t.deepEqual(said(withRules(text, { rule: 'false', message: 'plain', messageExpression }), 'x'), [
      'FieldValueInvalid f: plain',
    ])
  }
})

test('a rule that cannot be evaluated is an error of the rule, and never passes', (t) => {
  const missing = object({ a: text }, { rule: "self.a == 'x'", message: 'must be x' })
  t.deepEqual(said(missing, {}), ['FieldValueInvalid f: No such key: a evaluating rule: must be x'])
  const [unparsed = ''] = said(withRules(text, { rule: 'self ==', message: 'must be' }), 'x')
  t.regex(unparsed, /evaluating rule: must be$/)
  t.deepEqual(said(withRules(text, { rule: "'true'", message: 'is no bool' }), 'x'), [
    'FieldValueInvalid f: is no bool',
  ])
})

test('rules stand at every level: members, items and values of maps', (t) => {
  const short = withRules(text, { rule: 'self.size() < 3', message: 'too long' })
  const list: Schema = { type: 'array', items: object({ name: short }) }
  const map: Schema = { type: 'object', additionalProperties: short }
  const whole = object({ list, map })
  t.deepEqual(said(whole, { list: [{ name: 'a' }, { name: 'abc' }, {}], map: { 'a.b': 'abc', c: 'd' } }), [
    'FieldValueInvalid f.list[1].name: too long',
    'FieldValueInvalid f.map[a.b]: too long',
  ])
})

test('numbers are what the schema says they are', (t) => {
  const whole = object(
    { n: integer, x: { type: 'number' }, list: { type: 'array', items: integer } },
    { rule: 'self.n + 1 == 3 && self.n % 2 == 0 && self.x * 2.0 == 3.0 && self.list[0] + self.n == 7' },
  )
  t.deepEqual(said(whole, { n: 2, x: 1.5, list: [5] }), [])
  const quantity = withRules(
    { 'x-kubernetes-int-or-string': true },
    { rule: "quantity(string(self)).compareTo(quantity('1Ki')) >= 0", message: 'too little' },
  )
  for (const value of [1024, '1Ki', '2k', 1500.5]) t.deepEqual(said(quantity, value), [], String(value))
  for (const value of [1023, '1k', 0.5]) t.is(said(quantity, value).length, 1, String(value))
})

test('a rule about a change is asked of changes only', (t) => {
  const fixed = object({ a: withRules(text, { rule: 'self == oldSelf', message: 'fixed' }) })
  t.deepEqual(said(fixed, { a: 'x' }), [])
  t.deepEqual(said(fixed, { a: 'x' }, { a: 'x' }), [])
  t.deepEqual(said(fixed, { a: 'y' }, { a: 'x' }), ['FieldValueInvalid f.a: fixed'])
  t.deepEqual(said(fixed, { a: 'y' }, {}), [])
  t.deepEqual(said(fixed, {}, { a: 'x' }), [])
})

test('items have a past where their keys tell them apart, and only there', (t) => {
  const item = object(
    { name: text, port: { ...integer, default: 80 }, value: text },
    { rule: 'self.value == oldSelf.value', message: 'fixed' },
  )
  const list: Schema = { type: 'array', items: item }
  const map: Schema = {
    ...list,
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['name', 'port'],
  }
  const old = [
    { name: 'a', port: 80, value: '1' },
    { name: 'b', port: 1, value: '2' },
  ]
  const next = [
    { name: 'b', port: 1, value: '3' },
    { name: 'c', port: 80, value: '9' },
    { name: 'a', value: '1' },
  ]
  t.deepEqual(said(map, next, old), ['FieldValueInvalid f[0]: fixed'])
  t.deepEqual(said(list, next, old), [])
})

test('what was there before the rule stays writable as long as it does not change', (t) => {
  const short = withRules(text, { rule: 'self.size() < 3', message: 'too long' })
  const whole = object({ a: short, b: text })
  t.deepEqual(said(whole, { a: 'long', b: 'new' }, { a: 'long', b: 'old' }), [])
  t.deepEqual(said(whole, { a: 'longer' }, { a: 'long' }), ['FieldValueInvalid f.a: too long'])
})

test('with optionalOldSelf a rule is asked of new values too', (t) => {
  const rule = "oldSelf.hasValue() ? self == oldSelf.value() : self == 'first'"
  const schema = withRules(text, { rule, optionalOldSelf: true, message: 'not that' })
  t.deepEqual(said(schema, 'first'), [])
  t.deepEqual(said(schema, 'other'), ['FieldValueInvalid f: not that'])
  t.deepEqual(said(schema, 'other', 'other'), [])
  t.deepEqual(said(schema, 'first', 'other'), ['FieldValueInvalid f: not that'])
})

test('of metadata the rules of a whole object see the name, and of other fields nothing is hidden', (t) => {
  const metadata: Schema = { type: 'object', properties: { name: text, labels: { type: 'object' } } }
  const whole = object(
    { metadata, spec: text },
    { rule: '!has(self.metadata.labels) && self.metadata.name == self.spec', message: 'differs' },
  )
  const check = (value: unknown) => checker.check(whole, value).map(({ field, message }) => [field, message])
  t.deepEqual(check({ metadata: { name: 'a', labels: {} }, spec: 'a' }), [])
  t.deepEqual(check({ metadata: { name: 'a' }, spec: 'b' }), [['', 'differs']])
})

test('addresses and ranges of them are told apart as Kubernetes does', (t) => {
  const holds = (rule: string, value: string) => said(withRules(text, { rule }), value).length === 0
  for (const ip of ['127.0.0.1', '::', '::1', 'fd00::1:2', '2001:db8::10'])
    t.true(holds('isIP(self)', ip), ip)
  for (const ip of ['', '1.2.3', '01.2.3.4', '::ffff:1.2.3.4', 'fe80::1%eth0', '1.2.3.4/8']) {
    t.false(holds('isIP(self)', ip), ip)
  }
  for (const range of ['10.0.0.0/8', '0.0.0.0/0', 'fd00::/64', '10.1.2.3/32']) {
    t.true(holds('isCIDR(self)', range), range)
  }
  for (const range of ['10.0.0.0', '10.0.0.0/33', '10.0.0.0/08', 'fd00::/129', '/8']) {
    t.false(holds('isCIDR(self)', range), range)
  }
  const within: readonly (readonly [string, string, boolean])[] = [
    ['10.9.0.0/24', '10.9.0.255', true],
    ['10.9.0.0/24', '10.9.1.0', false],
    ['fd00:1::/32', 'fd00:1:ffff::9', true],
    ['fd00:1::/32', 'fd00:2::', false],
    ['0.0.0.0/0', '::1', false],
  ]
  for (const [range, ip, wanted] of within) {
    t.is(holds(`cidr(self).containsIP('${ip}')`, range), wanted, `${range} ${ip}`)
  }
  t.true(holds("cidr(self).containsCIDR('10.9.0.128/25')", '10.9.0.0/24'))
  t.false(holds("cidr(self).containsCIDR('10.9.0.0/16')", '10.9.0.0/24'))
})
