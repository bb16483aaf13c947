import test from 'ava'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import { servedKinds } from '#pkg/apis/kinds.ts'
import { makeRoutes, parseRequest } from './request.ts'

const routes = makeRoutes(servedKinds)

function parse(line: string, headers: Record<string, string> = {}) {
  const [method = '', url = ''] = line.split(' ')
  const [path = '', query = ''] = url.split('?')
  return parseRequest(routes, { method, path, query: new URLSearchParams(query), headers })
}

function short(line: string): string {
  const { verb, kind, namespace, name, subresource } = parse(line)
  return [verb, kind.kind, namespace ?? '-', name ?? '-', subresource ?? '-'].join(' ')
}

function reason(line: string, headers: Record<string, string> = {}): string {
  try {
    parse(line, headers)
    return 'no error'
  } catch (error) {
    return error instanceof StatusError ? error.reason : String(error)
  }
}

const containers = '/apis/cove.run/v1/namespaces/default/containers'

test('paths and methods become kind, verb, namespace, name and subresource', (t) => {
  t.is(short(`GET ${containers}`), 'list Container default - -')
  t.is(short('GET /apis/cove.run/v1/containers'), 'list Container - - -')
  t.is(short(`GET ${containers}?watch=1`), 'watch Container default - -')
  t.is(short(`GET ${containers}?watch=false`), 'list Container default - -')
  t.is(short(`POST ${containers}`), 'create Container default - -')
  t.is(short(`PUT ${containers}/web/status`), 'update Container default web status')
  t.is(short(`PATCH ${containers}/web`), 'patch Container default web -')
  t.is(short(`DELETE ${containers}/a%20b`), 'delete Container default a b -')
  t.is(short(`DELETE ${containers}`), 'deletecollection Container default - -')
  t.is(short('GET /api/v1/namespaces'), 'list Namespace - - -')
  t.is(short('GET /api/v1/namespaces/secrets'), 'get Namespace - secrets -')
  t.is(short('GET /api/v1/namespaces/x/status'), 'get Namespace - x status')
  t.is(short('GET /api/v1/namespaces/x/secrets'), 'list Secret x - -')
  t.is(short('PUT /api/v1/namespaces/x/finalize'), 'update Namespace - x finalize')
})

test('what is no path of the API is not found, what cannot be done there is not allowed', (t) => {
  for (const path of [
    '/',
    '/api',
    '/apis/cove.run/v1',
    '/apis/cove.run/v1/containers/web',
    '/apis/cove.run/v1/namespaces/default/nodes',
    `${containers}/web/scale`,
    `${containers}/web/status/more`,
    '/api/v1/namespaces/x/secrets/s/status',
  ]) {
    t.is(reason(`GET ${path}`), 'NotFound', path)
  }
  t.is(reason('PATCH /api/v1/namespaces/x/finalize'), 'MethodNotAllowed')
  t.is(reason(`DELETE ${containers}/web/status`), 'MethodNotAllowed')
  t.is(reason(`BREW ${containers}`), 'MethodNotAllowed')
})

test('the status of what is only shown can be read and not written', (t) => {
  t.is(reason('GET /api/v1/namespaces/x/pods/web/status'), 'no error')
  t.is(reason('PATCH /api/v1/namespaces/x/pods/web/status'), 'MethodNotAllowed')
})

test('booleans are parsed, never taken for truthy', (t) => {
  for (const [text, value] of [
    ['true', true],
    ['1', true],
    ['false', false],
    ['0', false],
    ['', false],
  ] as const) {
    t.is(parse(`GET ${containers}?allowWatchBookmarks=${text}`).options.allowWatchBookmarks, value)
  }
  t.is(reason(`GET ${containers}?allowWatchBookmarks=yes`), 'BadRequest')
})

test('options have defaults and are refused when malformed', (t) => {
  const { options } = parse(`GET ${containers}`)
  t.is(options.fieldValidation, 'Strict')
  t.is(options.resourceVersion, undefined)
  t.is(options.sendInitialEvents, undefined)
  t.is(options.includeObject, 'Metadata')
  for (const query of [
    'limit=-1',
    'limit=1.5',
    'resourceVersion=abc',
    'timeoutSeconds=soon',
    'gracePeriodSeconds=-3',
    'includeObject=All',
    'labelSelector=a%3D%3D%3D',
    'fieldSelector=spec.nodeName',
    'fieldSelector=spec.env%3Dx',
  ]) {
    t.is(reason(`GET ${containers}?${query}`), 'BadRequest', query)
  }
  for (const query of ['fieldValidation=Maybe', 'dryRun=None']) {
    t.is(reason(`GET ${containers}?${query}`), 'no error', query)
    t.is(reason(`POST ${containers}?${query}`), 'Invalid', query)
  }
})

test('the first form in Accept that the server has is taken', (t) => {
  const accept = (value: string) => parse(`GET ${containers}`, { accept: value }).accept
  const kubectl =
    'application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json'
  t.is(accept(kubectl), 'Table')
  t.is(accept('application/vnd.kubernetes.protobuf,application/json'), 'JSON')
  t.is(
    accept('application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1, */*'),
    'PartialObjectMetadata',
  )
  t.is(accept('application/json;as=Table;v=v1beta1;g=meta.k8s.io, */*;q=0.1'), 'JSON')
  t.is(accept(''), 'JSON')
  t.is(reason(`GET ${containers}`, { accept: 'text/html' }), 'NotAcceptable')
})
