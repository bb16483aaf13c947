/** Where in which file something stands, and how that is said: `web.yaml: document 2, line 14`. Pure. */

export interface Place {
  /** As the user named it; `-` is standard input. */
  readonly file: string
  /** From 1, counted as `---` separates them. */
  readonly document: number
  /** From 1, in the file. */
  readonly line: number
  readonly column?: number
}

/** One thing that is wrong, or seldom meant, in a manifest. */
export interface Problem {
  readonly place: Place
  /** Path of the field in its object. */
  readonly field?: string
  readonly message: string
}

export function placeText({ file, document, line, column }: Place): string {
  const at = column === undefined ? `line ${line}` : `line ${line}, column ${column}`
  return `${file === '-' ? 'standard input' : file}: document ${document}, ${at}`
}

export function problemText({ place, field, message }: Problem): string {
  const subject = field === undefined || field === '' ? '' : `${field}: `
  return `${placeText(place)}: ${subject}${message}`
}
