/**
 * Repositories as contexts: what a ref means now, and the files of a commit. Tags count before branches, as for git itself.
 * Submodules are fetched as well, without the credentials of the repository unless they are on the same host.
 */
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import { humanBytes } from '#pkg/apimachinery/quantity.ts'
import { folderOf } from './contextkey.ts'
import { type GitSession, git, refusal, tryGit } from './gitprogram.ts'

const fullHash = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/
const shortHash = /^[0-9a-f]{7,63}$/
/** What submodules may come by: no files of the node. */
const submoduleProtocols = ['https', 'http', 'ssh', 'git']

/** The commit that `ref` means now; absent: the repository's own default. Throws RefNotFound. */
export async function resolveCommit(ref: string | undefined, session: GitSession): Promise<string> {
  if (ref !== undefined && fullHash.test(ref)) return ref
  const names = ref === undefined ? ['HEAD'] : namesOf(ref)
  const refs = await listRefs(names, session)
  const found = names.flatMap((name) => refs.get(`${name}^{}`) ?? refs.get(name) ?? [])[0]
  if (found !== undefined) return found
  const commit = ref !== undefined && shortHash.test(ref) ? await resolveShort(ref, session) : undefined
  if (commit !== undefined) return commit
  const what = ref === undefined ? 'no default branch' : `no branch, tag or commit ${ref}`
  throw new StatusError('RefNotFound', `${session.place.address.address} has ${what}`)
}

/** Whether what it means can ever move. */
export function isCommit(ref: string | undefined, commit: string): boolean {
  return ref !== undefined && shortHash.test(ref) && commit.startsWith(ref)
}

/** In git's order. */
function namesOf(ref: string): string[] {
  const full = ref === 'HEAD' || ref.startsWith('refs/') ? [ref] : []
  return [...full, `refs/tags/${ref}`, `refs/heads/${ref}`, `refs/${ref}`]
}

/** By name; what an annotated tag leads to is under `NAME^{}`. */
async function listRefs(names: readonly string[], session: GitSession): Promise<ReadonlyMap<string, string>> {
  const patterns = names.flatMap((name) => (name === 'HEAD' ? [name] : [name, `${name}^{}`]))
  const { address } = session.place.address
  const output = await git(['ls-remote', '--', address, ...patterns], { session })
  const lines = output.split('\n').flatMap((line): [string, string][] => {
    const [hash = '', name] = line.split('\t')
    return name !== undefined && fullHash.test(hash) ? [[name, hash]] : []
  })
  return new Map(lines)
}

