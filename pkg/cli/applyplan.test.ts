import test from 'ava'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { applyMergePatch } from '#pkg/apimachinery/patch.ts'
import { makeRuleChecker } from '#pkg/apis/cel.ts'
import { kinds } from '#pkg/apis/kinds.ts'
import { lastAppliedAnnotation } from '#pkg/apis/wellknown.ts'
import { complete } from '#pkg/manifest/admit.ts'
import { checkManifests } from '#pkg/manifest/check.ts'
import type { CheckedObject } from '#pkg/manifest/checked.ts'
import { decodeManifest } from '#pkg/manifest/decode.ts'
import { applyRank, planApply, withLastApplied } from './applyplan.ts'

const rules = makeRuleChecker()

function read(text: string): CheckedObject {
  const { documents } = decodeManifest({ name: 'x.yaml', text })
  const { objects, problems } = checkManifests(documents, { kinds, rules, defaultNamespace: 'default' })
  const [object] = objects
  if (object === undefined) throw new Error(JSON.stringify(problems))
  return object
}

function container(spec: string): CheckedObject {
  return read(`apiVersion: cove.run/v1\nkind: Container\nmetadata: {name: web}\nspec:\n  image: a:1\n${spec}`)
}

/** What the server stores after the step. */
function store(checked: CheckedObject, current: KubeObject | undefined): KubeObject {
  const step = planApply(checked, current)
  if (step.verb === 'none' && current !== undefined) return current
  const written =
    step.verb === 'create' ? step.body : applyMergePatch(current, step.verb === 'patch' ? step.patch : {})
  return complete(checked.kind, written).object
}

const port = '  ports: [{containerPort: 80, hostPort: 8080}]\n'
const variants = [
  '',
  port,
  '  env: [{name: A, value: b}]\n',
  '  resources: {limits: {memory: 64Mi}}\n',
  `${port}  workingDir: /x\n`,
]

test('what has been applied is applied: the next plan is empty, whatever was there before', (t) => {
  for (const before of variants)
    for (const after of variants) {
      const stored = store(container(after), store(container(before), undefined))
      t.is(planApply(container(after), stored).verb, 'none', `${before} then ${after}`)
      t.deepEqual(stored.spec, store(container(after), undefined).spec)
    }
})

test('fields of others stay', (t) => {
  const first = store(container(port), undefined)
  const labelled = { ...first, metadata: { ...first.metadata, labels: { mine: 'yes' } } }
  const second = store(container(''), labelled)
  t.deepEqual(second.metadata.labels, { mine: 'yes' })
  t.deepEqual((second.spec as { ports: unknown[] }).ports, [])
})

test('a secret with stringData is as it was when its data are', (t) => {
  const secret = (value: string) =>
    read(`apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: ${value}}\n`)
  const stored = store(secret('one'), undefined)
  t.is(planApply(secret('one'), stored).verb, 'none')
  t.is(planApply(secret('two'), stored).verb, 'patch')
})

test('the annotation is the text that Go would write', (t) => {
  const manifest = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'c' },
    data: { b: '<&>', a: 'é' },
  }
  const { metadata } = withLastApplied(manifest) as unknown as KubeObject
  t.is(
    metadata.annotations?.[lastAppliedAnnotation],
    '{"apiVersion":"v1","data":{"a":"é","b":"\\u003c\\u0026\\u003e"},"kind":"ConfigMap","metadata":{"annotations":{},"name":"c"}}\n',
  )
})

test('what others need is sent first', (t) => {
  const rank = (kind: string) =>
    applyRank(
      read(
        `apiVersion: ${kind === 'Namespace' ? 'v1' : 'cove.run/v1'}\nkind: ${kind}\nmetadata: {name: xx}\n`,
      ),
    )
  t.true(rank('Namespace') < rank('Volume') && rank('Volume') < rank('Network'))
  t.true(rank('Network') < applyRank(container('')))
})
