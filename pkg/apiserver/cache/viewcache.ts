/**
 * The objects of a kind that only shows another, made from the other's cache when they are asked for. Nothing is held
 * twice: an entry projects its object when somebody needs its text or its fields, and forgets it with itself; a change
 * is projected once, however many watch.
 */
import { messageOf } from '#pkg/apimachinery/errors.ts'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import type { Kind, ViewOf } from '#pkg/apis/kind.ts'
import type { StoredRecord } from '#pkg/storage/port.ts'
import { Change } from './changes.ts'
import { type ApiObject, decodeWithoutManagers, encodeObject, headOf, withRevision } from './encoded.ts'
import { type Entry, type Filter, matchesEntry, readFields } from './entry.ts'
import type { KindReader, Watcher } from './kindcache.ts'

export interface ViewOptions {
  readonly viewOf: ViewOf<KubeObject>
  readonly onEncode: () => void
  /** Told of an object that cannot be projected: a watch that met it is cut, and no other is harmed. */
  readonly onUnreadable: (key: string, error: unknown) => void
}

export class ViewCache implements KindReader {
  readonly kind: Kind
  readonly #source: KindReader
  readonly #options: ViewOptions
  /** By the source's change; gone with it. */
  readonly #changes = new WeakMap<Change, Change>()

  constructor(kind: Kind, source: KindReader, options: ViewOptions) {
    this.kind = kind
    this.#source = source
    this.#options = options
  }

  get prefix(): string {
    return this.#source.prefix
  }

  get(key: string): Entry | undefined {
    return this.#show(this.#source.get(key))
  }

  /** What the source can select is left to it, so that only the rest needs projecting. */
  select(filter: Filter): Entry[] {
    const { sameFields } = this.#options.viewOf
    const isSame = (field: string) => field.startsWith('metadata.') || sameFields.includes(field)
    const { same = [], own = [] } = Object.groupBy(filter.fieldSelector, ({ field }) =>
      isSame(field) ? 'same' : 'own',
    )
    const mine: Filter = { labelSelector: [], fieldSelector: own }
    const selected: Entry[] = []
    // One by one, so that what does not match is gone before the next is projected.
    for (const source of this.#source.select({ ...filter, fieldSelector: same })) {
      const entry = this.#entry(source)
      if (own.length === 0 || matchesEntry(mine, entry)) selected.push(entry)
    }
    return selected
  }

  since(revision: number, current: number): readonly Change[] {
    return this.#source.since(revision, current).map((change) => this.#change(change))
  }

  watch(watcher: Watcher): () => void {
    return this.#source.watch({
      change: (change) => this.#tell(watcher, change),
      cut: (reason) => watcher.cut(reason),
      end: () => watcher.end(),
    })
  }

  entryOf(record: StoredRecord): Entry {
    return this.#entry(this.#source.entryOf(record))
  }

  textOf(record: StoredRecord): string {
    return this.entryOf(record).text
  }

  #tell(watcher: Watcher, change: Change): void {
    try {
      watcher.change(this.#change(change))
    } catch (error) {
      const entry = change.after ?? change.before
      this.#options.onUnreadable(`${this.prefix}${entry?.namespace}/${entry?.name}`, error)
      watcher.cut(`an object cannot be shown: ${messageOf(error)}`)
    }
  }

  #change(change: Change): Change {
    const known = this.#changes.get(change)
    if (known !== undefined) return known
    const { revision, before, after } = change
    const states = { revision, before: this.#show(before), after: this.#show(after) }
    const made = new Change(this.kind, states, this.#options.onEncode)
    this.#changes.set(change, made)
    return made
  }

  #show(entry: Entry | undefined): Entry | undefined {
    return entry && this.#entry(entry)
  }

  #entry(entry: Entry): Entry {
    return new ViewEntry(this.kind, this.#options.viewOf, entry)
  }
}

class ViewEntry implements Entry {
  readonly #kind: Kind
  readonly #viewOf: ViewOf<KubeObject>
  readonly #source: Entry
  #text: string | undefined
  #fields: Readonly<Record<string, string>> | undefined

  constructor(kind: Kind, viewOf: ViewOf<KubeObject>, source: Entry) {
    this.#kind = kind
    this.#viewOf = viewOf
    this.#source = source
  }

  get namespace(): string | undefined {
    return this.#source.namespace
  }

  get name(): string {
    return this.#source.name
  }

  get revision(): number {
    return this.#source.revision
  }

  get labels(): Readonly<Record<string, string>> {
    return this.#source.labels
  }

  get text(): string {
    const kind = this.#kind
    this.#text ??= withRevision(headOf(kind), encodeObject(kind, this.#project()), this.revision)
    return this.#text
  }

  get fields(): Readonly<Record<string, string>> {
    this.#fields ??= readFields(this.#kind, this.#project())
    return this.#fields
  }

  #project(): ApiObject {
    const { source, project } = this.#viewOf
    const projected: KubeObject = project(decodeWithoutManagers(headOf(source), this.#source.text))
    return { ...projected }
  }
}
