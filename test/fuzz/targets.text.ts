/** Fuzz targets of what people write in one line: selectors, quantities, durations, references, templates, tokens. */
import { generateKeyPairSync } from 'node:crypto'
import { sameJson } from '#pkg/apimachinery/hash.ts'
import { parseDuration, parseQuantity } from '#pkg/apimachinery/quantity.ts'
import {
  canonicalReference,
  familiarReference,
  idPattern,
  parseReference,
  referencePattern,
} from '#pkg/apimachinery/reference.ts'
import {
  type FieldRequirement,
  matchesFields,
  matchesLabels,
  parseFieldSelector,
  parseLabelSelector,
  type Requirement,
} from '#pkg/apimachinery/selector.ts'
import { parseBootstrapToken } from '#pkg/apis/bootstraptoken.ts'
import { servedKinds } from '#pkg/apis/kinds.ts'
import type { Schema } from '#pkg/apis/schema.ts'
import { validate } from '#pkg/apis/validate.ts'
import { userOf } from '#pkg/apiserver/access/authenticate.ts'
import { keyIdOf, looksLikeJwt, signToken, verifyToken } from '#pkg/apiserver/access/jwt.ts'
import { UsageError } from '#pkg/cli/errors.ts'
import { compileJsonPath, compilePath } from '#pkg/cli/jsonpath.ts'
import { hold, type Target } from './target.ts'

/** As `parse(print(x)) = x` asks for it. */
function printRequirement(requirement: Requirement): string {
  switch (requirement.operator) {
    case 'Exists':
      return requirement.key
    case 'NotExists':
      return `!${requirement.key}`
    case 'In':
      return `${requirement.key} in (${requirement.values.join(',')})`
    case 'NotIn':
      return `${requirement.key} notin (${requirement.values.join(',')})`
    default:
      throw new RangeError('no such operator')
  }
}

const labelSelector: Target = {
  name: 'labelselector',
  seeds: ['a=b,c!=d,e in (x, y),f,!g', 'app.kubernetes.io/name==web', 'tier notin (a,b),x', ''],
  words: [' in (', ' notin (', ')', '!', '=', '==', '!=', ',', '<', '>', '/', ' '],
  run: (input) => {
    const text = input.toString()
    const selector = parseLabelSelector(text)
    matchesLabels(selector, { a: 'b', 'app.kubernetes.io/name': 'web' })
    // `a=` asks for the empty value, which the form with parentheses cannot say alone.
    const sayable = selector.every(
      (requirement) => !('values' in requirement) || requirement.values.join('') !== '',
    )
    if (!sayable) return
    const again = parseLabelSelector(selector.map(printRequirement).join(','))
    hold(sameJson(again, selector), 'a printed selector reads as it was')
  },
}

const fieldSelector: Target = {
  name: 'fieldselector',
  seeds: ['metadata.name=web,status.phase!=Running', 'spec.nodeName==', ''],
  words: ['metadata.name', 'status.phase', '=', '==', '!=', ',', ' '],
  run: (input) => {
    const requirements = parseFieldSelector(input.toString())
    matchesFields(requirements, () => 'web')
    const print = ({ field, equal, value }: FieldRequirement) => `${field}${equal ? '=' : '!='}${value}`
    // A value that begins with "=" is only read as one behind "==".
    if (requirements.some(({ value }) => value.startsWith('='))) return
    const again = parseFieldSelector(requirements.map(print).join(','))
    hold(sameJson(again, requirements), 'a printed selector reads as it was')
  },
}

const quantity: Target = {
  name: 'quantity',
  seeds: ['500m', '64Mi', '1.5Gi', '1e3', '0.5', '.5', '12E', '5n'],
  words: [
    'Ki',
    'Mi',
    'Gi',
    'Ei',
    'n',
    'u',
    'm',
    'k',
    'E',
    'e',
    'e-',
    '.',
    '+',
    '-',
    '1e308',
    '99999999999999999999',
  ],
  run: (input) => {
    const amount = parseQuantity(input.toString())
    if (amount === undefined) return
    hold(Number.isFinite(amount) && amount >= 0, `a quantity is a number, not ${amount}`)
    const digits = String(amount)
    hold(parseQuantity(digits) === amount, `${digits} reads as it was`)
  },
}

const duration: Target = {
  name: 'duration',
  seeds: ['1m30s', '0', '+1h', '1.5h', '.5s', '100ms', '2µs', '5ns'],
  words: ['ns', 'us', 'µs', 'μs', 'ms', 's', 'm', 'h', '.', '+', '-', '0', '1', '9999999999'],
  run: (input) => {
    const milliseconds = parseDuration(input.toString())
    if (milliseconds === undefined) return
    hold(Number.isFinite(milliseconds) && milliseconds >= 0, `a duration is a number, not ${milliseconds}`)
  },
}

const pattern = new RegExp(referencePattern)

