import test from 'ava'
import { parseFormat } from './format.ts'

const object = (name: string) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, managedFields: [{ manager: 'somebody' }] },
})

test('managers of fields are printed only when they are asked for', async (t) => {
  const list = { apiVersion: 'v1', kind: 'List', metadata: {}, items: [object('a'), object('b')] }
  for (const output of ['yaml', 'json', 'jsonpath={..manager}']) {
    for (const value of [object('a'), list]) {
      const print = async (showManagedFields: boolean) => {
        const format = parseFormat(output, { showManagedFields, command: 'get' })
        return format.kind === 'objects' ? await format.print(value) : ''
      }
      t.notRegex(await print(false), /somebody/, output)
      t.regex(await print(true), /somebody/, output)
    }
  }
})
