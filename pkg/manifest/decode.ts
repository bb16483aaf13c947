/** The beginning of the data's way: text of a file, a YAML stream or JSON, to values that know where they stand. Pure. */
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { type Locator, makeLineFinder, makeLocator } from './locate.ts'
import type { Place, Problem } from './place.ts'
import { parseYamlStream, YamlError } from './yaml.ts'

export interface SourceText {
  /** What errors call it. */
  readonly name: string
  readonly text: string
}

export interface ManifestDocument {
  /** Not yet known to be an object. */
  readonly value: unknown
  readonly source: Place
  /** Path of the value in its document: empty, or `items[3]` when a List held it. */
  readonly path: string
  /** Finds lines in the file. */
  readonly locate: Locator
}

export interface Decoded {
  readonly documents: readonly ManifestDocument[]
  readonly problems: readonly Problem[]
}

/** Empty documents are left out but counted; a `kind: List` stands for its items. Never throws for bad text. */
export function decodeManifest({ name, text }: SourceText): Decoded {
  try {
    const locate = makeLocator(text)
    const lineOf = makeLineFinder(text)
    const documents = parseYamlStream(text).flatMap(({ value, offset }, index) => {
      if (value === null || value === undefined) return []
      const source = { file: name, document: index + 1, line: lineOf(offset) }
      return expandList({ value, source, path: '', locate })
    })
    return { documents, problems: [] }
  } catch (error) {
    if (!(error instanceof YamlError)) throw error
    const { line, column, message } = error
    return {
      documents: [],
      problems: [{ place: { file: name, document: documentAt(text, line), line, column }, message }],
    }
  }
}

/** Where a field of the document's object stands. */
export function placeOf(document: ManifestDocument, field: string): Place {
  const path = [document.path, field].filter((part) => part !== '').join('.')
  const { file, document: index } = document.source
  return { file, document: index, line: document.locate(index, path) }
}

function expandList(document: ManifestDocument): ManifestDocument[] {
  const { value, source, path } = document
  if (!isPlainObject(value) || value['kind'] !== 'List' || !Array.isArray(value['items'])) return [document]
  return value['items'].flatMap((item, index) => {
    const at = path === '' ? `items[${index}]` : `${path}.items[${index}]`
    const inner = { ...document, value: item, path: at }
    return expandList({ ...inner, source: { ...source, line: placeOf(inner, '').line } })
  })
}

/** The document that a line belongs to, in a text that may not parse: separators up to it are counted. */
function documentAt(text: string, line: number): number {
  const lines = text.split('\n').slice(0, line)
  const first = lines.findIndex((content) => content.trim() !== '' && !content.startsWith('#'))
  return lines.filter((content, index) => index > first && /^---(\s|$)/.test(content)).length + 1
}
