/**
 * Which files of an image are wanted on this machine. Apart from what takes them (outputs.ts): most builds want none, and
 * need not wait for that to be loaded. Pure.
 */
import { isAbsolute, relative, resolve, sep } from 'node:path'
import type { Build } from '#pkg/apis/build.ts'
import { UsageError } from '../errors.ts'

export interface Output {
  /** In the image; absolute. */
  readonly from: string
  /** Here; absolute. */
  readonly to: string
}

/** Those of the command line, and those of the Build that are relative: the others are the node's. Pure. */
export function outputsOf(
  { spec }: Pick<Build, 'spec'>,
  {
    cwd,
    directory,
    texts,
  }: { readonly cwd: string; readonly directory: string; readonly texts: readonly string[] },
): Output[] {
  const given = texts.map((text) => {
    const at = text.indexOf('=')
    const [from, to] = [text.slice(0, at), text.slice(at + 1)]
    if (at <= 0 || to === '' || !from.startsWith('/'))
      throw new UsageError(
        `invalid value "${text}" for --output: FROM=TO is expected, an absolute path of the image and one here`,
        'build',
      )
    return { from, to: resolve(cwd, to) }
  })
  const own = spec.outputs
    .filter(({ to }) => !isAbsolute(to))
    .map(({ from, to }) => ({ from, to: below(directory, to) }))
  return [...own, ...given]
}

/** A manifest may be a stranger's: what it has written stays beside it. */
function below(directory: string, to: string): string {
  const path = resolve(directory, to)
  if (relative(directory, path).split(sep)[0] !== '..') return path
  const ask = 'ask for it with --output FROM=TO'
  throw new UsageError(`spec.outputs: ${JSON.stringify(to)} lies outside of ${directory}: ${ask}`, 'build')
}
