/**
 * Which images may go by a policy, in which order, and why the others stay. An image goes whole or not at all: of one that
 * stays no name is taken away. Pure.
 */
import { matchesGlob } from '#pkg/apimachinery/glob.ts'
import { humanDuration, parseDuration } from '#pkg/apimachinery/quantity.ts'
import { familiarReference, parseReference } from '#pkg/apimachinery/reference.ts'
import type { PrunePolicySpec } from '#pkg/apis/prunepolicy.ts'
import type { ListedImage } from '#pkg/engine/images.ts'
import type { KeepSet } from './keepset.ts'
import { repositoriesOf } from './keepset.ts'
import { imageText, type Kept, type PruneSight } from './sight.ts'

type ImageRules = NonNullable<PrunePolicySpec['images']>

/** Ages of what a policy does not say. */
export const usualAge = '24h'
/** What has only just come is not taken away again for the disk's sake: somebody is about to use it. ms. */
const graceMs = 120_000

export interface ImageChoice {
  /** What is made of another goes before that. */
  readonly going: readonly { readonly image: ListedImage; readonly why: string }[]
  readonly kept: readonly Kept[]
}

export interface ImageQuestion {
  readonly sight: PruneSight
  readonly keep: KeepSet
  /** Absent: none go. */
  readonly rules: ImageRules | undefined
  /** The disk is too full: ages do not count, and unused images go too. */
  readonly full: boolean
}

export function chooseImages(question: ImageQuestion): ImageChoice {
  const { sight, keep } = question
  const newest = newestOf(sight.images, question.rules?.keepLast ?? 0)
  const staying = new Map<string, string>()
  const parents = new Set(sight.images.map(({ parent }) => parent))
  for (const image of sight.images) {
    const why = keep.image(image) ?? (isStep(image, parents) ? undefined : whyNot(image, question, newest))
    if (why !== undefined) staying.set(image.id, why)
  }
  holdFamilies(sight.images, keep, staying)
  const going = sight.images.filter(({ id }) => !staying.has(id))
  const kept = sight.images.flatMap((image) => {
    const why = staying.get(image.id)
    return why === undefined ? [] : [{ what: imageText(image), why }]
  })
  const inOrder = youngFirst(going.toSorted(byUse(sight)))
  return { going: inOrder.map((image) => ({ image, why: whyGone(image, question, parents) })), kept }
}

/** Of a build: without names, and others are made of it. It goes with the last of them. */
function isStep({ id, references, digests }: ListedImage, parents: ReadonlySet<string>): boolean {
  return references.length + digests.length === 0 && parents.has(id)
}

/** Why the policy lets it stay. */
function whyNot(
  image: ListedImage,
  question: ImageQuestion,
  newest: ReadonlyMap<string, string>,
): string | undefined {
  const { rules, full } = question
  if (rules === undefined && !full) return 'no images are to go'
  const isDangling = image.references.length === 0
  if (!full && isDangling && rules?.dangling !== true) return 'images without a name are not to go'
  if (!full && !isDangling && rules?.unused !== true)
    return 'it has a name, and only images without one are to go'
  return whyNotMeant(image, rules) ?? newest.get(image.id) ?? whyTooYoung(image, question)
}

function whyNotMeant(
  { references, digests, labels }: ListedImage,
  rules: ImageRules | undefined,
): string | undefined {
  const patterns = rules?.references
  const names = references.length > 0 ? references : digests
  const other = patterns && names.find((name) => !patterns.some((pattern) => isNamed(name, pattern)))
  if (other !== undefined) return `${other} is none of the names that are to go`
  if (patterns !== undefined && names.length === 0) return 'it has none of the names that are to go'
  const missing = Object.entries(rules?.selector ?? {}).find(([key, value]) => labels[key] !== value)
  return missing && `it has not got the label ${missing.join('=')}`
}

/** By its short or its long form, or without its tag. */
function isNamed(name: string, pattern: string): boolean {
  const parsed = parseReference(name)
  if (!parsed.ok) return matchesGlob(pattern, name)
  const { registry, repository, tag } = parsed.reference
  const short = familiarReference(parsed.reference)
  const bare = familiarReference({ registry, repository })
  const long = `${registry}/${repository}`
  const forms = [name, short, bare, long, ...(tag === undefined ? [] : [`${long}:${tag}`])]
  return forms.some((form) => matchesGlob(pattern, form))
}

