/** The kubectls of this machine: the one on the PATH, and those of other versions that lie beside it. */
import { readdirSync, realpathSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'

/** Programs by their minor version, such as `1.29`; empty when there is only one. */
export function otherKubectls(): ReadonlyMap<string, string> {
  const directories = (process.env['PATH'] ?? '').split(delimiter)
  const found = directories
    .map((directory) => realPath(join(directory, 'kubectl')))
    .find((path) => path !== '')
  if (found === undefined) return new Map()
  const directory = dirname(found)
  const names = readdirSync(directory).flatMap((name) => {
    const version = /^kubectl\.(1\.\d+)$/.exec(name)?.[1]
    return version === undefined ? [] : [[version, join(directory, name)] as const]
  })
  return new Map(names.toSorted())
}

function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return ''
    throw error
  }
}
