import test from 'ava'
import type { Container } from '#pkg/apis/container.ts'
import type { ControllerRevision } from '#pkg/apis/controllerrevision.ts'
import { changeCauseAnnotation } from '#pkg/apis/revisions.ts'
import { printPlan } from '#pkg/plan/plan.ts'
import { container } from '#test/helpers/world.ts'
import { isRecorded, planRevisions, type RevisionOp } from './revisions.plan.ts'

function describe(op: RevisionOp): string {
  const name = op.revision.metadata.name.replace(/-[0-9a-f]{16}$/, '-HASH')
  if (op.type === 'create') return `create ${name} as ${op.revision.revision}`
  return op.type === 'delete'
    ? `delete ${op.revision.revision}`
    : `update ${op.revision.revision} to ${op.number}`
}

function print(object: Container, revisions: readonly ControllerRevision[] = []): string {
  return printPlan(planRevisions(object, revisions), describe)
}

/** What the plans for these specs, one after the other, leave behind. */
function history(...specs: Record<string, unknown>[]): ControllerRevision[] {
  return specs.reduce<ControllerRevision[]>((kept, spec) => {
    const { ops } = planRevisions(container('web', spec), kept)
    return ops
      .reduce<ControllerRevision[]>((all, { op }) => {
        const others = all.filter((one) => one !== op.revision)
        if (op.type === 'delete') return others
        const { revision } = op
        return [
          ...others,
          op.type === 'create' ? revision : { ...revision, revision: op.number ?? revision.revision },
        ]
      }, kept)
      .toSorted((left, right) => left.revision - right.revision)
  }, [])
}

const images = (count: number) => Array.from({ length: count }, (_, index) => ({ image: `app:${index + 1}` }))

test('the first spec is the first revision, and holds what a rollout is about', (t) => {
  const web = container('web', { state: 'Stopped', args: ['a'], revisionHistoryLimit: 3 })
  t.is(print(web), 'Container/default/web#1: create web-HASH as 1 because it is the first')
  const [made] = history({ state: 'Stopped', args: ['a'], revisionHistoryLimit: 3 })
  const { spec } = (made?.data ?? {}) as { spec: Record<string, unknown> }
  t.like(spec, { image: 'app:1', args: ['a'] })
  for (const aside of [
    'state',
    'nodeName',
    'update',
    'revisionHistoryLimit',
    'terminationGracePeriodSeconds',
  ])
    t.false(aside in spec, aside)
  t.like(made?.metadata.ownerReferences?.[0], { kind: 'Container', name: 'web', controller: true })
})

test('another spec is another revision, with the next number', (t) => {
  t.regex(
    print(container('web', { image: 'app:2' }), history({})),
    /^\S+ create web-HASH as 2 because the spec is not that of web-\w+$/,
  )
})

test('the same spec, stopped, moved or with another limit, is no revision', (t) => {
  const kept = history({})
  for (const spec of [
    {},
    { state: 'Stopped' },
    { nodeName: 'n2' },
    { revisionHistoryLimit: 5 },
    { terminationGracePeriodSeconds: 1 },
  ])
    t.is(print(container('web', spec), kept), '')
})

test('a spec that is asked for again gets the newest number, and no second object', (t) => {
  const kept = history({ image: 'app:1' }, { image: 'app:2' })
  t.is(
    print(container('web', { image: 'app:1' }), kept),
    'Container/default/web#1: update 1 to 3 because its spec is asked for again',
  )
})

test('ten older ones are kept, or as many as the Container says', (t) => {
  const numbers = (spec: Record<string, unknown>) =>
    history(...images(15).map((one) => ({ ...one, ...spec }))).map(({ revision }) => revision)
  t.deepEqual(numbers({}), [5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15])
  t.deepEqual(numbers({ revisionHistoryLimit: 2 }), [13, 14, 15])
  t.deepEqual(numbers({ revisionHistoryLimit: 0 }), [15])
})

test('a Container made anew under the name shares no revision with the one before', (t) => {
  const [before] = history({})
  const { ops } = planRevisions(container('web', {}, { metadata: { uid: 'another' } }), [])
  t.not(ops[0]?.op.revision.metadata.name, before?.metadata.name)
})

test('the longest name leaves room for the hash', (t) => {
  const { ops } = planRevisions(container(`${'a'.repeat(235)}.${'b'.repeat(17)}`), [])
  t.regex(ops[0]?.op.revision.metadata.name ?? '', /^a{235}-[0-9a-f]{16}$/)
})

test('the change cause follows the annotation of the Container', (t) => {
  const told = container('web', {}, { metadata: { annotations: { [changeCauseAnnotation]: 'release 7' } } })
  const { ops } = planRevisions(told, history({}))
  t.is(ops.length, 1)
  t.like(ops[0]?.op, { type: 'update', annotations: { [changeCauseAnnotation]: 'release 7' } })
})

test('by metadata alone a revision is known to be what the Container asks for', (t) => {
  const [newest] = history({})
  t.true(isRecorded(container('web'), newest))
  t.false(isRecorded(container('web', {}, { metadata: { generation: 2 } }), newest))
  t.false(isRecorded(container('web'), undefined))
})
