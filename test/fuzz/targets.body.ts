/** Fuzz targets of what comes as a body: JSON, YAML, protobuf, sets of fields, and the parts of a request's target. */
import { StatusError } from '#pkg/apimachinery/errors.ts'
import {
  difference,
  intersection,
  isEmptySet,
  parseFieldSet,
  pathsOf,
  printPath,
  sameSet,
  union,
} from '#pkg/apimachinery/fieldset.ts'
import { isPlainObject, sameJson } from '#pkg/apimachinery/hash.ts'
import { splitTarget } from '#pkg/apimachinery/wire.ts'
import { containerKind } from '#pkg/apis/container.kind.ts'
import { fieldsOf } from '#pkg/apis/fields.ts'
import { anyKind } from '#pkg/apis/kind.ts'
import { servedKinds } from '#pkg/apis/kinds.ts'
import { FieldSetMemo, managersSpan, managersText, readManagers } from '#pkg/apiserver/cache/managerstext.ts'
import { readJson, readMembers, readYaml } from '#pkg/apiserver/http/body.ts'
import { duplicateFields } from '#pkg/apiserver/http/duplicates.ts'
import { protobufType } from '#pkg/apiserver/http/protobuf.ts'
import { makeRoutes, parseRequest } from '#pkg/apiserver/http/request.ts'
import { sentEntries } from '#pkg/apiserver/verbs/managedfields.body.ts'
import { decodeManifest } from '#pkg/manifest/decode.ts'
import { parseYaml, writeYaml } from '#pkg/manifest/yaml.ts'
import { jsonWords, richContainer } from './samples.ts'
import { hold, type Target } from './target.ts'

const { signal } = new AbortController()

function requestWith(body: Uint8Array, type: string) {
  return {
    method: 'POST',
    path: '/',
    query: new URLSearchParams(),
    headers: { 'content-type': type },
    body,
    signal,
  }
}

const json: Target = {
  name: 'json',
  seeds: [JSON.stringify(richContainer), '{"a":[1,2.5e3,"\\u00e9",null,true]}', '"x"'],
  words: jsonWords,
  run: (input) => {
    const value = readJson(requestWith(input, 'application/json'))
    hold(sameJson(value, JSON.parse(input.toString())), 'what is accepted is what was sent')
    JSON.stringify(value)
    fieldsOf(containerKind.schema, value)
  },
}

const duplicates: Target = {
  name: 'duplicates',
  seeds: ['{"a":1,"a":2}', '{"a":[{"b":1,"b":2}],"\\u0061":3}', '{"a":{"b":{"c":1,"c":1}}}'],
  words: [...jsonWords, '"a":1,', '"a":{', '"\\u0061":'],
  maxBytes: 256 * 1024,
  rounds: 300,
  run: (input) => {
    const found = duplicateFields(input.toString())
    const length = found.reduce((total, path) => total + path.length, 0)
    hold(length <= 256 * 1024, `what is told of it stays small, not ${length} characters`)
  },
}

const yamlSeeds = [
  writeYaml(richContainer),
  'a: &x [1, 2]\nb: *x\nc: {<<: {d: 1}}\n',
  'text: |\n  one\n  two\nfolded: >-\n  one\n  two\n',
  '--- \na: 1\n---\nb: 2\n',
  '? [complex, key]\n: value\n',
  'a: 0o17\nb: .inf\nc: 1_000\nd: 2026-01-01\ne: ~\n',
]
const yamlWords = [
  ': ',
  '- ',
  '&a ',
  '*a',
  '<<: ',
  '---\n',
  '...\n',
  '|',
  '>',
  '!!',
  '!!str ',
  '? ',
  '{',
  '[',
  '#',
  '%YAML 1.2',
  "''",
  '\n  ',
]

const yaml: Target = {
  name: 'yaml',
  seeds: yamlSeeds,
  words: yamlWords,
  rounds: 800,
  run: (input) => {
    const text = input.toString()
    decodeManifest({ name: 'fuzz.yaml', text })
    const value = readYaml(requestWith(input, 'application/yaml'))
    hold(isPlainObject(value), 'a body is an object')
    const plain: unknown = JSON.parse(JSON.stringify(value))
    hold(sameJson(parseYaml(writeYaml(plain)), plain), 'written YAML reads as it was')
  },
}

