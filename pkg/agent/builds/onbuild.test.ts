import test from 'ava'
import { BuildError } from '#pkg/engine/builds.ts'
import { mustFetchNothing, triggersByStep } from './onbuild.ts'

test('an image that would have something fetched by whoever is built on it is not built on', (t) => {
  const judge = (OnBuild: unknown) => mustFetchNothing(new Map([['a:1', { Config: { OnBuild } }]]))
  for (const triggers of [null, [], ['RUN make', 'COPY . /src', 'ADD app.tar.gz /app']])
    t.notThrows(() => judge(triggers))
  const error = t.throws(() => judge(['RUN true', 'ADD http://127.0.0.1:9200/_all /x']), {
    instanceOf: BuildError,
  })
  t.regex(error?.message ?? '', /^base a:1 has ONBUILD ADD http:\/\/127\.0\.0\.1:9200\/_all \/x: /)
})

test('what a FROM brings along is told of its step, with the classic builder', (t) => {
  const lines = [
    'ARG V=1',
    'FROM a:$V AS one',
    'RUN true',
    'FROM b AS kept',
    'ONBUILD RUN  make',
    'FROM kept',
    'RUN true',
  ]
  const of = (builder: 'Classic' | 'BuildKit') =>
    triggersByStep(
      { dockerfile: `${lines.join('\n')}\n`, args: { V: '2' }, builder },
      new Map<string, unknown>([
        ['a:2', { Config: { OnBuild: ['COPY . /src', 'RUN make'] } }],
        ['b', { Config: { OnBuild: null } }],
      ]),
    )
  t.deepEqual(
    [...of('Classic')],
    [
      [2, ['COPY . /src', 'RUN make']],
      [6, ['RUN make']],
    ],
  )
  t.is(of('BuildKit').size, 0)
})
