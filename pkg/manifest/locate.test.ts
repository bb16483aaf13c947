import test from 'ava'
import { fieldSegments, makeLocator } from './locate.ts'

const text = `kind: A
metadata:
  labels:
    app.example/name: x
    "0": zero
spec: &spec
  ports:
  - containerPort: 80

  - containerPort: 81
    hostPort: 99999
  env: [{name: A}, {name: B,
    value: b}]
---
kind: B
spec:
  <<: &more
    command: [a]
  args: [x]
`

const locate = makeLocator(text)

test('a field path leads to the line of the field', (t) => {
  const lines: Record<string, number> = {
    '': 1,
    kind: 1,
    'metadata.labels[app.example/name]': 4,
    'metadata.labels[0]': 5,
    'spec.ports[0].containerPort': 8,
    'spec.ports[1].hostPort': 11,
    'spec.env[1].value': 13,
  }
  for (const [path, line] of Object.entries(lines)) t.is(locate(1, path), line, path)
})

test('a field that is not there gives the line of what is', (t) => {
  t.is(locate(1, 'spec.image'), 6)
  t.is(locate(1, 'spec.ports[1].name'), 10)
  t.is(locate(1, 'spec.ports[7].name'), 7)
  t.is(locate(1, 'status'), 1)
})

test('later documents have their own lines, and merged keys the line where they are written', (t) => {
  t.is(locate(2, 'spec.args[0]'), 19)
  t.is(locate(2, 'spec.command'), 18)
  t.is(locate(9, 'spec'), 1)
})

test('bracketed keys may hold dots and slashes', (t) => {
  t.deepEqual(fieldSegments('metadata.labels[a.b/c].d[0]'), ['metadata', 'labels', 'a.b/c', 'd', '0'])
})
