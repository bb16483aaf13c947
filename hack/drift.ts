/** docs/drift.md, from the table of what becomes of each field of a Container. */
import { containerFields } from '#pkg/apis/container.changes.ts'

const words = { nothing: 'nothing', 'in place': 'in place', recreate: 'a new container' } as const

/** Markdown. */
export function driftPage(): string {
  const rows = Object.entries(containerFields).map(
    ([field, { observed, compared, change }]) =>
      `| \`${field}\` | ${observed} | ${compared} | ${words[change]} |`,
  )
  return [
    '<!-- Written by `make generate` from pkg/apis/container.changes.ts; change the table, not this page. -->',
    '# What becomes of each field of a Container',
    "The agent compares what its engine holds with what the spec asks for, after every change of either and at least every 30 seconds, and mends what differs. For each field: where it shows on the engine, by the names of `docker inspect`; how it is compared; and what a change of it does to the container that runs, be it in the manifest or behind Cove's back where the engine allows that. `cove diff` tells it before you apply, `status.differences` and `cove describe` while it is being mended.",
    "Some things are put right that are no field: a name that somebody changed, the engine's own restart policy, and a container that was stopped, paused, unpaused, killed or removed. What an engine or an image adds by itself is no difference: the numbers that stand for 0, the variables, labels, volumes and checks of the image.",
    ['| field | on the engine | compared | a change does |', '| --- | --- | --- | --- |', ...rows].join('\n'),
  ]
    .join('\n\n')
    .concat('\n')
}
