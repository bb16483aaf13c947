/** The house rules of ARCHITECTURE.md as tests: what may import what, and what may stand where. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import {
  ambient,
  ambientExceptions,
  ambientFiles,
  ambientModules,
  maxLines,
  mayImport,
  pureFiles,
  pureModules,
  rooms,
  walls,
} from './architecture.rules.ts'
import {
  type Import,
  isTest,
  lineOf,
  readSources,
  root,
  type SourceFile,
  targetOf,
} from './helpers/sources.ts'

const everything = readSources(['cmd', 'pkg', 'test', 'hack'])
const product = everything.filter(({ path }) => /^(cmd|pkg)\//.test(path) && !isTest(path))
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/** A rule holds when nothing is found; what is found is the message. */
function rule(name: string, whatToDo: string, find: () => readonly string[]): void {
  test(name, (t) => {
    const found = find()
    if (found.length === 0) t.pass()
    else t.fail(`${whatToDo}\n  ${found.join('\n  ')}`)
  })
}

function* importsIn(
  files: readonly SourceFile[],
): Generator<{ file: SourceFile; found: Import; at: string }> {
  for (const file of files) {
    for (const found of file.imports) yield { file, found, at: `${file.path}:${found.line}` }
  }
}

/** `pkg/engine/docker.ts` -> `engine`; outside pkg its first folder. */
function folderOf(path: string): string {
  const [top = '', folder = ''] = path.split('/')
  return top === 'pkg' ? folder : `${top}/`
}

function mustNotReach(file: SourceFile, found: Import): string | undefined {
  const target = targetOf(file, found)
  if ('package' in target) return undefined
  const [from, to] = [folderOf(file.path), folderOf(target.path)]
  if (from === to) return undefined
  const allowed = from === 'cmd/' ? Object.keys(mayImport) : (mayImport[from] ?? [])
  return allowed.includes(to) ? undefined : `${from} must not import ${to} (${found.specifier})`
}

rule(
  'every folder of pkg has its place in the table',
  'Give the folder a row in mayImport (test/architecture.rules.ts) and in ARCHITECTURE.md.',
  () =>
    [...new Set(product.map(({ path }) => folderOf(path)))].filter(
      (at) => at !== 'cmd/' && !(at in mayImport),
    ),
)

/** How high the room of an API server's file is; above all rooms for the folder's own files. */
function floorOf(path: string): number | undefined {
  const [top, folder, room = '', ...rest] = path.split('/')
  if (top !== 'pkg' || folder !== 'apiserver') return undefined
  return rest.length === 0 ? rooms.length : rooms.indexOf(room)
}

rule(
  'the rooms of the API server import only downwards',
  'Move what both need to a lower room, or give a new room its place in rooms (test/architecture.rules.ts).',
  () =>
    [...importsIn(product)].flatMap(({ file, found, at }) => {
      const from = floorOf(file.path)
      const target = targetOf(file, found)
      const to = 'package' in target ? undefined : floorOf(target.path)
      if (from === undefined || to === undefined || to <= from)
        return from === -1 ? [`${at}: no such room`] : []
      return [`${at}: ${found.specifier} is in a room above`]
    }),
)

rule(
  'folders import only downwards',
  'Move what both need to a lower folder, or hand it in as an argument; tests may import everything.',
  () =>
    [...importsIn(product)].flatMap(({ file, found, at }) => {
      const why = mustNotReach(file, found)
      return why === undefined ? [] : [`${at}: ${why}`]
    }),
)

rule('the lowest folder needs nothing but Node', 'Put code that needs a package into a higher folder.', () =>
  [...importsIn(product.filter(({ path }) => path.startsWith('pkg/apimachinery/')))].flatMap(
    ({ file, found, at }) => {
      const target = targetOf(file, found)
      return 'package' in target && !target.package.startsWith('node:') ? [`${at}: ${target.package}`] : []
    },
  ),
)

