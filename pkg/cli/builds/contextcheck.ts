/** Whether the Dockerfile of a Build can come to a good end with the files of its context. Pure. */
import { indexContext } from '#pkg/build/context/copysource.ts'
import type { TreeEntry } from '#pkg/build/context/entry.ts'
import type { Ignore } from '#pkg/build/context/ignore.ts'
import { checkDockerfile, targetProblem } from '#pkg/build/dockerfile/check.ts'
import { type Dockerfile, describeProblem, type Problem } from '#pkg/build/dockerfile/dockerfile.ts'
import { parseDockerfile } from '#pkg/build/dockerfile/parse.ts'
import { type CopySource, copySources, leavesContext } from '#pkg/build/dockerfile/sources.ts'
import type { BuildWritten, ContextProblem } from './buildwritten.ts'

export interface ReadFiles {
  readonly dockerfile: string
  readonly entries: readonly TreeEntry[]
  readonly ignore: Ignore
}

/** What no build can come to a good end with; all at once, by place. */
export function dockerfileProblems(build: BuildWritten, files: ReadFiles): ContextProblem[] {
  const field = build.inline === undefined ? 'spec.dockerfile' : 'spec.dockerfileInline'
  const { dockerfile, problems } = parseDockerfile(files.dockerfile)
  const told = (found: readonly Problem[]) =>
    found.map((problem) => ({ field, message: `${build.dockerfile}: ${describeProblem(problem)}` }))
  if (problems.length > 0) return told(problems)
  const target = targetProblem(dockerfile, build.building)
  if (target !== undefined) return [{ field: 'spec.target', message: target }]
  return told([...checkDockerfile(dockerfile, build.building), ...missingSources(dockerfile, build, files)])
}

function missingSources(dockerfile: Dockerfile, { building }: BuildWritten, files: ReadFiles): Problem[] {
  const index = indexContext(files.entries)
  return copySources(dockerfile, building)
    .filter((source) => !leavesContext(source))
    .flatMap((source) => {
      const { path, pattern, line, column } = source
      const verdict = pattern ? index.find(path) : index.has(path) ? 'Found' : 'Missing'
      if (verdict === 'BadPattern')
        return [{ line, column, message: `${source.keyword} ${source.written}: it is no pattern` }]
      return verdict === 'Found' ? [] : [{ line, column, message: missingText(source, files.ignore) }]
    })
}

function missingText({ keyword, written, path, pattern }: CopySource, ignore: Ignore): string {
  if (pattern) return `${keyword} ${written}: no file of the context matches`
  const why = ignore.ignores(path) ? ': .dockerignore, or spec.ignore, leaves it out' : ''
  return `${keyword} ${written}: there is no such file in the context${why}`
}
