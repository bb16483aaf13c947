/** The names that Kubernetes allows for keys and values of labels, annotations and finalizers, and what it says of others. */
import { prefixed, regexText, tooManyCharacters, whole, whyNoSubdomain } from './names.ts'

const namePart = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'
const nameText = regexText(
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  namePart,
  ['MyName', 'my.name', '123-abc'],
)
const labelValue = `(${namePart})?`
const labelValueText = regexText(
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  labelValue,
  ['MyValue', 'my_value', '12345'],
)
const nameExpression = whole(namePart)
const valueExpression = whole(labelValue)
const longest = 63

/** `[prefix/]name`; empty: it is one. */
export function whyNoQualifiedName(text: string): string[] {
  const parts = text.split('/')
  if (parts.length > 2) {
    return [
      `a qualified name ${nameText} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ]
  }
  const [prefix, name = ''] = parts.length === 2 ? parts : [undefined, text]
  return [
    ...(prefix === undefined ? [] : prefixed('prefix part ', whyNoPrefix(prefix))),
    ...prefixed('name part ', whyNoNamePart(name)),
  ]
}

function whyNoPrefix(prefix: string): string[] {
  return prefix === '' ? ['must be non-empty'] : whyNoSubdomain(prefix)
}

function whyNoNamePart(name: string): string[] {
  const empty = name === '' ? ['must be non-empty'] : tooManyCharacters(name, longest)
  return nameExpression.test(name) ? empty : [...empty, nameText]
}

export function whyNoLabelValue(value: string): string[] {
  const long = tooManyCharacters(value, longest)
  return valueExpression.test(value) ? long : [...long, labelValueText]
}
