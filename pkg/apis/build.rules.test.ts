import test from 'ava'
import { buildKind } from './build.ts'
import { makeRuleChecker } from './cel.ts'
import { applyDefaults } from './normalize.ts'
import { validate } from './validate.ts'

const rules = makeRuleChecker()
const empty = { context: { empty: {} }, dockerfileInline: 'FROM scratch\n' }

function broken(spec: Record<string, unknown>): string[] {
  const value = { apiVersion: 'cove.run/v1', kind: 'Build', metadata: { name: 'web' }, spec }
  const object = applyDefaults(buildKind.schema, value)
  const wrong = validate(buildKind.schema, object)
  const told = wrong.length > 0 ? wrong : rules.check(buildKind.schema, object)
  return told.map(({ field, message }) => `${field}: ${message}`)
}

/** What is said of each spec. */
const table: readonly (readonly [string, Record<string, unknown>, readonly RegExp[]])[] = [
  ['a Dockerfile alone', empty, []],
  ['a folder, whose Dockerfile lies outside', { context: { path: 'web' }, dockerfile: '../Dockerfile' }, []],
  ['no context', { context: {} }, [/^spec\.context: needs one of path, upload, git/]],
  [
    'two contexts',
    { ...empty, context: { empty: {}, hostPath: '/a' } },
    [/^spec\.context: has hostPath and empty/],
  ],
  [
    'an upload without the text of the Dockerfile',
    { context: { upload: `tree:${'0'.repeat(64)}` } },
    [/^spec\.dockerfileInline: goes along with an upload/],
  ],
  [
    'no files and no Dockerfile',
    { context: { empty: {} } },
    [/^spec\.dockerfileInline: is needed when there is no context/],
  ],
  [
    'a Dockerfile outside a context that the node fetches',
    { context: { git: { url: 'https://example.com/a.git' } }, dockerfile: 'a/../../Dockerfile' },
    [/^spec\.dockerfile: must be inside the context/],
  ],
  [
    'a subdirectory outside the repository',
    { context: { git: { url: 'https://example.com/a.git', subdirectory: '../b' } } },
    [/^spec\.context\.git\.subdirectory: must stay inside the repository/],
  ],
  [
    'a tag with a digest',
    { ...empty, tags: [`a@sha256:${'0'.repeat(64)}`] },
    [/^spec\.tags: must be without a digest/],
  ],
  [
    'secrets for the classic builder',
    { ...empty, builder: 'Classic', secrets: [{ id: 'a', secret: 'b', key: 'c' }] },
    [/^spec\.secrets: need BuildKit/],
  ],
  [
    'a Network for BuildKit',
    { ...empty, builder: 'BuildKit', network: 'inner' },
    [/^spec\.network: must be default, none or host/],
  ],
  ['no network for BuildKit', { ...empty, builder: 'BuildKit', network: 'none' }, []],
  ['a Network for whatever fits', { ...empty, network: 'inner' }, []],
  [
    'to ask all the time',
    { ...empty, triggers: { interval: '1s' } },
    [/^spec\.triggers\.interval: must be at least 5s/],
  ],
  [
    'a time zone of nothing',
    { ...empty, triggers: { timeZone: 'Europe/Berlin' } },
    [/^spec\.triggers\.timeZone: only goes with schedule/],
  ],
]

for (const [name, spec, expected] of table)
  test(`${expected.length === 0 ? 'takes' : 'refuses'} ${name}`, (t) => {
    const told = broken(spec)
    t.is(told.length, expected.length, told.join('; '))
    for (const [at, pattern] of expected.entries()) t.regex(told[at] ?? '', pattern)
  })
