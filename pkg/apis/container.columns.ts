/** The table of Containers: the words of `docker ps` where it has them. */

import { findCondition } from '#pkg/apimachinery/meta.ts'
import { humanDuration } from '#pkg/apimachinery/quantity.ts'
import { ageColumn } from './columns.ts'
import { imageText, shortImage } from './container.image.ts'
import type { Container } from './container.ts'
import type { Column } from './kind.ts'

export const containerColumns: readonly Column<Container>[] = [
  {
    name: 'Ready',
    type: 'string',
    description: 'Whether it does what it should.',
    jsonPath: '.status.conditions[?(@.type=="Ready")].status',
    cell: ready,
  },
  {
    name: 'Status',
    type: 'string',
    description: 'What it is doing, or why not.',
    jsonPath: '.status.phase',
    cell: status,
  },
  {
    name: 'Health',
    type: 'string',
    description: 'Result of the healthcheck.',
    jsonPath: '.status.health.status',
    cell: ({ status }) => status?.health?.status ?? '',
  },
  {
    name: 'Restarts',
    type: 'integer',
    description: 'How often it was started again.',
    jsonPath: '.status.restartCount',
    cell: ({ status }) => status?.restartCount ?? 0,
  },
  {
    name: 'Image',
    type: 'string',
    description: 'The image asked for.',
    jsonPath: '.spec.image',
    // Of one that follows an Image, the tag that it runs, or the id where no registry has named it.
    cell: ({ spec, status }) =>
      spec.imageFrom === undefined
        ? imageText(spec)
        : shortImage(status?.image?.reference ?? '') || imageText(spec),
  },
  { name: 'Ports', type: 'string', description: 'Published ports.', cell: ports },
  ageColumn,
  {
    name: 'Node',
    type: 'string',
    description: 'Where it runs.',
    jsonPath: '.spec.nodeName',
    wide: true,
    cell: ({ spec }) => spec.nodeName ?? '',
  },
  {
    name: 'IP',
    type: 'string',
    description: 'Its address.',
    jsonPath: '.status.ip',
    wide: true,
    cell: ({ status }) => status?.ip ?? '',
  },
  {
    name: 'Container ID',
    type: 'string',
    description: 'Short id on the engine.',
    jsonPath: '.status.containerID',
    wide: true,
    cell: ({ status }) => status?.containerID?.slice(0, 12) ?? '',
  },
  {
    name: 'Command',
    type: 'string',
    description: 'Entry point and arguments.',
    wide: true,
    cell: ({ status }) => status?.effectiveCommand?.join(' ') ?? '',
  },
  {
    name: 'Created',
    type: 'string',
    description: 'When this run began.',
    wide: true,
    jsonPath: '.status.startedAt',
    cell: started,
  },
]

function ready({ status }: Container): string {
  return findCondition(status?.conditions, 'Ready')?.status ?? 'Unknown'
}

/** Phases of what should run and does not. */
const notThere: readonly string[] = ['Pending', 'Starting', 'Failed']

/** The phase, or the reason that keeps it from being Ready when that says more. */
function status({ metadata, status }: Container): string {
  if (metadata.deletionTimestamp !== undefined) return 'Terminating'
  const condition = findCondition(status?.conditions, 'Ready')
  const phase = status?.phase ?? 'Pending'
  const telling = condition?.status === 'False' && notThere.includes(phase)
  return telling ? condition.reason : phase
}

function ports({ status }: Container): string {
  return (status?.ports ?? [])
    .map(
      (port) =>
        `${port.hostIP.includes(':') ? `[${port.hostIP}]` : port.hostIP}:${port.hostPort}->${port.containerPort}/${port.protocol.toLowerCase()}`,
    )
    .join(', ')
}

function started({ status }: Container, now: number): string {
  return status?.startedAt === undefined ? '' : `${humanDuration(now - Date.parse(status.startedAt))} ago`
}
