// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what looks like a placeholder is a variable of a Dockerfile
import test from 'ava'
import { compareEngineVersions } from './engineversion.ts'
import { type Choosing, chooseBuilder } from './features.ts'
import { parseDockerfile } from './parse.ts'

type Asking = Partial<Omit<Choosing, 'dockerfile'>>

function choose(lines: readonly string[], asking: Asking = {}): string | readonly string[] {
  const { dockerfile } = parseDockerfile(`${lines.join('\n')}\n`)
  const choice = chooseBuilder({
    builder: 'Auto',
    secrets: 0,
    engineBuilder: 'Classic',
    ...asking,
    dockerfile,
  })
  return 'needs' in choice ? choice.needs.map(({ message }) => message) : choice.builder
}

const plain = ['FROM a', 'RUN x']
const mount = ['FROM a', 'RUN --mount=type=cache,target=/x y']
const heredoc = ['FROM a', 'RUN <<EOF', 'x', 'EOF']

test('Auto takes the builder of the engine, and BuildKit where it is needed', (t) => {
  t.is(choose(plain), 'Classic')
  t.is(choose(plain, { engineBuilder: 'BuildKit' }), 'BuildKit')
  t.is(choose(plain, { secrets: 1 }), 'BuildKit')
  t.is(choose(mount), 'BuildKit')
  t.is(choose(['FROM a', 'ARG TARGETARCH']), 'BuildKit')
  t.is(choose(['FROM a', 'ARG TARGETARCH'], { args: { TARGETARCH: 'arm64' } }), 'Classic')
  t.is(choose(['FROM a AS b', 'FROM a AS b']), 'BuildKit')
  t.is(choose(['FROM a', 'COPY a b .']), 'BuildKit')
  t.is(choose(['FROM a', 'ONBUILD COPY --chmod=1 a /']), 'BuildKit')
  t.is(choose(['FROM a', 'COPY --link=false a /']), 'Classic')
})

test('the classic builder is refused what it cannot do, each thing once', (t) => {
  t.deepEqual(choose([...mount, 'RUN --mount=type=tmpfs,target=/y z'], { builder: 'Classic', secrets: 2 }), [
    'RUN --mount needs BuildKit, and spec.builder is Classic',
    'secrets need BuildKit, and spec.builder is Classic',
  ])
  t.deepEqual(choose(heredoc, { builder: 'Classic' }), [
    'heredocs need BuildKit, and spec.builder is Classic',
  ])
})

test('an engine that is too old is told, unless the Dockerfile brings its own reader', (t) => {
  const engineVersion = '20.10.24+dfsg1'
  t.is(choose(mount, { engineVersion }), 'BuildKit')
  t.deepEqual(choose(heredoc, { engineVersion }), [
    'heredocs need the BuildKit of Docker Engine 23.0 or later, and the node has 20.10.24+dfsg1',
  ])
  t.is(choose(heredoc, { engineVersion: '23.0.1' }), 'BuildKit')
  t.is(choose(['# syntax=docker/dockerfile:1', ...heredoc], { engineVersion }), 'BuildKit')
  t.deepEqual(choose(['FROM a', 'HEALTHCHECK --start-interval=1s CMD x'], { engineVersion }), [
    'HEALTHCHECK --start-interval needs Docker Engine 25.0 or later, and the node has 20.10.24+dfsg1',
  ])
  t.deepEqual(choose(['FROM a', 'ENV A=${B%c}'], { engineVersion }), [
    'the modifier % of a variable needs Docker Engine 26.0 or later, and the node has 20.10.24+dfsg1',
  ])
  t.deepEqual(choose(plain, { engineVersion: '17.05', builder: 'BuildKit' }), [
    'BuildKit needs Docker Engine 18.09 or later, and the node has 17.05',
  ])
})

test('versions of engines have an order', (t) => {
  t.true((compareEngineVersions('20.10.24+dfsg1', '23.0') ?? 0) < 0)
  t.true((compareEngineVersions('28.5.1', '28.3') ?? 0) > 0)
  t.is(compareEngineVersions('23.0.1', '23.0'), 0)
  t.is(compareEngineVersions('dev', '23.0'), undefined)
})

test('a network other than those of every engine takes the classic builder, and what needs BuildKit is refused', (t) => {
  const engineBuilder = 'BuildKit' as const
  t.is(choose(plain, { engineBuilder }), 'BuildKit')
  t.is(choose(plain, { engineBuilder, network: 'host' }), 'BuildKit')
  t.is(choose(plain, { engineBuilder, network: 'inner' }), 'Classic')
  t.deepEqual(choose(mount, { engineBuilder, network: 'inner' }), [
    'RUN --mount needs BuildKit, and spec.network inner needs the classic builder',
  ])
})
