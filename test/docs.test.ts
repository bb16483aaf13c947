/** Pages for people say what is so: commands that are understood, fields that exist, links that lead somewhere. */
import { readdir, readFile } from 'node:fs/promises'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { messageOf } from '#pkg/apimachinery/errors.ts'
import { makeRuleChecker } from '#pkg/apis/cel.ts'
import { kinds } from '#pkg/apis/kinds.ts'
import { podKind } from '#pkg/apis/pod.kind.ts'
import type { Schema } from '#pkg/apis/schema.ts'
import { parseArgs } from '#pkg/cli/args.ts'
import { groupMembers, namedCommand } from '#pkg/cli/command.ts'
import { commonFlags } from '#pkg/cli/commandtable.flags.ts'
import { commands } from '#pkg/cli/commandtable.ts'
import { checkManifests } from '#pkg/manifest/check.ts'
import { decodeManifest } from '#pkg/manifest/decode.ts'
import { problemText } from '#pkg/manifest/place.ts'
import { daemonHelp, serverTools } from '../cmd/cove/flags.ts'
import { readSources } from './helpers/sources.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

interface Page {
  readonly name: string
  readonly text: string
}

async function pages(): Promise<Page[]> {
  const below = await Promise.all(
    ['docs', 'examples'].map(async (folder) =>
      (await readdir(join(root, folder), { recursive: true })).map((file) => join(folder, file)),
    ),
  )
  const names = ['README.md', 'ARCHITECTURE.md', ...below.flat().filter((file) => file.endsWith('.md'))]
  return Promise.all(names.map(async (name) => ({ name, text: await readFile(join(root, name), 'utf8') })))
}

/** What stands behind `cove` in blocks of code, up to a comment or a pipe, and in code within sentences. */
function commandLines(text: string): string[] {
  const parts = text.split(/^```.*$/m)
  const ofBlock = (block: string) => [...block.matchAll(/(?:^|\$ |\| |&& )cove ([^|&#<>\n]*)/gm)]
  const ofProse = (prose: string) => [...prose.matchAll(/`cove ([^`|<>]*)[^`]*`/g)]
  return parts.flatMap((part, index) =>
    (index % 2 === 1 ? ofBlock(part) : ofProse(part)).map(([, words = '']) => words.trim()),
  )
}

function wordsOf(line: string): string[] {
  return [...line.matchAll(/(?:[^\s'"]|'[^']*'|"[^"]*")+/g)].map(([word]) => word.replaceAll(/['"]/g, ''))
}

/** What is wrong with it; undefined when it is understood. */
function faultOf(line: string): string | undefined {
  const words = wordsOf(line)
  const [name = '', ...following] = words
  if (name === 'help' || name === 'COMMAND' || name === '--help') return undefined
  if (name === 'up' || name === 'server' || name === 'agent') return faultOfDaemon(name, following)
  if (following.length === 0 && groupMembers(name, commands).length > 0) return undefined
  const found = namedCommand(words, commands)
  return found === undefined ? 'there is no such command' : faultOfCommand(found.command, found.rest)
}

function faultOfCommand(
  { name, flags, usage, commandFollows }: (typeof commands)[number],
  words: readonly string[],
): string | undefined {
  const depth = name.split(' ').length
  const verbs = usage.flatMap((each) => (each.split(' ')[depth] ?? '').split('|'))
  try {
    const args = parseArgs(words, [...flags, ...commonFlags], { firstEnds: commandFollows === true })
    const [verb] = args.positionals
    const hasVerbs = verbs.every((word) => /^[a-z]+$/.test(word))
    return hasVerbs && verb !== undefined && !verbs.includes(verb) ? `there is no ${verb}` : undefined
  } catch (error) {
    return messageOf(error)
  }
}

function faultOfDaemon(name: 'up' | 'server' | 'agent', words: readonly string[]): string | undefined {
  if (name === 'server' && serverTools.has(words[0] ?? '')) return undefined
  const help = daemonHelp(name)
  const unknown = words.find((word) => word.startsWith('--') && !help.includes(`${word} `))
  return unknown === undefined ? undefined : `it has no ${unknown}`
}

function hasField(schema: Schema | undefined, path: readonly string[]): boolean {
  const [name, ...rest] = path
  if (schema === undefined) return false
  const inner = schema.items ?? schema
  if (name === undefined || inner.properties === undefined) return true
  return hasField(inner.properties[name], rest)
}

test('every command line is understood', async (t) => {
  const lines = (await pages()).flatMap(({ name, text }) =>
    commandLines(text).map((line) => ({ name, line })),
  )
  t.true(lines.length > 150, String(lines.length))
  const faults = lines.flatMap(({ name, line }) => {
    const fault = faultOf(line)
    return fault === undefined ? [] : [`${name}: cove ${line}: ${fault}`]
  })
  t.deepEqual(faults, [])
})

test('every field of spec and status is one of a kind', async (t) => {
  const named = (await pages()).flatMap(({ name, text }) =>
    [...text.matchAll(/`((?:spec|status)\.[A-Za-z][\w.[\]{}]*)(?:[:=][^`]*)?`/g)].map(([, path = '']) => ({
      name,
      path,
    })),
  )
  const fields = named.filter(({ path }) => !path.endsWith('.ts'))
  t.true(fields.length > 50, String(fields.length))
  const unknown = fields.filter(({ path }) => {
    const names = path.replaceAll(/\[\w*\]|\{\}/g, '').split('.')
    return ![...kinds, podKind].some(({ schema }) => hasField(schema, names))
  })
  t.deepEqual(unknown, [])
})

