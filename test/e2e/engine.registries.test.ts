/** What a real engine makes of registries that misbehave is told apart, in bounded time, and leaves no image. */
import test from 'ava'
import { systemClock } from '#pkg/apimachinery/ambient.ts'
import { type Reason, StatusError } from '#pkg/apimachinery/errors.ts'
import { openDockerEngine } from '#pkg/engine/docker.ts'
import { type misdeeds, startBadRegistry } from '#test/helpers/badregistry.ts'
import { testEngineHost } from '#test/helpers/engine.ts'

const outcomes: Readonly<Record<keyof typeof misdeeds, Reason>> = {
  garbage: 'RegistryUnavailable',
  loop: 'RegistryUnavailable',
  busy: 'RegistryRateLimited',
  denied: 'RegistryUnauthorized',
  forbidden: 'RegistryUnauthorized',
  missing: 'ImageNotFound',
  broken: 'RegistryUnavailable',
  reset: 'RegistryUnavailable',
  lying: 'RegistryUnavailable',
  hanging: 'RegistryUnavailable',
}

for (const [misdeed, reason] of Object.entries(outcomes)) {
  test(`a pull from a registry that is ${misdeed} fails with ${reason}`, async (t) => {
    const engine = await openDockerEngine({ host: testEngineHost(), clock: systemClock(), stallMs: 8000 })
    t.teardown(() => engine.close())
    const reference = `${await startBadRegistry(t)}/${misdeed}/app:1`
    const error: unknown = await t.throwsAsync(
      engine.pullImage(reference, { signal: new AbortController().signal }),
    )
    t.log(String(error))
    t.true(error instanceof StatusError && error.reason === reason, String(error))
    t.is(await engine.imageDetails(reference), undefined)
    if (misdeed === 'hanging') t.regex(String(error), /was given up: nothing came for 8s/)
    if (misdeed === 'busy') t.like(error, { details: { retryAfterSeconds: 7 } })
  })
}
