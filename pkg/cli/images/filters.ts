/**
 * Which images a listing shows, by Docker's rules: the filters `dangling`, `label`, `before`, `since` and `reference`. Values
 * of one filter are alternatives, except of `label`, which must all fit; filters must all fit. Pure.
 */
import { imageMeant } from '#pkg/apis/imagename.ts'
import type { NodeImage } from '#pkg/apis/looks.images.ts'
import { UsageError } from '../errors.ts'
import { compileGlob } from './glob.ts'

export interface Filters {
  readonly dangling?: boolean
  /** `KEY`, or `KEY=VALUE`. */
  readonly labels: readonly string[]
  /** Images: older than this one. */
  readonly before?: string
  /** Images: newer than this one. */
  readonly since?: string
  /** Patterns of names. */
  readonly references: readonly string[]
}

const names = ['dangling', 'label', 'before', 'since', 'reference'] as const

/** Of the words of `--filter`, `KEY=VALUE` each. Throws UsageError. */
export function parseFilters(words: readonly string[], command: string): Filters {
  const pairs = words.map((word) => {
    const equals = word.indexOf('=')
    if (equals < 0) throw new UsageError(`--filter "${word}": KEY=VALUE is expected`, command)
    return [word.slice(0, equals).trim().toLowerCase(), word.slice(equals + 1).trim()] as const
  })
  const unknown = pairs.find(([name]) => !names.some((known) => known === name))
  if (unknown !== undefined)
    throw new UsageError(`there is no filter "${unknown[0]}": one of ${names.join(', ')}`, command)
  const valuesOf = (wanted: (typeof names)[number]) =>
    pairs.filter(([name]) => name === wanted).map(([, value]) => value)
  const [dangling] = valuesOf('dangling').map((value) => readTruth(value, command))
  const [before, since] = [valuesOf('before').at(-1), valuesOf('since').at(-1)]
  return {
    ...(dangling !== undefined && { dangling }),
    labels: valuesOf('label'),
    ...(before !== undefined && { before }),
    ...(since !== undefined && { since }),
    references: valuesOf('reference'),
  }
}

function readTruth(value: string, command: string): boolean {
  if (/^(1|t|true)$/i.test(value)) return true
  if (/^(0|f|false)$/i.test(value)) return false
  throw new UsageError(`--filter dangling=${value}: true or false is expected`, command)
}

export interface Choice extends Filters {
  /** Also images that only others are made of. */
  readonly all: boolean
}

/**
 * Of all images of one engine those to be shown, the newest first; of each only the names that were asked for. Throws
 * ImageNotFound, or BadRequest, when `before` or `since` means none, or several.
 */
export function chooseImages(images: readonly NodeImage[], choice: Choice): NodeImage[] {
  const createdOf = (word: string | undefined) =>
    word === undefined ? undefined : nanoseconds(imageMeant(word, images).image.createdAt)
  const [before, since] = [createdOf(choice.before), createdOf(choice.since)]
  const isNamed = choice.references.length === 0 ? undefined : nameMatcher(choice.references)
  return images
    .filter(({ createdAt }) => before === undefined || nanoseconds(createdAt) < before)
    .filter(({ createdAt }) => since === undefined || nanoseconds(createdAt) > since)
    .filter(({ labels }) => choice.labels.every((wanted) => hasLabel(labels, wanted)))
    .map((image) => (isNamed === undefined ? image : onlyNamed(image, isNamed)))
    .filter((image) => isShown(image, choice))
    .toSorted((a, b) => Date.parse(b.createdAt) - Date.parse(a.createdAt) || (a.id < b.id ? -1 : 1))
}

/** Engines make images faster than a millisecond apart. */
function nanoseconds(time: string): bigint {
  const [, fraction = ''] = /\.(\d+)/.exec(time) ?? []
  const seconds = Math.floor(Date.parse(time) / 1000)
  return BigInt(seconds) * 1_000_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, '0'))
}

/**
 * Those whose exact time of creation `before` and `since` ask for: lists of engines tell seconds only. Empty when nothing
 * was made within the same second.
 */
export function unclearlyOrdered(images: readonly NodeImage[], { before, since }: Filters): NodeImage[] {
  const second = ({ createdAt }: NodeImage) => Math.floor(Date.parse(createdAt) / 1000)
  const bounds = [before, since].flatMap((word) =>
    word === undefined ? [] : [imageMeant(word, images).image],
  )
  const found = bounds.flatMap((bound) => {
    const same = images.filter((image) => second(image) === second(bound))
    return same.length > 1 ? same : []
  })
  return [...new Set(found)]
}

/** A name that was asked for is shown with its digests, where Docker forgets them. */
function onlyNamed(image: NodeImage, isNamed: (reference: string) => boolean): NodeImage {
  const references = image.references.filter(isNamed)
  const repositories = new Set(references.map((reference) => partsOf(reference).repository))
  const digests = image.digests.filter(
    (digest) => isNamed(digest) || repositories.has(partsOf(digest).repository),
  )
  return { ...image, references, digests }
}

/** A digest is a name too, and an image with one is no less dangling while it has no tag. */
function isShown(image: NodeImage, { dangling, references, all }: Choice): boolean {
  const { children, references: tags, digests } = image
  if (dangling === true && (children || tags.length > 0)) return false
  if (tags.length + digests.length > 0) return true
  return references.length === 0 && dangling !== false && (all || !children)
}

function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const equals = wanted.indexOf('=')
  if (equals < 0) return Object.hasOwn(labels, wanted)
  const key = wanted.slice(0, equals)
  return Object.hasOwn(labels, key) && labels[key] === wanted.slice(equals + 1)
}

/** A pattern fits the whole name with its tag, or the repository alone. */
function nameMatcher(patterns: readonly string[]): (reference: string) => boolean {
  const matchers = patterns.map(compileGlob)
  return (reference) => {
    const { repository } = partsOf(reference)
    return matchers.some((matches) => matches(reference) || matches(repository))
  }
}

export interface NameParts {
  readonly repository: string
  readonly tag?: string
  readonly digest?: string
}

/** Of a name as engines list them. */
export function partsOf(reference: string): NameParts {
  const at = reference.indexOf('@')
  if (at >= 0) return { repository: reference.slice(0, at), digest: reference.slice(at + 1) }
  const colon = reference.lastIndexOf(':')
  if (colon < 0) return { repository: reference }
  return { repository: reference.slice(0, colon), tag: reference.slice(colon + 1) }
}