/** Why each of them is among the newest of a repository, by id. */
function newestOf(images: readonly ListedImage[], keepLast: number): ReadonlyMap<string, string> {
  const newest = new Map<string, string>()
  if (keepLast === 0) return newest
  const named = images.flatMap((image) => repositoriesOf(image).map((repository) => ({ image, repository })))
  for (const [repository, of] of Map.groupBy(named, (one) => one.repository)) {
    const inOrder = of.toSorted((a, b) => Date.parse(b.image.createdAt) - Date.parse(a.image.createdAt))
    const why = `it is among the newest ${keepLast} of ${repository}`
    for (const { image } of inOrder.slice(0, keepLast)) newest.set(image.id, why)
  }
  return newest
}

function whyTooYoung(image: ListedImage, { sight, rules, full }: ImageQuestion): string | undefined {
  const age = Math.max(0, sight.now - sight.lastUsed(image.id))
  const least = full ? graceMs : (parseDuration(rules?.olderThan ?? usualAge) ?? Number.POSITIVE_INFINITY)
  return age >= least ? undefined : `used ${humanDuration(age)} ago: it goes after ${humanDuration(least)}`
}

/** What others are made of stays as long as they do; so does what would take a step with it that has to stay. */
function holdFamilies(images: readonly ListedImage[], keep: KeepSet, staying: Map<string, string>): void {
  const byID = new Map(images.map((image) => [image.id, image]))
  const hold = (held: ListedImage | undefined, relation: string, image: ListedImage) => {
    if (held !== undefined) staying.set(image.id, `it is ${relation} ${imageText(held)}, which stays`)
  }
  for (const image of images)
    if (!staying.has(image.id)) hold(keptStepAbove(image, byID, keep), 'made of', image)
  for (const id of [...staying.keys()])
    for (let child = byID.get(id); child !== undefined; child = byID.get(child.parent)) {
      const parent = byID.get(child.parent)
      if (parent !== undefined && !staying.has(parent.id)) hold(child, 'what was made into', parent)
    }
}

/** The engine removes steps without names by itself, together with the last that was made of them. */
function keptStepAbove(
  image: ListedImage,
  byID: ReadonlyMap<string, ListedImage>,
  keep: KeepSet,
): ListedImage | undefined {
  for (let step = byID.get(image.parent); step !== undefined; step = byID.get(step.parent)) {
    if (step.references.length + step.digests.length > 0) return undefined
    if (keep.image(step) !== undefined) return step
  }
  return undefined
}

/** Those without names first, then by their last use. */
function byUse({ lastUsed }: PruneSight): (a: ListedImage, b: ListedImage) => number {
  const named = ({ references }: ListedImage) => Math.min(1, references.length)
  return (a, b) => named(a) - named(b) || lastUsed(a.id) - lastUsed(b.id) || a.id.localeCompare(b.id)
}

/** Before what they are made of; else as they come. */
function youngFirst(images: readonly ListedImage[]): ListedImage[] {
  const children = Map.groupBy(images, ({ parent }) => parent)
  const done = new Set<string>()
  const inOrder: ListedImage[] = []
  const put = (image: ListedImage) => {
    if (done.has(image.id)) return
    done.add(image.id)
    for (const child of children.get(image.id) ?? []) put(child)
    inOrder.push(image)
  }
  for (const image of images) put(image)
  return inOrder
}

function whyGone(image: ListedImage, { sight, full }: ImageQuestion, parents: ReadonlySet<string>): string {
  if (isStep(image, parents)) return 'it was a step of a build, and nothing that was made of it stays'
  const age = humanDuration(Math.max(0, sight.now - sight.lastUsed(image.id)))
  const unused = `nothing uses it, since ${age}`
  const why = image.references.length === 0 ? `it has lost its name, and ${unused}` : unused
  return full ? `the disk is too full; ${why}` : why
}

/** Names first, one by one, then the rest: so it goes without force. What removes it when nothing names it is its id. */
export function removalsOf({
  id,
  references,
  digests,
}: ListedImage): { image: string; reference?: string }[] {
  const repository = (name: string) => name.replace(/@.*$/, '').replace(/:[^/:]*$/, '')
  const tagged = new Set(references.map(repository))
  const others = digests.filter((digest) => !tagged.has(repository(digest)))
  const names = [...references, ...others]
  if (names.length === 0) return [{ image: id }]
  return names.map((reference) => ({ image: id, reference }))
}
