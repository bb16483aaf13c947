import test from 'ava'
import fc from 'fast-check'
import { isReason } from './errors.ts'
import { matchesFields, matchesLabels, parseFieldSelector, parseLabelSelector } from './selector.ts'

test('label selectors are read as Kubernetes writes them', (t) => {
  const selectors: Readonly<Record<string, unknown>> = {
    '': [],
    '  ': [],
    'a=b': [{ key: 'a', operator: 'In', values: ['b'] }],
    ' a == b ': [{ key: 'a', operator: 'In', values: ['b'] }],
    'a=': [{ key: 'a', operator: 'In', values: [''] }],
    'a!=b': [{ key: 'a', operator: 'NotIn', values: ['b'] }],
    'app.example/x in ( b ,c,)': [{ key: 'app.example/x', operator: 'In', values: ['b', 'c', ''] }],
    'a in(b)': [{ key: 'a', operator: 'In', values: ['b'] }],
    'a notin (b)': [{ key: 'a', operator: 'NotIn', values: ['b'] }],
    a: [{ key: 'a', operator: 'Exists' }],
    '! a': [{ key: 'a', operator: 'NotExists' }],
    in: [{ key: 'in', operator: 'Exists' }],
    'a=b,c in (d,e),!f': [
      { key: 'a', operator: 'In', values: ['b'] },
      { key: 'c', operator: 'In', values: ['d', 'e'] },
      { key: 'f', operator: 'NotExists' },
    ],
  }
  for (const [text, parsed] of Object.entries(selectors)) t.deepEqual(parseLabelSelector(text), parsed, text)
})

test('anything else is refused', (t) => {
  const wrong = [
    'a,',
    ',',
    'a b',
    'a=b=c',
    'a in',
    'a in b',
    'a in ()',
    'a in (b',
    'a>1',
    'a<1',
    '!',
    '!a=b',
    '=b',
    'a=(b)',
  ]
  for (const text of wrong) {
    t.true(
      isReason(
        t.throws(() => parseLabelSelector(text)),
        'BadRequest',
      ),
      text,
    )
  }
  for (const text of ['a', '=b', 'a=b,']) {
    t.true(
      isReason(
        t.throws(() => parseFieldSelector(text)),
        'BadRequest',
      ),
      text,
    )
  }
})

const key = fc.constantFrom('a', 'b', 'constructor')
const value = fc.constantFrom('', 'x', 'y')
const values = fc.array(value, { minLength: 1, maxLength: 3 })

/** A requirement as text, and the answer that a reader of the manual would give. */
const requirement = fc.oneof(
  fc
    .tuple(key, value)
    .map(([k, v]) => ({ text: `${k}=${v}`, accepts: (l: Map<string, string>) => l.get(k) === v })),
  fc
    .tuple(key, value)
    .map(([k, v]) => ({ text: `${k} != ${v}`, accepts: (l: Map<string, string>) => l.get(k) !== v })),
  fc.tuple(key, values).map(([k, vs]) => ({
    // A single empty value cannot be written as a set.
    text: `${k} in (${['x', ...vs].join(', ')})`,
    accepts: (l: Map<string, string>) => ['x', ...vs].includes(l.get(k) ?? 'absent'),
  })),
  fc.tuple(key, values).map(([k, vs]) => ({
    text: `${k} notin (x,${vs.join(',')})`,
    accepts: (l: Map<string, string>) => !['x', ...vs].includes(l.get(k) ?? 'absent'),
  })),
  key.map((k) => ({ text: k, accepts: (l: Map<string, string>) => l.has(k) })),
  key.map((k) => ({ text: `!${k}`, accepts: (l: Map<string, string>) => !l.has(k) })),
)

test('a selector accepts labels exactly when each of its requirements does', (t) => {
  const labels = fc.uniqueArray(fc.tuple(key, value), { selector: ([name]) => name })
  fc.assert(
    fc.property(fc.array(requirement, { minLength: 1, maxLength: 3 }), labels, (requirements, entries) => {
      const selector = parseLabelSelector(requirements.map(({ text }) => text).join(','))
      const given = new Map(entries)
      t.is(
        matchesLabels(selector, Object.fromEntries(entries)),
        requirements.every(({ accepts }) => accepts(given)),
      )
    }),
  )
  t.true(matchesLabels([], undefined))
  t.false(matchesLabels(parseLabelSelector('a'), undefined))
})

test('field selectors compare words, and an absent field is the empty word', (t) => {
  const fields: Readonly<Record<string, string>> = { 'metadata.name': 'web', 'status.phase': 'Running' }
  const answers: Readonly<Record<string, boolean>> = {
    '': true,
    'metadata.name=web': true,
    'metadata.name==web, status.phase = Running': true,
    'metadata.name!=web': false,
    'spec.nodeName=': true,
    'spec.nodeName!=': false,
    'status.phase!=Failed,spec.nodeName!=n1': true,
  }
  for (const [text, answer] of Object.entries(answers)) {
    t.is(
      matchesFields(parseFieldSelector(text), (field) => fields[field]),
      answer,
      text,
    )
  }
})
