/** A whole `cove get containers`, from the start of the process to its end, against kubectl on the same server. */
import type { Report } from './report.ts'
import { median, timed, withCove } from './running.ts'

const rounds = 21

export async function run(report: Report): Promise<void> {
  await withCove(async ({ cove, kubectl, manifest }) => {
    await cove('apply', '-f', await manifest('cli', 3), '--wait')
    const [ours, theirs, starts]: [number[], number[], number[]] = [[], [], []]
    // Discovery is in kubectl's cache from here on, as it is for whoever uses it daily.
    await kubectl('get', 'containers')
    for (let round = 0; round < rounds; round++) {
      theirs.push(await timed(() => kubectl('get', 'containers')))
      ours.push(await timed(() => cove('get', 'containers')))
      starts.push(await timed(() => cove('version', '--client')))
    }
    const baseline = median(theirs)
    const row = (name: string, value: number) =>
      report({ name, value, unit: 'ms', baseline, ratio: value / baseline })
    report({ name: 'cli: kubectl get containers', value: baseline, unit: 'ms' })
    row('cli: cove get containers', median(ours))
    row('cli: cove version --client, no server asked', median(starts))
  })
}
