import test from 'ava'
import { ask, startTestServer } from '#test/helpers/apiserver.ts'

const api = '/apis/cove.run/v1/namespaces/default'

interface Sent {
  readonly status: number
  /** `FIELD: MESSAGE` */
  readonly causes: readonly string[]
  readonly warnings: readonly string[]
}

async function startWithBuilds(t: { teardown(run: () => Promise<void>): void }) {
  const { transport, close } = await startTestServer()
  t.teardown(close)
  const sent = async (words: string, body: unknown): Promise<Sent> => {
    const answer = await ask(transport, words, { body })
    const causes: readonly { field: string; message: string }[] = answer.body.details?.causes ?? []
    const header = answer.headers['warning'] ?? []
    const all = Array.isArray(header) ? header : [header]
    return {
      status: answer.status,
      causes: causes.map(({ field, message }) => `${field}: ${message}`),
      warnings: all.flatMap((one) =>
        [...one.matchAll(/299 - "((?:[^"\\]|\\.)*)"/g)].map(([, text = '']) => text),
      ),
    }
  }
  const apply = (name: string, dockerfile: readonly string[], spec: object = {}) =>
    sent(`POST ${api}/builds`, {
      apiVersion: 'cove.run/v1',
      kind: 'Build',
      metadata: { name },
      spec: {
        context: { inline: { files: { a: 'x' } } },
        dockerfileInline: `${dockerfile.join('\n')}\n`,
        ...spec,
      },
    })
  const patch = (name: string, spec: object) => sent(`PATCH ${api}/builds/${name}`, { spec })
  return { transport, apply, patch }
}

test('a Dockerfile that no builder takes is refused with its line, column and what was probably meant', async (t) => {
  const { apply } = await startWithBuilds(t)
  t.deepEqual(await apply('b', ['FROM a', 'FOO x', 'COPY --form=b a /', 'COPPY a /']), {
    status: 422,
    causes: [
      'spec.dockerfileInline: line 2: unknown instruction: FOO',
      'spec.dockerfileInline: line 3, column 6: unknown flag: --form (did you mean --from?)',
      'spec.dockerfileInline: line 4: unknown instruction: COPPY (did you mean COPY?)',
    ],
    warnings: [],
  })
  t.like(await apply('b', ['RUN x']), { status: 422 })
  t.like(await apply('b', ['FROM a', 'COPY ../x /']), {
    causes: ['spec.dockerfileInline: line 2, column 6: COPY ../x lies outside of the context'],
  })
  t.like(await apply('b', ['FROM a', 'COPY x /'], { context: { empty: {} } }), {
    causes: ['spec.dockerfileInline: line 2, column 6: COPY x: there is no context to take it from'],
  })
})

test('a target that is not there, and what the classic builder cannot do, are told by their fields', async (t) => {
  const { apply } = await startWithBuilds(t)
  t.like(await apply('b', ['FROM a AS one'], { target: 'oen' }), {
    causes: ['spec.target: no stage is called oen (did you mean one?)'],
  })
  t.like(await apply('b', ['FROM a', 'RUN --mount=type=cache,target=/x y'], { builder: 'Classic' }), {
    causes: ['spec.builder: line 2, column 5: RUN --mount needs BuildKit, and spec.builder is Classic'],
  })
})

test('what is hardly meant is warned of', async (t) => {
  const { apply } = await startWithBuilds(t)
  const { status, warnings } = await apply('b', ['FROM a', 'MAINTAINER me', 'CMD a', 'CMD b'], {
    args: { NOPE: '1' },
    dockerfile: 'web.Dockerfile',
  })
  t.is(status, 201)
  t.deepEqual(
    warnings.map((warning) => warning.split(':').slice(0, 3).join(':')),
    [
      'web.Dockerfile: UnusedBuildArg: no ARG asks for the argument NOPE',
      'web.Dockerfile: Maintainer: line 2',
      'web.Dockerfile: MultipleInstructions: line 3',
    ],
  )
})

test('only a write that changes what is built is judged again', async (t) => {
  const { apply, patch } = await startWithBuilds(t)
  t.is((await apply('b', ['FROM a', 'MAINTAINER me'])).warnings.length, 1)
  t.deepEqual(await patch('b', { suspend: true }), { status: 200, causes: [], warnings: [] })
  t.is((await patch('b', { args: { NOPE: '1' } })).warnings.length, 2)
  t.is((await patch('b', { dockerfileInline: 'FOM a\n' })).status, 422)
})

test('a node whose engine is too old for it is told of, as long as no other could build it', async (t) => {
  const { transport, apply } = await startWithBuilds(t)
  const node = async (name: string, version: string) => {
    const body = { apiVersion: 'cove.run/v1', kind: 'Node', metadata: { name }, spec: {} }
    await ask(transport, 'POST /apis/cove.run/v1/nodes', { body })
    const status = { engine: { version } }
    await ask(transport, `PATCH /apis/cove.run/v1/nodes/${name}/status`, { body: { status } })
  }
  const heredoc = ['FROM a', 'COPY <<EOF /x', 'hi', 'EOF']
  t.deepEqual((await apply('nowhere', heredoc)).warnings, [])
  await node('old', '20.10.24')
  t.deepEqual((await apply('first', heredoc)).warnings, [
    'Dockerfile: line 2, column 6: heredocs need the BuildKit of Docker Engine 23.0 or later, and the node has 20.10.24',
  ])
  await node('new', '28.0.1')
  t.deepEqual((await apply('second', heredoc)).warnings, [])
  t.is((await apply('third', heredoc, { nodeName: 'old' })).warnings.length, 1)
})
