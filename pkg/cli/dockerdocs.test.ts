/** docs/docker.md names, for every command of Docker, a verb or a field that exists. */
import { readFile } from 'node:fs/promises'
import test from 'ava'
import { containerKind } from '#pkg/apis/container.kind.ts'
import type { Schema } from '#pkg/apis/schema.ts'
import { namedCommand } from './command.ts'
import { commands } from './commandtable.ts'

const families = {
  environment: 'info version',
  lifecycle: 'create exec kill pause restart rm run start stop unpause',
  registry: 'login logout pull push search',
  images: 'build images import load rmi save tag commit',
  operation: 'attach export inspect port ps rename stats top wait cp diff update',
  resources: 'volume network',
  logs: 'events history logs',
}

async function rows(): Promise<Map<string, string>> {
  const text = await readFile(new URL('../../docs/docker.md', import.meta.url), 'utf8')
  const found = text.matchAll(/^\| (\w+) \| (.*) \|$/gm)
  return new Map(
    [...found].filter(([, name]) => name !== 'docker').map(([, name = '', rest = '']) => [name, rest]),
  )
}

test('each of the 42 commands has a row, and nothing else has one', async (t) => {
  const expected = Object.values(families).flatMap((family) => family.split(' '))
  t.is(expected.length, 42)
  t.deepEqual([...(await rows()).keys()].toSorted(), expected.toSorted())
})

test('each row names verbs that exist, or says that there is none yet', async (t) => {
  for (const [name, row] of await rows()) {
    const named = [...row.matchAll(/`cove ([\w -]+)/g)].map(([, words = '']) => words)
    t.true(named.length > 0 || row.startsWith('not yet | '), name)
    for (const words of named) t.truthy(namedCommand(words.split(' '), commands), `${name}: cove ${words}`)
  }
})

test('each field that is named is one of a Container', async (t) => {
  const find = (schema: Schema | undefined, path: readonly string[]): Schema | undefined =>
    path.reduce<Schema | undefined>((at, name) => at?.properties?.[name], schema)
  for (const [name, row] of await rows())
    for (const [, path = ''] of row.matchAll(/`((?:spec|status)\.[\w.]+)/g))
      t.truthy(find(containerKind.schema, path.split('.')), `${name}: ${path}`)
})
