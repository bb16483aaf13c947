/**
 * Fuzz targets of the whole API in this process: whatever is asked, the answer is the asker's fault or the thing asked
 * for, never a fault of the server. Writes are dry, so that every input meets the same objects.
 */
import { type ApiResponse, readAll, type Transport } from '#pkg/apimachinery/transport.ts'
import { splitTarget } from '#pkg/apimachinery/wire.ts'
import { writeYaml } from '#pkg/manifest/yaml.ts'
import { call, startTestServer } from '../helpers/apiserver.ts'
import { jsonWords, richConfigMap, richContainer } from './samples.ts'
import { hold, type Target } from './target.ts'

const container = '/apis/cove.run/v1/namespaces/default/containers'
const configMaps = '/api/v1/namespaces/default/configmaps'

/** One server for all inputs, made when the first comes. */
function onServer(use: (transport: Transport, input: Buffer) => Promise<ApiResponse>) {
  let made: Promise<Transport> | undefined
  return async (input: Buffer) => {
    made ??= start()
    const answer = await use(await made, input)
    const text = await readAll(answer.body)
    hold(isAnswer(answer), `${answer.status} is no answer: ${text.slice(0, 500)}`)
    hold(text.length <= 4 * 1024 * 1024, `an answer of ${text.length} characters is too long`)
    JSON.parse(text === '' ? 'null' : text)
  }
}

/** 504: a revision that is still to come was asked for. 503: so was a node, and there is none. */
function isAnswer({ status }: ApiResponse): boolean {
  return status < 500 || status === 503 || status === 504
}

async function start(): Promise<Transport> {
  const { transport } = await startTestServer()
  for (const [path, body] of [
    [container, richContainer],
    [configMaps, richConfigMap],
  ] as const) {
    const { status } = await call(transport, `POST ${path}`, { body })
    hold(status === 201, `the objects to begin with are made, ${status}`)
  }
  return transport
}

const patienceMs = 100

interface Ask {
  readonly method: string
  readonly path: string
  readonly query?: URLSearchParams
  readonly type?: string
  readonly body?: Buffer
}

async function ask(transport: Transport, { method, path, query, type, body }: Ask): Promise<ApiResponse> {
  // Time stands still in that server: what waits for a revision to come waits for the asker to give up.
  const patience = new AbortController()
  const timer = setTimeout(() => patience.abort(), patienceMs)
  const answer = await transport({
    method,
    path,
    query: query ?? new URLSearchParams('dryRun=All&fieldManager=fuzz'),
    headers: { accept: 'application/json', ...(type !== undefined && { 'content-type': type }) },
    ...(body !== undefined && { body }),
    signal: patience.signal,
  })
  clearTimeout(timer)
  return answer
}

const jsonType = 'application/json'

const create: Target = {
  name: 'create',
  seeds: [
    JSON.stringify({ ...richContainer, metadata: { name: 'other' } }),
    JSON.stringify({ ...richContainer, metadata: { generateName: 'x-' } }),
  ],
  words: jsonWords,
  rounds: 500,
  run: onServer((transport, body) =>
    ask(transport, { method: 'POST', path: container, type: jsonType, body }),
  ),
}

const update: Target = {
  name: 'update',
  seeds: [JSON.stringify(richContainer), JSON.stringify(richConfigMap)],
  words: [
    ...jsonWords,
    '"managedFields":[{}]',
    '"resourceVersion":"1"',
    '"uid":"x"',
    '"ownerReferences":[{"uid":"a"}]',
  ],
  rounds: 500,
  run: onServer((transport, body) => {
    const path = body.includes('ConfigMap') ? `${configMaps}/settings` : `${container}/web`
    return ask(transport, { method: 'PUT', path, type: jsonType, body })
  }),
}

