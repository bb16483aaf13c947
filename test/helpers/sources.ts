/** The project's own TypeScript, read for rules about it: text, code without comments and strings, imports. */
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'

export const root = resolve(import.meta.dirname, '../..')

export interface Import {
  /** As written: `#pkg/plan/plan.ts`, `./port.ts`, `node:fs`, `dockerode`. */
  readonly specifier: string
  /** `import type` or `export type`: gone when the program runs. */
  readonly typeOnly: boolean
  readonly line: number
}

export interface SourceFile {
  /** From the root: `pkg/plan/plan.ts`. */
  readonly path: string
  readonly text: string
  /** The text with comments and the insides of strings blanked; offsets and lines are those of the text. */
  readonly code: string
  readonly imports: readonly Import[]
}

export function readSources(folders: readonly string[]): SourceFile[] {
  return folders
    .flatMap((folder) => globSync(`${folder}/**/*.ts`, { cwd: root }))
    .sort()
    .map((path) => parseSource(path, readFileSync(join(root, path), 'utf8')))
}

export function parseSource(path: string, text: string): SourceFile {
  const code = blank(text)
  return { path, text, code, imports: importsOf(text, code) }
}

export function isTest(path: string): boolean {
  return path.endsWith('.test.ts')
}

/** Where an import leads: a path from the root, or a package's name, `node:` included. */
export function targetOf(file: SourceFile, { specifier }: Import): { path: string } | { package: string } {
  if (specifier.startsWith('.')) return { path: join(dirname(file.path), specifier) }
  if (specifier.startsWith('#')) return { path: specifier.slice(1) }
  const parts = specifier.split('/')
  return { package: specifier.startsWith('@') ? parts.slice(0, 2).join('/') : (parts[0] ?? specifier) }
}

export function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length
}

/**
 * Alternatives in the order in which they are tried at each place. A slash begins a regular expression when what
 * stands before it cannot end a value.
 */
const token = new RegExp(
  [
    /(?<comment>\/\/[^\n]*|\/\*[\s\S]*?\*\/)/,
    /(?<string>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")/,
    /(?<=[(,=:[!&|?{};>]\s*|return\s+|^\s*)(?<regex>\/(?![*/])(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/)/,
    /(?<template>`)/,
    /(?<open>\{)/,
    /(?<close>\})/,
  ]
    .map((part) => part.source)
    .join('|'),
  'gm',
)
const templatePart = /(?:[^`\\$]|\\[\s\S]|\$(?!\{))*(?<end>`|\$\{)/y

/** Comments and strings become spaces; quotes, line ends and what stands in `${}` stay. */
function blank(text: string): string {
  const out = new Blanker(text)
  for (;;) {
    token.lastIndex = out.done
    const found = token.exec(text)
    if (found === null) break
    out.keep(found.index)
    out.take(found.groups ?? {}, token.lastIndex)
  }
  out.keep(text.length)
  return out.toString()
}

class Blanker {
  done = 0
  readonly #text: string
  readonly #out: string[] = []
  /** One entry per open brace; true: it belongs to a `${`. */
  readonly #braces: boolean[] = []

  constructor(text: string) {
    this.#text = text
  }

  keep(end: number): void {
    this.#out.push(this.#text.slice(this.done, end))
    this.done = end
  }

  /** One token that begins at `done`. */
  take(groups: Partial<Record<string, string>>, end: number): void {
    if (groups['comment'] !== undefined) this.#wipe(end)
    else if (groups['string'] !== undefined || groups['regex'] !== undefined) this.#inside(end)
    else {
      this.keep(end)
      if (groups['open'] !== undefined) this.#braces.push(false)
      else if (groups['template'] !== undefined || this.#braces.pop() === true) this.#template()
    }
  }

  toString(): string {
    return this.#out.join('')
  }

  #wipe(end: number): void {
    this.#out.push(this.#text.slice(this.done, end).replaceAll(/[^\n]/g, ' '))
    this.done = end
  }

  #inside(end: number): void {
    this.keep(this.done + 1)
    this.#wipe(end - 1)
    this.keep(end)
  }

  /** The literal part from `done` to the closing quote or to the next `${`. */
  #template(): void {
    templatePart.lastIndex = this.done
    const found = templatePart.exec(this.#text)
    if (found === null)
      throw new Error(`a template string without end: ${this.#text.slice(this.done, this.done + 40)}`)
    const ending = found.groups?.['end'] ?? ''
    this.#wipe(templatePart.lastIndex - ending.length)
    this.keep(templatePart.lastIndex)
    if (ending !== '`') this.#braces.push(true)
  }
}

const statement = /^(?:import|export)(?<type>\s+type)?\b[\w\s{},*$]*?\bfrom\s*['"]|^import\s*['"]/gm
const call = /\bimport\s*\(\s*['"]/g

function importsOf(text: string, code: string): Import[] {
  const found = [...code.matchAll(statement), ...code.matchAll(call)]
  return found
    .map((match) => {
      const start = match.index + match[0].length
      const quote = code[start - 1] ?? "'"
      return {
        specifier: text.slice(start, code.indexOf(quote, start)),
        typeOnly: match.groups?.['type'] !== undefined,
        line: lineOf(text, match.index),
      }
    })
    .sort((a, b) => a.line - b.line)
}
