import test from 'ava'
import type { NodeDisk } from '#pkg/apis/looks.images.ts'
import { diskLists, diskRows } from './disk.ts'

const image = { references: [], digests: [], createdAt: '2026-01-01T00:00:00Z' }
const container = {
  image: 'a:1',
  command: 'sh',
  status: 'Up',
  createdAt: '2026-01-01T00:00:00Z',
  owner: { type: 'Nobody' },
} as const
const disk: NodeDisk = {
  layersBytes: 3_971_000,
  images: [
    {
      ...image,
      id: `sha256:${'1'.repeat(64)}`,
      references: ['a:1'],
      sizeBytes: 2_000_000,
      sharedBytes: 500_000,
      containers: 2,
    },
    { ...image, id: `sha256:${'2'.repeat(64)}`, sizeBytes: 1_000_000, sharedBytes: -1, containers: 1 },
    { ...image, id: `sha256:${'3'.repeat(64)}`, sizeBytes: 1_000_000, sharedBytes: 500_000, containers: 0 },
  ],
  containers: [
    { ...container, id: 'a'.repeat(64), name: 'up', state: 'running', writtenBytes: 10 },
    { ...container, id: 'b'.repeat(64), name: 'down', state: 'exited', writtenBytes: 30 },
  ],
  volumes: [
    { name: 'used', sizeBytes: 100, containers: 1, owner: { namespace: 'shop', name: 'used' } },
    { name: 'free', sizeBytes: 40, containers: 0 },
    { name: 'unknown', sizeBytes: -1, containers: 0 },
  ],
  buildCache: [
    {
      id: 'c'.repeat(25),
      type: 'regular',
      description: '',
      sizeBytes: 7,
      inUse: true,
      shared: false,
      createdAt: '2026-01-01T00:00:00Z',
    },
    {
      id: 'd'.repeat(25),
      type: 'regular',
      description: '',
      sizeBytes: 5,
      inUse: false,
      shared: false,
      createdAt: '2026-01-01T00:00:00Z',
    },
    {
      id: 'e'.repeat(25),
      type: 'regular',
      description: '',
      sizeBytes: 9,
      inUse: false,
      shared: true,
      createdAt: '2026-01-01T00:00:00Z',
    },
  ],
}

test('the sums are those of docker system df: what is shared or not known counts as it does there', (t) => {
  const rows = diskRows('n1', disk).map(({ Type, TotalCount, Active, Size, Reclaimable }) =>
    [Type, TotalCount, Active, Size, Reclaimable].join('|'),
  )
  t.deepEqual(rows, [
    'Images|3|2|3.971MB|2.471MB (62%)',
    'Containers|2|1|40B|30B (75%)',
    'Local Volumes|3|1|140B|40B (28%)',
    'Build Cache|3|1|12B|5B',
  ])
})

test('an empty disk has rows without shares', (t) => {
  const empty = { layersBytes: 0, images: [], containers: [], volumes: [], buildCache: [] }
  t.deepEqual(
    diskRows('n1', empty).map(({ Size, Reclaimable }) => `${Size} ${Reclaimable}`),
    ['0B 0B', '0B 0B', '0B 0B', '0B 0B'],
  )
})

test('the lists behind the sums say whose things are', (t) => {
  const text = diskLists(disk, Date.parse('2026-01-01T01:00:00Z'))
  t.regex(text, /used +1 +100B +volume shop\/used\n/)
  t.regex(text, /unknown +0 +N\/A +-\n/)
  t.regex(text, /111111111111 +About an hour ago +2MB +500kB +1.5MB +2\n/)
  t.regex(text, /Build cache usage: 12B\n/)
})
