import test from 'ava'
import { BuildError } from '#pkg/engine/builds.ts'
import { mustFetchNothing } from './triggers.ts'

test('an image that would have something fetched by whoever is built on it is not built on', (t) => {
  const judge = (OnBuild: unknown) => mustFetchNothing(new Map([['a:1', { Config: { OnBuild } }]]))
  for (const triggers of [null, [], ['RUN make', 'COPY . /src', 'ADD app.tar.gz /app']])
    t.notThrows(() => judge(triggers))
  const error = t.throws(() => judge(['RUN true', 'ADD http://127.0.0.1:9200/_all /x']), {
    instanceOf: BuildError,
  })
  t.regex(error?.message ?? '', /^base a:1 has ONBUILD ADD http:\/\/127\.0\.0\.1:9200\/_all \/x: /)
})