const protobuf: Target = {
  name: 'protobuf',
  seeds: [
    Buffer.from('azhzAAoPCgJ2MRIJTmFtZXNwYWNlEhsKGQoEd2ViMRIAGgAiACoAMgA4AEIAWgJhYhoAIgA=', 'base64'),
    Buffer.from('azhzAAoPCgJ2MRIJQ29uZmlnTWFwEhcKCQoEd2ViMRIAEgYKAWESAWISAgoA', 'base64'),
  ],
  words: ['k8s\0', '\n\x02v1', '\x12\x06Secret', '\x12\tConfigMap', '\x12\tNamespace', '\x12\rDeleteOptions'],
  run: (input) => {
    const value = readMembers(requestWith(input, protobufType))
    hold(sameJson(JSON.parse(JSON.stringify(value)), value), 'what comes out is JSON')
  },
}

const fieldSet: Target = {
  name: 'fieldset',
  seeds: [
    '{"f:spec":{".":{},"f:ports":{"k:{\\"containerPort\\":80,\\"protocol\\":\\"TCP\\"}":{".":{},"f:hostPort":{}}}}}',
    '{"f:metadata":{"f:finalizers":{"v:\\"a\\"":{}},"f:labels":{"f:a":{}}},"i:0":{}}',
  ],
  words: [...jsonWords, 'f:', 'k:{', 'v:', 'i:-1', '".":{}', '\\"'],
  run: (input) => {
    const set = parseFieldSet(readJson(requestWith(input, 'application/json')))
    if (set === undefined) return
    const again = parseFieldSet(JSON.parse(JSON.stringify(set)))
    hold(again !== undefined && sameSet(again, set), 'a set reads as it was')
    hold(
      sameSet(union(set, again), set) && sameSet(intersection(set, again), set),
      'a set and itself are that set',
    )
    hold(isEmptySet(difference(set, again)), 'nothing is left of a set without itself')
    for (const path of pathsOf(set).slice(0, 100)) printPath(path)
  },
}

const head = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{'
const target = { kind: anyKind(containerKind), name: 'web' }

const managers: Target = {
  name: 'managers',
  seeds: [
    JSON.stringify([
      {
        manager: 'kubectl',
        operation: 'Apply',
        apiVersion: 'cove.run/v1',
        time: '2026-01-01T00:00:00Z',
        fieldsType: 'FieldsV1',
        fieldsV1: { 'f:spec': { 'f:image': {} } },
        subresource: 'status',
      },
      { manager: '],"name":', operation: 'Update', apiVersion: 'v1', fieldsType: 'FieldsV1', fieldsV1: {} },
    ]),
  ],
  words: [
    ...jsonWords,
    '"fieldsV1":',
    '],"name":',
    ',"subresource":',
    '},{"manager":',
    '}]',
    '"f:a":{}',
    '\\"',
  ],
  run: (input) => {
    const entries = sentEntries(target, [], readJson(requestWith(input, 'application/json')))
    const stored = `${head}${managersText([...entries])}"name":"x"}}`
    const span = managersSpan(head, stored)
    const read = span === undefined ? [] : readManagers(stored, span, new FieldSetMemo())
    hold(
      sameJson(JSON.parse(JSON.stringify(read)), JSON.parse(JSON.stringify(entries))),
      'managers read as they were',
    )
  },
}

const routes = makeRoutes(servedKinds)

const requestTarget: Target = {
  name: 'target',
  seeds: [
    '/api/v1/namespaces/default/configmaps?limit=5&labelSelector=a%3Db&watch=true&resourceVersion=5',
    '/apis/cove.run/v1/namespaces/default/containers/web/status?dryRun=All&fieldManager=x&force=true',
    '/apis/cove.run/v1/containers?fieldSelector=metadata.name%3Dweb&continue=abc&timeoutSeconds=5',
  ],
  words: [
    '/',
    '//',
    '..',
    '%2e%2e',
    '%2F',
    '%00',
    '%',
    '?',
    '&',
    '=',
    'api',
    'apis',
    'namespaces',
    'watch=1',
    'limit=',
    'status',
  ],
  run: (input) => {
    const { path, query } = splitTarget(input.toString('latin1'))
    for (const method of ['GET', 'POST', 'DELETE', 'BREW']) {
      const headers = { accept: input.toString('latin1') }
      try {
        parseRequest(routes, { method, path, query, headers })
        parseRequest(routes, { method, path, query, headers: {} })
      } catch (error) {
        if (!(error instanceof StatusError) || error.code >= 500) throw error
      }
    }
  },
}

export const bodyTargets: readonly Target[] = [
  json,
  duplicates,
  yaml,
  protobuf,
  fieldSet,
  managers,
  requestTarget,
]