rule(
  'imports are written one way',
  'Write ./file.ts inside a folder, #pkg/folder/file.ts across folders, always with .ts and to a file that is there.',
  () =>
    [...importsIn(everything)].flatMap(({ file, found, at }) => {
      const target = targetOf(file, found)
      if ('package' in target) return []
      const crossing = file.path.startsWith('pkg/') && folderOf(file.path) !== folderOf(target.path)
      const wrong = (crossing && !found.specifier.startsWith('#')) || !existsSync(join(root, target.path))
      return wrong ? [`${at}: ${found.specifier}`] : []
    }),
)

/** Edges of the import graph, types included. */
function graphOf(files: readonly SourceFile[]): Map<string, string[]> {
  return new Map(
    files.map((file) => [
      file.path,
      file.imports.flatMap((found) => {
        const target = targetOf(file, found)
        return 'path' in target ? [target.path] : []
      }),
    ]),
  )
}

/** The first cycle that a depth-first walk meets, as the files in order with the first one again at the end. */
function findCycle(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const done = new Set<string>()
  const walk = (path: string, trail: readonly string[]): string[] => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path]
    if (done.has(path)) return []
    for (const next of graph.get(path) ?? []) {
      const cycle = walk(next, [...trail, path])
      if (cycle.length > 0) return cycle
    }
    done.add(path)
    return []
  }
  for (const path of graph.keys()) {
    const cycle = walk(path, [])
    if (cycle.length > 0) return cycle
  }
  return []
}

rule(
  'no file imports itself over others, not even for types',
  'Move what the files share into a file of its own below them:',
  () => findCycle(graphOf(everything)),
)

for (const wall of walls) {
  const users = (typeOnly: boolean) =>
    [...importsIn(product)].filter(({ file, found }) => {
      const target = targetOf(file, found)
      return 'package' in target && target.package === wall.package && found.typeOnly === typeOnly
    })
  rule(
    `${wall.package} stays behind its wall`,
    `Only ${wall.files} may import it${wall.atMost === undefined ? '' : `, at most ${wall.atMost} file`}: call that file instead.`,
    () => {
      const values = users(false)
      const outside = values.filter(({ file }) => !wall.files.test(file.path))
      const types = users(true).filter(({ file }) => !(wall.types ?? wall.files).test(file.path))
      const inside = [...new Set(values.map(({ file }) => file.path))]
      const tooMany = wall.atMost !== undefined && inside.length > wall.atMost ? inside : []
      return [...outside, ...types].map(({ at }) => at).concat(tooMany)
    },
  )
}

