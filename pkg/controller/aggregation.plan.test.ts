import test from 'ava'
import type { ClusterRole, LabelSelectorSpec, PolicyRule } from '#pkg/apis/rbac.ts'
import { planAggregation } from './aggregation.plan.ts'

const rule = (resource: string): PolicyRule => ({ verbs: ['get'], apiGroups: [''], resources: [resource] })

function role(
  name: string,
  rules: PolicyRule[],
  more: { labels?: Record<string, string>; selectors?: LabelSelectorSpec[] } = {},
): ClusterRole {
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name, ...(more.labels && { labels: more.labels }) },
    rules,
    ...(more.selectors && { aggregationRule: { clusterRoleSelectors: more.selectors } }),
  }
}

function printed(...roles: ClusterRole[]): string[] {
  return planAggregation(roles).map(
    ({ role: { metadata }, rules }) =>
      `${metadata.name}: ${rules.map(({ resources = [] }) => resources.join('+')).join(' ')}`,
  )
}

const toView = { 'to-view': 'true' }

test('a role collects the rules of those it selects, by name and each once', (t) => {
  const view = role('view', [], { selectors: [{ matchLabels: toView }] })
  const parts = [
    role('z', [rule('pods'), rule('events')], { labels: toView }),
    role('a', [rule('events')], { labels: toView }),
    role('other', [rule('secrets')], { labels: { 'to-view': 'false' } }),
  ]
  t.deepEqual(printed(view, ...parts), ['view: events pods'])
  t.deepEqual(printed(view, ...parts.toReversed()), ['view: events pods'])
})

test('nothing is planned for a role that has its rules already, nor for one that is going', (t) => {
  const view = role('view', [rule('pods')], { selectors: [{ matchLabels: toView }] })
  const part = role('a', [rule('pods')], { labels: toView })
  t.deepEqual(printed(view, part), [])
  const going = {
    ...view,
    rules: [],
    metadata: { ...view.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' },
  }
  t.deepEqual(printed(going, part), [])
})

test('rules that nobody gives any more go, and a role never collects its own', (t) => {
  const own = role('view', [rule('pods')], { labels: toView, selectors: [{ matchLabels: toView }] })
  t.deepEqual(printed(own), ['view: '])
})

test('roles that collect are collected themselves, one step at a time', (t) => {
  const view = role('view', [rule('pods')], {
    labels: { 'to-edit': 'true' },
    selectors: [{ matchLabels: toView }],
  })
  const part = role('a', [rule('pods')], { labels: toView })
  const edit = role('edit', [], { selectors: [{ matchLabels: { 'to-edit': 'true' } }] })
  t.deepEqual(printed(view, part, edit), ['edit: pods'])
})

test('expressions select as they do everywhere, and an unknown operator selects nothing', (t) => {
  const select = (operator: string, values?: string[]) =>
    printed(
      role('all', [], {
        selectors: [{ matchExpressions: [{ key: 'k', operator, ...(values && { values }) }] }],
      }),
      role('a', [rule('a')], { labels: { k: '1' } }),
      role('b', [rule('b')], { labels: { k: '2' } }),
      role('c', [rule('c')]),
    )
  t.deepEqual(select('In', ['1']), ['all: a'])
  t.deepEqual(select('NotIn', ['1']), ['all: b c'])
  t.deepEqual(select('Exists'), ['all: a b'])
  t.deepEqual(select('DoesNotExist'), ['all: c'])
  t.deepEqual(select('Near'), [])
})
