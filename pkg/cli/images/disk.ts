/** What lies on the disks of nodes, as the four rows of `docker system df`, and as the lists behind them. Pure. */
import type { NodeDisk } from '#pkg/apis/looks.images.ts'
import { aboutText, exactText, shortID } from '../dockertext.ts'
import { ownerText } from '../looking.ts'
import { formatTable, type Row } from '../table.ts'
import { partsOf } from './filters.ts'

export const diskFields = ['Type', 'TotalCount', 'Active', 'Size', 'Reclaimable', 'Node'] as const
export const diskTitles = { TotalCount: 'TOTAL' } as const

export type DiskRow = Readonly<Record<(typeof diskFields)[number], string>>

interface Sum {
  readonly type: string
  readonly total: number
  readonly active: number
  readonly bytes: number
  readonly reclaimable: number
}

export function diskRows(node: string, disk: NodeDisk): DiskRow[] {
  return [imageSum(disk), containerSum(disk), volumeSum(disk), cacheSum(disk)].map((sum) => ({
    Type: sum.type,
    TotalCount: String(sum.total),
    Active: String(sum.active),
    Size: exactText(sum.bytes),
    Reclaimable: reclaimableText(sum),
    Node: node,
  }))
}

/** Of build cache no share is told. */
function reclaimableText({ type, bytes, reclaimable }: Sum): string {
  const text = exactText(reclaimable)
  const share = bytes > 0 && type !== 'Build Cache'
  return share ? `${text} (${Math.floor((reclaimable * 100) / bytes)}%)` : text
}

function total<T>(items: readonly T[], bytesOf: (item: T) => number): number {
  return items.reduce((sum, item) => sum + bytesOf(item), 0)
}

/** What only images in use have stays; layers that these share count as what goes, as Docker counts them. */
function imageSum({ images, layersBytes }: NodeDisk): Sum {
  const used = images.filter(({ containers }) => containers > 0)
  const kept = total(
    used.filter(({ sharedBytes }) => sharedBytes >= 0),
    ({ sizeBytes, sharedBytes }) => sizeBytes - sharedBytes,
  )
  const reclaimable = Math.max(0, layersBytes - kept)
  return { type: 'Images', total: images.length, active: used.length, bytes: layersBytes, reclaimable }
}

function containerSum({ containers }: NodeDisk): Sum {
  const isActive = ({ state }: NodeDisk['containers'][number]) =>
    state === 'running' || state === 'paused' || state === 'restarting'
  const bytesOf = ({ writtenBytes }: NodeDisk['containers'][number]) => writtenBytes
  return {
    type: 'Containers',
    total: containers.length,
    active: containers.filter(isActive).length,
    bytes: total(containers, bytesOf),
    reclaimable: total(
      containers.filter((container) => !isActive(container)),
      bytesOf,
    ),
  }
}

function volumeSum({ volumes }: NodeDisk): Sum {
  const known = volumes.filter(({ sizeBytes }) => sizeBytes >= 0)
  const bytesOf = ({ sizeBytes }: NodeDisk['volumes'][number]) => sizeBytes
  return {
    type: 'Local Volumes',
    total: volumes.length,
    active: volumes.filter(({ containers }) => containers > 0).length,
    bytes: total(known, bytesOf),
    reclaimable: total(
      known.filter(({ containers }) => containers === 0),
      bytesOf,
    ),
  }
}

function cacheSum({ buildCache }: NodeDisk): Sum {
  const own = buildCache.filter(({ shared }) => !shared)
  const bytesOf = ({ sizeBytes }: NodeDisk['buildCache'][number]) => sizeBytes
  return {
    type: 'Build Cache',
    total: buildCache.length,
    active: buildCache.filter(({ inUse }) => inUse).length,
    bytes: total(own, bytesOf),
    reclaimable: total(
      own.filter(({ inUse }) => !inUse),
      bytesOf,
    ),
  }
}

/** As `docker system df -v` lists it, and whose things are. */
export function diskLists(disk: NodeDisk, now: number): string {
  const cache = exactText(cacheSum(disk).bytes)
  return [
    `Images space usage:\n\n${formatTable([imageHeader, ...imageLines(disk, now)])}`,
    `\nContainers space usage:\n\n${formatTable([containerHeader, ...containerLines(disk, now)])}`,
    `\nLocal Volumes space usage:\n\n${formatTable([volumeHeader, ...volumeLines(disk)])}`,
    `\nBuild cache usage: ${cache}\n\n${formatTable([cacheHeader, ...cacheLines(disk, now)])}`,
  ].join('')
}

const imageHeader: Row = [
  'REPOSITORY',
  'TAG',
  'IMAGE ID',
  'CREATED',
  'SIZE',
  'SHARED SIZE',
  'UNIQUE SIZE',
  'CONTAINERS',
]
const containerHeader: Row = ['CONTAINER ID', 'IMAGE', 'SIZE', 'CREATED', 'STATUS', 'NAMES', 'OWNER']
const volumeHeader: Row = ['VOLUME NAME', 'LINKS', 'SIZE', 'OWNER']
const cacheHeader: Row = ['CACHE ID', 'CACHE TYPE', 'SIZE', 'CREATED', 'LAST USED', 'SHARED']

function imageLines({ images }: NodeDisk, now: number): Row[] {
  return images.map(({ id, references, createdAt, sizeBytes, sharedBytes, containers }) => {
    const [first] = references
    const { repository, tag = '<none>' } = first === undefined ? { repository: '<none>' } : partsOf(first)
    const known = sharedBytes >= 0
    return [
      repository,
      tag,
      shortID(id),
      ago(createdAt, now),
      exactText(sizeBytes),
      known ? exactText(sharedBytes) : 'N/A',
      known ? exactText(sizeBytes - sharedBytes) : 'N/A',
      String(containers),
    ]
  })
}

function containerLines({ containers }: NodeDisk, now: number): Row[] {
  return containers.map(({ id, image, writtenBytes, createdAt, status, name, owner }) => [
    shortID(id),
    image,
    exactText(writtenBytes),
    ago(createdAt, now),
    status,
    name,
    ownerText(owner),
  ])
}

function volumeLines({ volumes }: NodeDisk): Row[] {
  return volumes.map(({ name, containers, sizeBytes, owner }) => [
    name,
    String(containers),
    sizeBytes < 0 ? 'N/A' : exactText(sizeBytes),
    owner === undefined ? '-' : `volume ${owner.namespace}/${owner.name}`,
  ])
}

function cacheLines({ buildCache }: NodeDisk, now: number): Row[] {
  return buildCache.map(({ id, type, sizeBytes, createdAt, lastUsedAt, shared }) => [
    id.slice(0, 12),
    type,
    exactText(sizeBytes),
    ago(createdAt, now),
    lastUsedAt === undefined ? '' : ago(lastUsedAt, now),
    String(shared),
  ])
}

function ago(time: string, now: number): string {
  return `${aboutText(now - Date.parse(time))} ago`
}
