import test from 'ava'
import { BuildError } from '#pkg/engine/builds.ts'
import { mustFetchNothing } from './triggers.ts'

test('an image that would have something fetched by whoever is built on it is not built on', async (t) => {
  const judge = async (OnBuild: unknown) =>
    await mustFetchNothing(
      { inputs: { 'base a:1': 'sha256:1', context: 'tree:1' } },
      { rawImage: async (id) => (id === 'sha256:1' ? { Config: { OnBuild } } : undefined) },
    )
  for (const triggers of [null, [], ['RUN make', 'COPY . /src', 'ADD app.tar.gz /app']])
    await t.notThrowsAsync(judge(triggers))
  const error = await t.throwsAsync(judge(['RUN true', 'ADD http://127.0.0.1:9200/_all /x']), {
    instanceOf: BuildError,
  })
  t.regex(error?.message ?? '', /^base a:1 has ONBUILD ADD http:\/\/127\.0\.0\.1:9200\/_all \/x: /)
})
