import test from 'ava'
import type { Kind } from '#pkg/apis/kind.ts'
import { kinds } from '#pkg/apis/kinds.ts'
import { encodeObject } from '../cache/encoded.ts'
import { tableText } from './table.ts'

const broken: Kind = {
  ...configMap(),
  columns: [
    {
      name: 'Data',
      type: 'string',
      description: 'Fails.',
      wide: true,
      cell: () => {
        throw new TypeError('no data')
      },
    },
  ],
}

test('a cell that fails tells why and leaves the rest of the table whole', (t) => {
  const text = encodeObject(broken, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' } })
  const table = JSON.parse(
    tableText(broken, [text, text], { resourceVersion: '1' }, { includeObject: 'None', now: 0 }),
  )
  t.deepEqual(table.rows, [{ cells: ['c', '<no data>'] }, { cells: ['c', '<no data>'] }])
  t.is(table.columnDefinitions[1].priority, 1)
  t.is(table.metadata.resourceVersion, '1')
})

function configMap(): Kind {
  const kind = kinds.find((candidate) => candidate.kind === 'ConfigMap')
  if (kind === undefined) throw new Error('there is no kind ConfigMap')
  return kind
}
