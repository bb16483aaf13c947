import test from 'ava'
import { makeRuleChecker } from '#pkg/apis/cel.ts'
import { kinds } from '#pkg/apis/kinds.ts'
import { checkManifests } from './check.ts'
import { decodeManifest } from './decode.ts'
import { problemText } from './place.ts'

const rules = makeRuleChecker()

function container(name: string, spec: string): string {
  return `apiVersion: cove.run/v1\nkind: Container\nmetadata: {name: ${name}}\nspec:\n  image: a:1\n${spec}`
}

function check(files: Readonly<Record<string, string>>, enforcedNamespace?: string) {
  const documents = Object.entries(files).flatMap(([name, text]) => decodeManifest({ name, text }).documents)
  const options = { kinds, rules, defaultNamespace: enforcedNamespace ?? 'default' }
  return checkManifests(documents, {
    ...options,
    ...(enforcedNamespace !== undefined && { enforcedNamespace }),
  })
}

function problems(files: Readonly<Record<string, string>>, namespace?: string): string[] {
  return check(files, namespace).problems.map(problemText)
}

test('a set without problems is admitted, each object in its namespace', (t) => {
  const { objects, problems: none } = check({ 'a.yaml': container('web', '') })
  t.deepEqual(none, [])
  t.is(objects[0]?.manifest.metadata.namespace, 'default')
  t.is(objects[0]?.manifest.spec && Object.keys(objects[0].manifest.spec).length, 1)
})

test('all problems of all files come at once, by place', (t) => {
  const found = problems({
    'b.yaml': `${container('web', '  ports:\n  - containerPort: 80\n    hostPort: 99999\n')}---\nkind: Container\n`,
    'a.yaml':
      'apiVersion: cove.run/v1\nkind: Contaner\n---\napiVersion: cove.run/v2\nkind: Volume\n---\njust text\n',
  })
  t.deepEqual(found, [
    'b.yaml: document 1, line 8: spec.ports[0].hostPort: must be between 1 and 65535',
    'b.yaml: document 2, line 10: apiVersion: is required',
    'a.yaml: document 1, line 2: no kind "Contaner" in version "cove.run/v1" (did you mean "Container"?)',
    'a.yaml: document 2, line 4: no kind "Volume" in version "cove.run/v2" (did you mean "cove.run/v1 Volume"?)',
    'a.yaml: document 3, line 7: must be a mapping with apiVersion, kind and metadata',
  ])
})

test('an unknown field is named with what was probably meant', (t) => {
  const text = container('web', '  resorces: {}\n')
  t.deepEqual(problems({ 'a.yaml': text }), [
    'a.yaml: document 1, line 6: unknown field "spec.resorces" (did you mean "resources"?)',
  ])
})

test('two objects of one name are told with both places; kinds and namespaces keep names apart', (t) => {
  const other = container('web', '').replace('{name: web}', '{name: web, namespace: other}')
  t.deepEqual(
    problems({ 'a.yaml': container('web', ''), 'b.yaml': `${other}---\n${container('web', '')}` }),
    ['b.yaml: document 2, line 9: metadata.name: container "web" is already at a.yaml: document 1, line 1'],
  )
})

test('a host port can be had once per node, address and protocol', (t) => {
  const port = (more: string) => `  ports:\n  - {containerPort: 80, hostPort: 8080${more}}\n`
  const clash =
    'b.yaml: document 1, line 7: spec.ports[0].hostPort: 8080/TCP is already used by container "one" at a.yaml: document 1, line 7'
  const pair = (first: string, second: string) =>
    problems({ 'a.yaml': container('one', first), 'b.yaml': container('two', second) })
  t.deepEqual(pair(port(''), port('')), [clash])
  t.deepEqual(pair(port(', hostIP: 127.0.0.1'), port('')), [clash])
  t.deepEqual(pair(port(', hostIP: 127.0.0.1'), port(', hostIP: 127.0.0.2')), [])
  t.deepEqual(pair(port(', protocol: UDP'), port('')), [])
  t.deepEqual(pair(`${port('')}  nodeName: n1\n`, `${port('')}  nodeName: n2\n`), [])
})

test('a dependency cycle is told once, as its path', (t) => {
  const needs = (name: string) => `  dependsOn: [{container: ${name}}]\n`
  const found = problems({
    'a.yaml': [
      container('aa', needs('bb')),
      container('bb', needs('cc')),
      container('cc', needs('bb')),
      container('dd', needs('cc')),
    ].join('---\n'),
  })
  t.deepEqual(found, [
    'a.yaml: document 2, line 13: spec.dependsOn[0].container: dependency cycle: bb -> cc -> bb',
  ])
})

test('the namespace of the command line is not overruled silently', (t) => {
  const text = container('web', '').replace('{name: web}', '{name: web, namespace: other}')
  t.deepEqual(problems({ 'a.yaml': text }, 'team'), [
    'a.yaml: document 1, line 3: metadata.namespace: "other" is not the namespace of the command line ("team")',
  ])
})

test('what is seldom meant is a warning at its line', (t) => {
  const { warnings, problems: none } = check({ 'a.yaml': container('web', '').replace('a:1', 'a') })
  t.deepEqual(none, [])
  t.regex(warnings.map(problemText).join('\n'), /^a\.yaml: document 1, line 5: .*moving tag latest/)
})
