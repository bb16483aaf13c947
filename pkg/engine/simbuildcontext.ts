/** The files that a simulated builder is sent, as COPY and ADD name them. */
import { createHash } from 'node:crypto'

export class SimContext {
  readonly #files: ReadonlyMap<string, Buffer>

  /** By path. */
  constructor(files: ReadonlyMap<string, Buffer>) {
    this.#files = files
  }

  text(path: string): string | undefined {
    return this.#files.get(path)?.toString()
  }

  /** The first source that means no file, and no address either. */
  missing(sources: readonly string[]): string | undefined {
    return sources.find((source) => !/^https?:\/\//.test(source) && this.#matching(source).length === 0)
  }

  /** Paths of the files that a source means. */
  #matching(source: string): string[] {
    const path = source.replace(/^\.?\/+/, '').replace(/\/+$/, '')
    if (path === '' || path === '.') return [...this.#files.keys()]
    const pattern = path
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '[^/]*')
      .replaceAll('?', '[^/]')
    const shape = new RegExp(`^${pattern}(/|$)`)
    return [...this.#files.keys()].map((name) => name.replace(/^\.\//, '')).filter((name) => shape.test(name))
  }

  bytesOf(sources: readonly string[]): number {
    const files = sources.flatMap((source) => this.#matching(source))
    return files.reduce((sum, file) => sum + (this.#files.get(file)?.length ?? 0), 0)
  }

  /** Each file with what is in it. */
  digestsOf(sources: readonly string[]): (readonly [path: string, digest: string])[] {
    const files = sources.flatMap((source) => this.#matching(source))
    return files.map((file) => [file, digestOf(this.#files.get(file) ?? '')] as const)
  }
}

/** Of COPY and ADD: all words but the last. */
export function sourcesOf(rest: string): readonly string[] {
  const words: unknown = rest.startsWith('[') ? JSON.parse(rest) : rest.split(/\s+/)
  return Array.isArray(words) ? words.slice(0, -1).map(String) : []
}

export function digestOf(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex')
}
