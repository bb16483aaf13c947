/** The manifests that -f names, read and checked as one set before anything is sent. */
import { kindsOfTypes } from '#pkg/apis/kindfiles.ts'
import type { RuleChecker } from '#pkg/apis/rules.ts'
import { readTypeMeta } from '#pkg/manifest/admit.ts'
import { checkManifests, sortByPlace } from '#pkg/manifest/check.ts'
import type { CheckedObject } from '#pkg/manifest/checked.ts'
import { decodeManifest, type ManifestDocument, type SourceText } from '#pkg/manifest/decode.ts'
import { type Problem, problemText } from '#pkg/manifest/place.ts'
import { readSources } from '#pkg/manifest/sources.ts'
import { CliError, Failed, locally, UsageError } from './errors.ts'
import { type LocalFile, resolveFiles } from './localfiles.ts'
import type { Context } from './session.ts'

/** Documents of the files. Throws Failed when a file does not parse, after printing all that is wrong. */
export async function readManifests(
  context: Context,
  command: string,
  exitCode = 1,
): Promise<ManifestDocument[]> {
  const { documents, problems } = decodeSources(await readFiles(context, command))
  if (problems.length > 0) await refuse(context, problems, exitCode)
  return documents
}

export interface CheckingOptions {
  /** With which a set that has problems ends the command; default 1. */
  readonly exitCode?: number
  /**
   * Whether anything would be sent of a set whose schemas and kinds find nothing wrong. If not, the rules of its
   * schemas are not asked: loading what they are written in takes longer than everything else that happens then.
   */
  readonly differs?: (objects: readonly CheckedObject[]) => Promise<boolean>
  /** Told which files beside the manifests the documents name, if any does. */
  readonly onFiles?: (files: ReadonlyMap<ManifestDocument, readonly LocalFile[]>) => void
  /** In place of the files that -f names; those that are called `-` stand where the command is run. */
  readonly sources?: readonly SourceText[]
}

/** Admitted objects in the order of the files. Throws Failed after printing all that is wrong; prints warnings. */
export async function checkedManifests(
  context: Context,
  command: string,
  { exitCode = 1, differs = async () => true, onFiles, sources }: CheckingOptions = {},
): Promise<readonly CheckedObject[]> {
  const {
    documents: written,
    problems: malformed,
    files,
  } = decodeSources(sources ?? (await readFiles(context, command)))
  const { documents, problems: missing, files: local, warnings } = await resolveFiles(written, context.io)
  const problems = [...malformed, ...missing]
  if (local.size > 0) onFiles?.(local)
  const { namespace, warned } = await context.session()
  const enforcedNamespace = context.args.text('namespace')
  const types = documents.map(({ value }) => readTypeMeta(value))
  const kinds = await kindsOfTypes(types.filter((type) => 'kind' in type))
  const check = (rules: RuleChecker) =>
    checkManifests(documents, {
      kinds,
      rules,
      defaultNamespace: namespace,
      ...(enforcedNamespace !== undefined && { enforcedNamespace }),
    })
  const quick = check(noRules)
  const asks = problems.length + quick.problems.length > 0 || (await differs(quick.objects))
  const checked = asks ? check(await loadRules()) : quick
  const all = sortByPlace([...problems, ...checked.problems], files)
  if (all.length > 0) await refuse(context, all, exitCode)
  for (const warning of [...warnings, ...checked.warnings]) {
    await context.io.stderr.write(`Warning: ${problemText(warning)}\n`)
    warned.add(warning.message)
  }
  if (checked.objects.length === 0) throw new CliError('no objects in the manifests')
  // Rules change nothing: these are the objects that `differs` was asked about.
  return quick.objects
}

const noRules: RuleChecker = { check: () => [] }

async function loadRules(): Promise<RuleChecker> {
  const { makeRuleChecker } = await import('#pkg/apis/cel.ts')
  return makeRuleChecker()
}

/** What -f names. */
export async function readFiles(
  { io, args }: Context,
  command: string,
  files: readonly string[] = args.list('filename'),
): Promise<readonly SourceText[]> {
  if (files.length === 0) throw new UsageError('name the manifests with -f', command)
  const [extra] = args.positionals
  if (extra !== undefined) throw new UsageError(`unexpected argument "${extra}"`, command)
  return await locally(() =>
    readSources(files, {
      recursive: args.bool('recursive'),
      directory: io.cwd,
      readStdin: () => io.readStdin(),
      signal: io.signal,
    }),
  )
}

function decodeSources(sources: readonly SourceText[]) {
  const decoded = sources.map(decodeManifest)
  return {
    files: sources.map(({ name }) => name),
    documents: decoded.flatMap(({ documents }) => documents),
    problems: decoded.flatMap(({ problems }) => problems),
  }
}

async function refuse({ io }: Context, problems: readonly Problem[], exitCode: number): Promise<never> {
  await io.stderr.write(problems.map((problem) => `${problemText(problem)}\n`).join(''))
  throw new Failed(exitCode)
}
