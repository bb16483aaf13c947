/** `cove apply` of 50 containers that are as they should be: it must touch nothing, and take no longer than looking. */
import { withEvents } from './events.ts'
import type { Report } from './report.ts'
import { median, timed, withCove } from './running.ts'

const count = 50
const rounds = 9

export async function run(report: Report): Promise<void> {
  await withCove(async ({ cove, kubectl, manifest, engine, namespace }) => {
    const file = await manifest('noop', count)
    await cove('apply', '-f', file, '--wait')
    const ours: number[] = []
    const looks: number[] = []
    // Every call that changes anything of the benchmark's own shows as an event of the engine.
    const label = [`cove.run/namespace=${namespace}`]
    const touched = await withEvents(engine, { label }, async (seen) => {
      for (let round = 0; round < rounds; round++) {
        looks.push(await timed(() => kubectl('get', 'containers')))
        ours.push(await timed(() => cove('apply', '-f', file)))
      }
      return seen.length
    })
    const baseline = median(looks)
    report({
      name: `noop: changes on the engine by ${rounds} applies of ${count}`,
      value: touched,
      unit: 'events',
    })
    report({ name: `noop: kubectl get containers, ${count} of them`, value: baseline, unit: 'ms' })
    const value = median(ours)
    report({
      name: `noop: apply of ${count} unchanged`,
      value,
      unit: 'ms',
      baseline,
      ratio: value / baseline,
    })
  })
}
