import test from 'ava'
import { container } from '#test/helpers/world.ts'
import { containerWarnings } from './container.warnings.ts'

test('a check that exits with a code other than 0 and 1 is warned of', (t) => {
  const warnings = (healthcheck: Record<string, unknown>) =>
    containerWarnings(container('web', { healthcheck }))
  t.deepEqual(warnings({ shell: 'test -e /ok || exit 2' }), [
    'spec.healthcheck: "exit 2" counts as a failure like any code but 0, and 2 is reserved; let the check exit with 0 or 1',
  ])
  t.is(warnings({ command: ['sh', '-c', 'exit 13'] }).length, 1)
  for (const shell of ['curl -f localhost || exit 1', 'exit 0', 'exit $?', 'echo exits 2']) {
    t.deepEqual(warnings({ shell }), [])
  }
  t.deepEqual(warnings({ tcp: { port: 2 } }), [])
})

test('a moving tag is warned of, a version is not', (t) => {
  t.is(containerWarnings(container('web', { image: 'nginx' })).length, 1)
  t.deepEqual(containerWarnings(container('web', { image: 'nginx:1.27' })), [])
})