const serverApply: Target = {
  name: 'apply',
  seeds: [writeYaml(richContainer), JSON.stringify(richContainer), writeYaml(richConfigMap)],
  words: [...jsonWords, '- ', ': ', '\n  ', '&a ', '*a', 'spec:\n', 'env:\n'],
  rounds: 500,
  run: onServer((transport, body) => {
    const path = body.includes('ConfigMap') ? `${configMaps}/settings` : `${container}/web`
    return ask(transport, { method: 'PATCH', path, type: 'application/apply-patch+yaml', body })
  }),
}

const patchTypes = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
]

const serverPatch: Target = {
  name: 'patch',
  seeds: [
    '{"spec":{"env":[{"name":"A","value":"3"}]}}',
    '[{"op":"replace","path":"/spec/image","value":"x"}]',
    '{"metadata":{"labels":{"a":null},"managedFields":[{}],"finalizers":null},"spec":{"command":["a"]}}',
  ],
  words: [
    ...jsonWords,
    '"$patch":"delete"',
    '"$setElementOrder/env":[',
    '"op":"copy"',
    '"path":"/metadata/labels/x"',
  ],
  rounds: 400,
  run: onServer(async (transport, body) => {
    for (const type of patchTypes.slice(0, -1)) {
      const answer = await ask(transport, { method: 'PATCH', path: `${container}/web`, type, body })
      hold(isAnswer(answer), `${answer.status} to ${type}`)
    }
    return ask(transport, { method: 'PATCH', path: `${container}/web`, type: patchTypes.at(-1) ?? '', body })
  }),
}

const continueToken: Target = {
  name: 'continue',
  seeds: [
    '{"rv":5,"after":"/registry/core/configmaps/default/settings"}',
    '{"rv":-1,"after":""}',
    '{"rv":0,"after":"/"}',
  ],
  words: ['"rv":', '"after":', '-1', '0', '9007199254740991', '/registry/', 'secrets/', '/', '0', '\\ud800'],
  run: onServer((transport, input) => {
    const query = new URLSearchParams({ limit: '2', continue: input.toString('base64url') })
    return ask(transport, { method: 'GET', path: configMaps, query })
  }),
}

const anyRequest: Target = {
  name: 'request',
  seeds: [
    `GET ${container}?limit=1&labelSelector=app%3Dweb\n\n`,
    `DELETE ${configMaps}/settings?dryRun=All\n${jsonType}\n{"kind":"DeleteOptions","apiVersion":"v1","preconditions":{"uid":"x"}}`,
    `POST ${configMaps}\n${jsonType}\n${JSON.stringify(richConfigMap)}`,
    `GET /openapi/v3/apis/cove.run/v1\n\n`,
    `POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews\n${jsonType}\n{"spec":{"resourceAttributes":{"verb":"get","resource":"pods"}}}`,
    `GET ${configMaps}?resourceVersion=1&resourceVersionMatch=Exact\n\n`,
    `PUT /api/v1/namespaces/default/finalize\n${jsonType}\n{}`,
    'GET /api/v1/namespaces/default/pods/web/log?tailLines=5\n\n',
  ],
  words: [
    ...jsonWords,
    '/',
    '..',
    '%2F',
    '%00',
    '?',
    '&',
    'dryRun=All',
    'namespaces',
    'status',
    'GET ',
    'PATCH ',
    'fieldSelector=metadata.name%3D',
    'application/yaml',
    'application/vnd.kubernetes.protobuf',
  ],
  rounds: 600,
  run: onServer(async (transport, input) => {
    const [line = '', type = '', ...rest] = input.toString().split('\n')
    const [method = '', to = ''] = line.split(' ')
    const { path, query } = splitTarget(to)
    // A watch does not end by itself, and what is written must not stay.
    for (const name of ['watch', 'dryRun', 'follow']) query.delete(name)
    query.set('dryRun', 'All')
    const body = Buffer.from(rest.join('\n'))
    return ask(transport, { method, path, query, ...(type !== '' && { type }), body })
  }),
}

export const serverTargets: readonly Target[] = [
  create,
  update,
  serverApply,
  serverPatch,
  continueToken,
  anyRequest,
]