rule(
  'what is imported is a dependency',
  'Install it (docs/checklists/add-a-dependency.md); do not lean on what another package happens to bring.',
  () =>
    [...importsIn(everything)].flatMap(({ file, found, at }) => {
      const target = targetOf(file, found)
      if ('path' in target || target.package.startsWith('node:')) return []
      const listed = {
        ...manifest.dependencies,
        ...(/^(cmd|pkg)\//.test(file.path) && !isTest(file.path) ? {} : manifest.devDependencies),
      }
      const typed = found.typeOnly && `@types/${target.package}` in manifest.devDependencies
      return target.package in listed || typed ? [] : [`${at}: ${target.package}`]
    }),
)

rule('every dependency has its reason in ARCHITECTURE.md', 'Name it there and say what it is for.', () => {
  const file = join(root, 'ARCHITECTURE.md')
  const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
  const names = Object.keys({ ...manifest.dependencies, ...manifest.devDependencies })
  return names.filter((name) => !name.startsWith('@types/') && !named(text, name))
})

/** As a word of its own: `yaml` is not named by `js-yaml`. */
function named(text: string, name: string): boolean {
  return new RegExp(`(?<![\\w@/-])${RegExp.escape(name)}(?![\\w/-])`).test(text)
}

function matches(files: readonly SourceFile[], pattern: RegExp): string[] {
  return files.flatMap(({ path, text, code }) =>
    [...code.matchAll(new RegExp(pattern, 'gm'))].map(({ index, 0: found }) => {
      return `${path}:${lineOf(text, index)}: ${found.trim()}`
    }),
  )
}

const belowAmbient = product.filter(({ path }) => !ambientFiles.test(path) && !(path in ambientExceptions))

for (const [what, pattern] of Object.entries(ambient)) {
  rule(
    `nobody below cmd asks for ${what}`,
    'Take it as an input: Clock, Random or Logger of apimachinery/ambient.ts, or an option that cmd/ sets.',
    () => matches(belowAmbient, pattern),
  )
}

rule('nobody below cmd imports the process', 'Take what is needed as an option that cmd/ sets.', () =>
  [...importsIn(belowAmbient)]
    .filter(({ found }) => ambientModules.some((name) => found.specifier.startsWith(name)))
    .map(({ found, at }) => `${at}: ${found.specifier}`),
)

rule('an exception is for a file that is there', 'Remove it from ambientExceptions.', () =>
  Object.keys(ambientExceptions).filter((path) => !existsSync(join(root, path))),
)

const pure = product.filter(({ path }) => pureFiles.some((pattern) => pattern.test(path)))

rule('deciding does not wait', 'Ask before, and hand the answer to the pure function.', () =>
  matches(pure, /(?<![.\w$])(?:async|await|Promise)\b/),
)

rule(
  'deciding touches nothing outside',
  'Move the input or output to the file that calls the pure one.',
  () =>
    [...importsIn(pure)]
      .filter(({ found }) => found.specifier.startsWith('node:') && !pureModules.includes(found.specifier))
      .map(({ found, at }) => `${at}: ${found.specifier}`),
)

rule('no file only passes on what others export', 'Import from the file that defines it.', () =>
  product
    .filter(({ code }) => /^export\b[^=();]*\bfrom\b/m.test(code))
    .filter(
      ({ code }) =>
        code.replaceAll(/^(?:import|export)\b[^=();]*?(?:\bfrom\s*)?(['"])\s*\1/gm, '').trim() === '',
    )
    .map(({ path }) => path),
)

rule(
  'a module has no state of its own',
  'Put it into a class or a value that its owner makes and hands on.',
  () => matches(product, /^(?:export )?(?:let|var)\b.*/),
)

rule('no any', 'Take unknown and decode it at the border, or name the type.', () =>
  matches(product, /(?<=[:<|&]\s*|\bas\s+)any\b(?!\s*[?.(:])/),
)

rule(
  'no enums and no namespaces',
  'Node strips types only: write a union of words, or an object as const.',
  () => matches(everything, /^\s*(?:export )?(?:declare )?(?:const )?(?:enum|namespace)\s+\w+.*\{/),
)

rule(
  'no assertion of a test is tried again',
  'Throw, or take node:assert, in what eventually() and its like try: an assertion of ava fails its test at once.',
  () =>
    everything.flatMap(({ path, text, code }) =>
      [...code.matchAll(/\b(?:eventually|until\w*)\(/g)].flatMap(({ index }) => {
        const [found] = retriedAssertion.exec(callAt(code, index)) ?? []
        return found === undefined ? [] : [`${path}:${lineOf(text, index)}: ${found}`]
      }),
    ),
)

const retriedAssertion =
  /\bt\.(?:is|not|deepEqual|notDeepEqual|like|true|false|truthy|falsy|regex|notRegex|throws|throwsAsync|assert|fail)\b/

/** From its name to the parenthesis that closes it. */
function callAt(code: string, start: number): string {
  let depth = 0
  for (const { 0: mark, index } of code.slice(start).matchAll(/[()]/g)) {
    depth += mark === '(' ? 1 : -1
    if (depth === 0) return code.slice(start, start + index)
  }
  return code.slice(start)
}

rule('no file is too long to be read', 'Split it by subject.', () =>
  everything.flatMap(({ path, text }) => {
    const lines = text.split('\n').length - 1
    const most = isTest(path) || path.startsWith('test/') ? maxLines.ofTests : maxLines.ofSources
    return lines > most ? [`${path}: ${lines} lines, at most ${most}`] : []
  }),
)