const reference: Target = {
  name: 'reference',
  seeds: [
    'nginx',
    'nginx:1.27',
    'team/app@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef',
    '127.0.0.1:5000/a/b:tag',
    '[::1]:5000/a__b-c',
    'localhost/x',
    'index.docker.io/library/nginx',
  ],
  words: [
    'docker.io/',
    'library/',
    'localhost',
    ':5000',
    '@sha256:',
    '.',
    '_',
    '__',
    '-',
    '--',
    '/',
    ':',
    '[::1]',
    'A',
  ],
  run: (input) => {
    const text = input.toString()
    const parsed = parseReference(text)
    if (!parsed.ok) return
    for (const print of [canonicalReference, familiarReference]) {
      const again = parseReference(print(parsed.reference))
      hold(
        again.ok && sameJson(again.reference, parsed.reference),
        `${print(parsed.reference)} reads as it was`,
      )
    }
    hold(pattern.test(text) && !idPattern.test(text), 'the pattern of references accepts what is one')
  },
}

const sample = {
  metadata: { name: 'web', labels: { 'a.b/c': 'd' } },
  items: [{ name: 'a', n: 1 }, { name: 'b', n: 2, nested: [[1], [2]] }, null, 'text', 3],
}

/** Runs what may only complain about the command line. */
function usage(work: () => void): void {
  try {
    work()
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
  }
}

const jsonpath: Target = {
  name: 'jsonpath',
  seeds: [
    '{.metadata.name}',
    '{range .items[*]}{.name}{"\\t"}{.n}{"\\n"}{end}',
    "{.items[?(@.n>1)].name} {.items[0:2].n} {..name} {.metadata.labels['a\\.b/c']}",
    '{.items[-1]} {.items[0,1].name} {$.metadata}',
    '{.items[::2]}',
  ],
  words: [
    '{',
    '}',
    '{range ',
    '{end}',
    '..',
    '[*]',
    '[?(',
    ')]',
    '@',
    '$',
    '==',
    '"',
    "'",
    '[-1]',
    '[::',
    '[0,',
    '\\',
  ],
  // Nobody but the user's own hand writes these, and the answer may be as many times the object as there are steps.
  maxBytes: 256,
  run: (input) => {
    const text = input.toString()
    usage(() => compileJsonPath(text, 'get')(sample))
    usage(() => compilePath(text, 'get')(sample))
  },
}

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const signing = { id: keyIdOf(publicKey), privateKey }
const token = signToken({ sub: 'system:serviceaccount:default:web', aud: ['a'], exp: 4_000_000_000 }, signing)
const keys = new Map([[signing.id, publicKey]])

const bearer: Target = {
  name: 'token',
  seeds: [
    `Bearer ${token}`,
    'Bearer abcdef.0123456789abcdef',
    `bearer  ${token.split('.').slice(0, 2).join('.')}.`,
  ],
  words: ['Bearer ', '.', 'eyJ', 'e30', '=', '-', '_', token, `${token.split('.')[0]}.`],
  run: (input) => {
    const header = input.toString('latin1')
    const noCertificate = { authorized: false, getPeerCertificate: () => ({}) }
    const tokenUser = (text: string) => {
      parseBootstrapToken(text)
      if (looksLikeJwt(text)) {
        verifyToken(text, keys)
        // Base64 has several spellings of the same bytes; the signed text itself has one.
        const signed = (whole: string) => whole.slice(0, whole.lastIndexOf('.'))
        hold(signed(text) === signed(token), 'only the token that was signed is good')
      }
      return { name: 'somebody', groups: [] }
    }
    // biome-ignore lint/suspicious/noExplicitAny: a certificate with nothing in it, as Node gives it
    userOf(noCertificate as any, { authorization: header }, { tokenUser, now: 0 })
  },
}

/** Each shape of a string that some schema describes, once. */
function stringSchemas(): Schema[] {
  const found = new Map<string, Schema>()
  const visit = (schema: Schema) => {
    const { pattern: form, format, maxLength } = schema
    if (form !== undefined || format !== undefined)
      found.set(JSON.stringify([form, format, maxLength]), schema)
    for (const below of Object.values(schema.properties ?? {})) visit(below)
    if (schema.items !== undefined) visit(schema.items)
    if (schema.additionalProperties !== undefined) visit(schema.additionalProperties)
  }
  for (const kind of servedKinds) visit(kind.schema)
  return [...found.values()]
}

const strings = stringSchemas()

const stringsOfSchemas: Target = {
  name: 'strings',
  seeds: ['1m30s', '64Mi', 'nginx:1.27', '2026-01-01T00:00:00Z', 'aGVsbG8=', '/data', 'NAME', '1111111111'],
  words: ['1', '0', 'a', '.', '-', '_', '/', ':', '=', 's', 'm', 'Mi', 'T', 'Z', '@', 'sha256:'],
  // A string may be as long as a body: what takes quadratic time shows here.
  maxBytes: 512 * 1024,
  rounds: 150,
  run: (input) => {
    const text = input.toString()
    for (const schema of strings) validate(schema, text)
  },
}

export const textTargets: readonly Target[] = [
  labelSelector,
  fieldSelector,
  quantity,
  duration,
  reference,
  jsonpath,
  bearer,
  stringsOfSchemas,
]