test('every manifest is one that would be taken', async (t) => {
  const texts = (await pages()).flatMap(({ name, text }) =>
    [...text.matchAll(/^```yaml\n(apiVersion: .*?)^```/gms)].map(([, block = '']) => ({ name, text: block })),
  )
  t.true(texts.length > 10, String(texts.length))
  const rules = makeRuleChecker()
  const problems = texts.flatMap((source) => {
    const { documents, problems: unread } = decodeManifest(source)
    const checked = checkManifests(documents, { kinds, rules, defaultNamespace: 'default' })
    return [...unread, ...checked.problems].map(problemText)
  })
  t.deepEqual(problems, [])
})

test('every decision is told of on a page', async (t) => {
  const decisions = (await readdir(join(root, 'docs/adr'))).filter((file) => !file.startsWith('0000'))
  const numbers = decisions.map((file) => Number(file.slice(0, 4))).toSorted((a, b) => a - b)
  t.deepEqual(
    numbers,
    numbers.map((_, index) => index + 1),
  )
  const text = (await pages()).map((page) => page.text).join('')
  t.deepEqual(
    decisions.filter((file) => !text.includes(`adr/${file})`)),
    [],
  )
})

test('every source file that is named is there', async (t) => {
  const sources = readSources(['cmd', 'pkg', 'test', 'hack']).map(({ path }) => `/${path}`)
  const named = (await pages()).flatMap(({ name, text }) =>
    [...text.matchAll(/`((?!x\.)[\w./-]+\.ts)`/g)].map(([, file = '']) => ({ name, file })),
  )
  t.true(named.length > 50, String(named.length))
  const missing = named.filter(({ file }) => !sources.some((path) => path.endsWith(`/${file}`)))
  t.deepEqual(missing, [])
})

test('docs/cli.md names every command', async (t) => {
  const page = await readFile(join(root, 'docs/cli.md'), 'utf8')
  const { 1: table = '' } = page.split(/^## /m)
  const missing = commands.filter(({ name }) => !new RegExp(`\`(?:cove )?${name}[ \`]`).test(table))
  t.deepEqual(
    missing.map(({ name }) => name),
    [],
  )
})

test('every link within the project leads somewhere', async (t) => {
  const all = await pages()
  const anchors = new Map(all.map(({ name, text }) => [name, anchorsOf(text)]))
  const top = new Set(await readdir(root))
  const links = all.flatMap(({ name, text }) =>
    [...text.matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].map(([, target = '']) => ({ name, target })),
  )
  t.true(links.length > 50, String(links.length))
  const broken = links.filter(({ name, target }) => {
    const [file = '', anchor] = target.split('#')
    const page = file === '' ? name : normalize(join(dirname(name), file))
    if (anchor !== undefined) return !anchors.get(page)?.includes(anchor)
    return page.endsWith('.md') ? !anchors.has(page) : !top.has(page.split('/')[0] ?? '')
  })
  t.deepEqual(broken, [])
})

/** As they are made of headings. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  )
}
