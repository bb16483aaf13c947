/** Whether the Dockerfile of a Build can come to a good end with the files of its context. Pure. */
import type { TreeEntry } from '#pkg/build/context/entry.ts'
import type { Ignore } from '#pkg/build/context/ignore.ts'
import { checkDockerfile, targetProblem } from '#pkg/build/dockerfile/check.ts'
import { describeProblem, type Problem } from '#pkg/build/dockerfile/dockerfile.ts'
import { parseDockerfile } from '#pkg/build/dockerfile/parse.ts'
import { secretArgs, whySecretArg } from '#pkg/build/dockerfile/secretnames.ts'
import { missingSources } from '#pkg/build/missingsources.ts'
import type { BuildWritten, ContextProblem } from './buildwritten.ts'

export interface ReadFiles {
  readonly dockerfile: string
  readonly entries: readonly TreeEntry[]
  readonly ignore: Ignore
}

/** What no build can come to a good end with; all at once, by place. */
export function dockerfileProblems(build: BuildWritten, files: ReadFiles): ContextProblem[] {
  const field = build.inline === undefined ? 'spec.dockerfile' : 'spec.dockerfileInline'
  const secrets = secretArgs({ ...build.building, publicArgs: build.publicArgs })
  if (secrets.length > 0) {
    return secrets.map((name) => ({ field: `spec.args.${name}`, message: whySecretArg }))
  }
  const { dockerfile, problems } = parseDockerfile(files.dockerfile)
  const told = (found: readonly Problem[]) =>
    found.map((problem) => ({ field, message: `${build.dockerfile}: ${describeProblem(problem)}` }))
  if (problems.length > 0) return told(problems)
  const target = targetProblem(dockerfile, build.building)
  if (target !== undefined) return [{ field: 'spec.target', message: target }]
  const { entries, ignore } = files
  const ignores = (path: string) => ignore.ignores(path)
  return told([
    ...checkDockerfile(dockerfile, build.building),
    ...missingSources(dockerfile, build.building, { entries, ignores }),
  ])
}
