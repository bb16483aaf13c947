/**
 * Members that a JSON text gives twice: decoding keeps the last one and loses the others, so they are looked for in
 * the text. Reads every character at most once and copies nothing but names; what is no JSON is the decoder's matter.
 */

/** One object or list that is open: which names it has had, and where in it we are. */
interface Open {
  /** Absent: a list. */
  readonly names: Set<string> | undefined
  name: string
  index: number
  /** Whether the next string is a name. */
  named: boolean
}

/** As many as Kubernetes tells of; a body may hold hundred thousands. */
const maxFound = 100
/** Of a path: names may be as long as a body, and stand in the path of everything below them. */
const maxPath = 1000

/** Paths such as `spec.env[0].name`, each once, in the order in which they are found; the first hundred, and long ones cut. */
export function duplicateFields(text: string): string[] {
  const found = new Set<string>()
  const open: Open[] = []
  for (let at = 0; at < text.length && found.size < maxFound; at++) {
    const top = open.at(-1)
    switch (text[at]) {
      case '{':
        open.push({ names: new Set(), name: '', index: 0, named: true })
        break
      case '[':
        open.push({ names: undefined, name: '', index: 0, named: false })
        break
      case '}':
      case ']':
        open.pop()
        break
      case ',':
        if (top !== undefined) nextMember(top)
        break
      case '"': {
        const end = endOfString(text, at)
        if (top?.names !== undefined && top.named && isTaken(top, top.names, text.slice(at + 1, end)))
          found.add(pathOf(open))
        at = end
        break
      }
    }
  }
  return [...found]
}

function nextMember(top: Open): void {
  if (top.names === undefined) top.index++
  else top.named = true
}

/** Takes the name as the current one, and tells whether it was there before. */
function isTaken(top: Open, names: Set<string>, raw: string): boolean {
  top.name = raw.includes('\\') ? unescaped(raw) : raw
  top.named = false
  const taken = names.has(top.name)
  names.add(top.name)
  return taken
}

/** Of the quote that ends the string which begins at `start`; the end of the text when there is none. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let slashes = 0
    while (text[end - 1 - slashes] === '\\') slashes++
    if (slashes % 2 === 0) return end
  }
  return text.length
}

/** Two spellings of one letter are one name; the other escapes have one spelling each. */
function unescaped(raw: string): string {
  return raw.replace(/\\u([0-9a-fA-F]{4})/g, (_all, code: string) =>
    String.fromCharCode(Number.parseInt(code, 16)),
  )
}

function pathOf(open: readonly Open[]): string {
  let path = ''
  for (const { names, name, index } of open) {
    if (names === undefined) path += `[${index}]`
    else path += path === '' ? name : `.${name}`
    if (path.length > maxPath) return `${path.slice(0, maxPath)}...`
  }
  return path
}
