/**
 * `cove server snapshot|keys|fsck`: what is done about the disk of a server. Exit codes: 0 done, 1 there are findings,
 * 2 it could not be done.
 */
import { homedir, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { badRequest, messageOf } from '#pkg/apimachinery/errors.ts'
import { kinds } from '#pkg/apis/kinds.ts'
import { defaultBump, restoreSnapshot, type Verified, verifySnapshot } from '#pkg/apiserver/data/restore.ts'
import { openOwner } from './dataowner.ts'
import { fsck } from './fsck.ts'
import { saveSnapshot } from './snapshotsave.ts'

interface Flags {
  readonly dataDir: string
  readonly words: readonly string[]
  readonly withoutKeys: boolean
  readonly repair: boolean
  readonly bump: number
}

type Tool = (flags: Flags, print: (line: string) => void) => Promise<number>

const tools: Readonly<
  Record<string, { readonly usage: string; readonly summary: string; readonly run: Tool }>
> = {
  'snapshot save': {
    usage: 'FILE [--without-keys]',
    summary: 'Write everything the server needs to come back into FILE; it may go on serving',
    run: save,
  },
  'snapshot verify': {
    usage: 'FILE',
    summary: 'Say whether FILE is whole and can be restored',
    run: verify,
  },
  'snapshot restore': {
    usage: 'FILE [--bump-revision N]',
    summary: 'Make a new data directory of FILE',
    run: restore,
  },
  'keys list': { usage: '', summary: 'The keys that Secrets are encrypted with', run: listKeys },
  'keys rotate': { usage: '', summary: 'Encrypt all Secrets with a new key', run: rotateKeys },
  'keys prune': { usage: '', summary: 'Drop the keys that nothing needs any more', run: pruneKeys },
  fsck: { usage: '[--repair]', summary: 'Check the store of a server that does not run', run: check },
}

/** Never throws: what goes wrong is printed and becomes the exit code. */
export async function runServerTool(words: readonly string[], isRoot: boolean): Promise<number> {
  try {
    const flags = readFlags(words, isRoot)
    if (flags === undefined) {
      process.stdout.write(toolsHelp())
      return 0
    }
    const name = Object.keys(tools).find((each) => startsWith(flags.words, each.split(' ')))
    const tool = name === undefined ? undefined : tools[name]
    if (name === undefined || tool === undefined) throw badRequest(unknown(flags.words))
    const rest = flags.words.slice(name.split(' ').length)
    const wanted = tool.usage.startsWith('FILE') ? 1 : 0
    if (rest.length !== wanted) throw badRequest(`usage: cove server ${name} ${tool.usage}`)
    return await tool.run({ ...flags, words: rest.map((word) => resolve(word)) }, (line) => {
      process.stdout.write(`${line}\n`)
    })
  } catch (error) {
    process.stderr.write(`error: ${messageOf(error)}\n`)
    return 2
  }
}

function toolsHelp(): string {
  const lines = Object.entries(tools).map(([name, { usage, summary }]) => {
    return `  cove server ${`${name} ${usage}`.trimEnd().padEnd(44)} ${summary}\n`
  })
  return `Usage:\n${lines.join('')}\nAll take --data-dir DIR. Exit code 1: there are findings; 2: it could not be done.\n`
}

function readFlags(words: readonly string[], isRoot: boolean): Flags | undefined {
  const { values, positionals } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      'data-dir': { type: 'string' },
      'without-keys': { type: 'boolean' },
      'bump-revision': { type: 'string' },
      repair: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help === true) return undefined
  const bump = Number(values['bump-revision'] ?? defaultBump)
  if (!Number.isSafeInteger(bump) || bump < 0) throw badRequest('--bump-revision: must be a whole number')
  return {
    dataDir: resolve(values['data-dir'] ?? (isRoot ? '/var/lib/cove' : join(homedir(), '.local/share/cove'))),
    words: positionals,
    withoutKeys: values['without-keys'] === true,
    repair: values.repair === true,
    bump,
  }
}

function startsWith(words: readonly string[], name: readonly string[]): boolean {
  return name.every((word, index) => words[index] === word)
}

function unknown(words: readonly string[]): string {
  return `unknown command "cove server ${words.slice(0, 2).join(' ')}"\n${toolsHelp()}`
}

async function save({ dataDir, words: [file = ''], withoutKeys }: Flags, print: (line: string) => void) {
  const bytes = await saveSnapshot(await openOwner(dataDir), { file, withKeys: !withoutKeys })
  print(`${file} saved, ${bytes} bytes${withoutKeys ? ', without certificates and keys' : ''}`)
  return 0
}

async function verify({ words: [file = ''] }: Flags, print: (line: string) => void) {
  const verified = await verifySnapshot(file, { workDir: tmpdir(), kinds })
  const { manifest } = verified
  const count = Object.values(manifest.objects).reduce((sum, each) => sum + each, 0)
  print(
    `${file}: made ${manifest.created} by cove ${manifest.program}, revision ${manifest.revision}, ${count} objects`,
  )
  return report(verified, print)
}

async function restore({ words: [file = ''], dataDir, bump }: Flags, print: (line: string) => void) {
  const restored = await restoreSnapshot(file, { dataDir, bump, kinds })
  print(`${dataDir} restored from ${file}; it goes on from revision ${restored.revision}`)
  report(restored, print)
  return 0
}

function report({ findings, objects, missing }: Verified, print: (line: string) => void): number {
  for (const line of [...findings, ...objects]) print(line)
  for (const line of missing) print(`missing: ${line}`)
  return findings.length + objects.length === 0 ? 0 : 1
}

async function listKeys({ dataDir }: Flags, print: (line: string) => void) {
  const owner = await openOwner(dataDir)
  for (const { id, created, values } of await owner.keys()) print(`${id}  ${created}  ${values} values`)
  await owner.close()
  return 0
}

async function rotateKeys({ dataDir }: Flags, print: (line: string) => void) {
  const owner = await openOwner(dataDir)
  const { key, rewritten, unreadable } = await owner.rotate()
  await owner.close()
  print(`the key is ${key} now; ${rewritten} values encrypted with it`)
  for (const line of unreadable) print(line)
  return unreadable.length === 0 ? 0 : 1
}

async function pruneKeys({ dataDir }: Flags, print: (line: string) => void) {
  const owner = await openOwner(dataDir)
  const { dropped, kept } = await owner.prune()
  await owner.close()
  for (const id of dropped) print(`${id} dropped`)
  for (const { id, values } of kept) print(`${id} kept, ${values} values`)
  return 0
}

async function check({ dataDir, repair }: Flags, print: (line: string) => void) {
  return await fsck({ dataDir, repair, print })
}