/** By what the refs are, else by all that the repository has. */
async function resolveShort(short: string, session: GitSession): Promise<string | undefined> {
  const refs = await listRefs([], session)
  const hashes = new Set([...refs.values()].filter((hash) => hash.startsWith(short)))
  const [only] = hashes
  if (hashes.size === 1) return only
  const directory = await begin(session)
  try {
    await fetchAll(directory, session)
    const name = `${short}^{commit}`
    const { code, output } = await tryGit(['rev-parse', '--verify', '--quiet', name], { session, directory })
    return code === 0 ? output.toString('utf8').trim() : undefined
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

interface Wanted {
  readonly commit: string
  readonly ref?: string
  readonly subdirectory?: string
  /** Of all files that are unpacked; absent: as of the session. */
  readonly mostFileBytes?: number
}

/** The folder of `directory` that has the files; `.git` is among them. Throws RefNotFound, InvalidSpec. */
export async function checkOut(
  { commit, ref, subdirectory, mostFileBytes }: Wanted,
  session: GitSession,
): Promise<string> {
  const directory = await begin(session)
  await fetchCommit({ commit, directory }, session)
  const folder = folderOf(subdirectory)
  const run = { session, directory }
  const where = `${session.place.address.address} at ${ref ?? commit.slice(0, 12)}`
  if (folder !== '' && !(await isFolder(folder, commit, run)))
    throw new StatusError('InvalidSpec', `${where} has no folder ${JSON.stringify(folder)}`)
  const hasModules = (await git(['ls-tree', '-z', commit, '--', '.gitmodules'], run)) !== ''
  const part = folder === '' || hasModules ? '' : folder
  await mustFit({ part, commit, mostBytes: mostFileBytes ?? session.mostBytes }, run)
  const checkout = ['--literal-pathspecs', 'checkout', '--quiet', '--force']
  if (part === '') await git([...checkout, '--detach', commit, '--'], run)
  else await git([...checkout, commit, '--', part], run)
  if (hasModules) await updateModules(folder, run)
  return join(directory, folder)
}

interface In {
  readonly session: GitSession
  readonly directory: string
}

async function begin(session: GitSession): Promise<string> {
  const directory = join(session.directory, 'repository')
  await mkdir(directory, { recursive: true })
  const run = { session, directory }
  await git(['init', '--quiet', '--template='], run)
  await git(['remote', 'add', 'origin', session.place.address.address], run)
  return directory
}

/** By the shortest way that the server knows. */
async function fetchCommit(
  { commit, directory }: { readonly commit: string; readonly directory: string },
  session: GitSession,
): Promise<void> {
  const run = { session, directory }
  const isThere = async () => (await tryGit(['cat-file', '-e', `${commit}^{commit}`], run)).code === 0
  const fetch = ['fetch', '--quiet', '--no-tags', '--force']
  const shallow = await tryGit([...fetch, '--depth=1', 'origin', commit], run)
  if (shallow.code === 0 && (await isThere())) return
  // Servers of plain files know no shallow copies, others give no commit that no ref means.
  const whole = await tryGit([...fetch, 'origin', commit], run)
  if (whole.code === 0 && (await isThere())) return
  await fetchAll(directory, session)
  if (await isThere()) return
  const { address } = session.place.address
  throw new StatusError('RefNotFound', `${address} has no commit ${commit}`)
}

async function fetchAll(directory: string, session: GitSession): Promise<void> {
  const refspecs = ['+refs/heads/*:refs/cove/heads/*', '+refs/tags/*:refs/cove/tags/*']
  await git(['fetch', '--quiet', '--no-tags', '--force', 'origin', ...refspecs], { session, directory })
}

async function isFolder(folder: string, commit: string, run: In): Promise<boolean> {
  const args = ['--literal-pathspecs', 'ls-tree', '-z', '--full-tree', commit, '--', folder]
  const entry = await git(args, run)
  return entry.startsWith('040000 tree ') || entry.startsWith('160000 commit ')
}

/** What a small fetch unpacks to may be large. */
async function mustFit(
  { part, commit, mostBytes }: { readonly part: string; readonly commit: string; readonly mostBytes: number },
  run: In,
): Promise<void> {
  const paths = part === '' ? [] : ['--', part]
  const list = await git(['--literal-pathspecs', 'ls-tree', '-r', '-l', '-z', commit, ...paths], run)
  const sizes = list.matchAll(/(?:^|\0)\d+ blob [0-9a-f]+ +(\d+)\t/g)
  const total = [...sizes].reduce((sum, [, size]) => sum + Number(size), 0)
  if (total <= mostBytes) return
  const message = `the files of the repository are ${humanBytes(total)}: more than ${humanBytes(mostBytes)} are not unpacked`
  throw new StatusError('ContextTooLarge', message)
}

async function updateModules(folder: string, { session, directory }: In): Promise<void> {
  const run = { session, directory, protocols: submoduleProtocols }
  const update = ['--literal-pathspecs', 'submodule', '--quiet', 'update', '--init', '--recursive', '--force']
  const paths = folder === '' ? [] : ['--', folder]
  const shallow = await tryGit([...update, '--depth=1', ...paths], run)
  if (shallow.code === 0) return
  const whole = await tryGit([...update, ...paths], run)
  if (whole.code !== 0) throw refusal(whole, session.place)
}
