/** docs/events.md, from the table of reasons that every recorder is held to. */
import { eventReasons } from '#pkg/apis/eventreasons.ts'

/** Markdown. */
export function eventsPage(): string {
  const rows = Object.entries(eventReasons).map(
    ([reason, { type, about, meaning }]) => `| \`${reason}\` | ${type} | ${about} | ${meaning} |`,
  )
  return [
    '<!-- Written by `make generate` from pkg/apis/eventreasons.ts; change the table, not this page. -->',
    '# Events',
    'Everything that Cove does to an object, and everything that is in its way, is an Event in the namespace of the object: `kubectl get events`, `cove events --for container/web`, `cove why web`. The reason is a stable word for programs; the message says what was done because of what. An event that comes again counts up, and is forgotten an hour after it last came.',
    ['| reason | type | about | meaning |', '| --- | --- | --- | --- |', ...rows].join('\n'),
  ]
    .join('\n\n')
    .concat('\n')
}
