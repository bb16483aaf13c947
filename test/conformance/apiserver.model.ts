/**
 * A model of the API, simple enough to be believed: a few Containers, each with what writers can say of it, and a
 * history with one entry per revision.
 */

export interface Thing {
  readonly uid: string
  readonly revision: number
  readonly generation: number
  readonly image: string
  readonly labels: Readonly<Record<string, string>>
  readonly finalizers: readonly string[]
  readonly owners: readonly string[]
  readonly deleting: boolean
  readonly phase: string | undefined
  /** Who manages the image, as MANAGER/OPERATION. */
  readonly managers: readonly string[]
}

export interface Step {
  readonly revision: number
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly name: string
}

export class Model {
  readonly things = new Map<string, Thing>()
  readonly history: Step[] = []
  /** By revision: names with their revisions. */
  readonly snapshots = new Map<number, Readonly<Record<string, string>>>()
  revision: number

  constructor(revision: number) {
    this.revision = revision
    this.#remember()
  }

  /** A change happened: what was stored got the next revision. */
  put(name: string, thing: Omit<Thing, 'revision'>): void {
    const type = this.things.has(name) ? 'MODIFIED' : 'ADDED'
    this.revision++
    this.things.set(name, { ...thing, revision: this.revision })
    this.#step(type, name)
  }

  remove(name: string): void {
    this.revision++
    this.things.delete(name)
    this.#step('DELETED', name)
  }

  #step(type: Step['type'], name: string): void {
    this.history.push({ revision: this.revision, type, name })
    this.#remember()
  }

  #remember(): void {
    const pairs = [...this.things].map(([name, { revision }]) => [name, String(revision)])
    this.snapshots.set(this.revision, Object.fromEntries(pairs))
  }
}

/** What an ordinary write wants to be different. */
export interface Change {
  readonly image?: string
  readonly label?: string
  readonly finalizers?: readonly string[]
}

export type Outcome =
  | { readonly code: 200 | 201; readonly next: Omit<Thing, 'revision'> | 'removed' | 'same' }
  | { readonly code: 404 | 409 | 422 }

/** Of a PUT or a patch of everything but the status. */
export function changed(thing: Thing, change: Change, manager: string): Outcome {
  const { image = thing.image, finalizers = thing.finalizers } = change
  const labels = change.label === undefined ? thing.labels : { ...thing.labels, app: change.label }
  if (thing.deleting && finalizers.some((each) => !thing.finalizers.includes(each))) return { code: 422 }
  if (thing.deleting && finalizers.length === 0) return { code: 200, next: 'removed' }
  const moved = image !== thing.image
  const same = !moved && equal(labels, thing.labels) && equal(finalizers, thing.finalizers)
  if (same) return { code: 200, next: 'same' }
  const generation = thing.generation + (moved ? 1 : 0)
  const managers = moved ? [`${manager}/Update`] : thing.managers
  return { code: 200, next: { ...thing, image, labels, finalizers, generation, managers } }
}

/** Of an apply that names the image and a label that only its manager uses. */
export function applied(
  thing: Thing,
  { image, mark, manager, force }: { image: string; mark: string; manager: string; force: boolean },
): Outcome {
  const me = `${manager}/Apply`
  const moved = image !== thing.image
  if (moved && !force && thing.managers.some((each) => each !== me)) return { code: 409 }
  const labels = { ...thing.labels, [`by-${manager}`]: mark }
  const managers = moved ? [me] : [...new Set([...thing.managers, me])].sort()
  if (!moved && equal(labels, thing.labels) && equal(managers, thing.managers))
    return { code: 200, next: 'same' }
  const generation = thing.generation + (moved ? 1 : 0)
  return { code: 200, next: { ...thing, image, labels, generation, managers } }
}

export function deleted(thing: Thing): Outcome {
  if (thing.finalizers.length === 0) return { code: 200, next: 'removed' }
  if (thing.deleting) return { code: 200, next: 'same' }
  return { code: 200, next: { ...thing, deleting: true, generation: thing.generation + 1 } }
}

function equal(left: unknown, right: unknown): boolean {
  return JSON.stringify(sorted(left)) === JSON.stringify(sorted(right))
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value
  return Object.entries(value ?? {}).sort(([left], [right]) => (left < right ? -1 : 1))
}
