/** The cached objects of one kind, in the order of their keys, with the window of changes and those who watch. */
import type { Kind } from '#pkg/apis/kind.ts'
import type { StoredEvent, StoredRecord } from '#pkg/storage/port.ts'
import { Change, Window } from './changes.ts'
import { type ApiObject, storagePrefix } from './encoded.ts'
import { type Entry, EntryReader, type Filter, matchesEntry, selectedName } from './entry.ts'

/** Gets every change of a kind in order, in the same turn in which the cache takes it. Must not throw. */
export interface Watcher {
  change(change: Change): void
  /** The cache has lost track: what the watcher has seen cannot be continued. */
  cut(reason: string): void
  /** The server stops. */
  end(): void
}

/** Sees every object that comes, changes or goes (undefined), before anybody is told. */
export type Indexer = (kind: Kind, key: string, object: ApiObject | undefined) => void

/** The objects of one kind for those who read and watch, whether they are stored or shown from another kind's. */
export interface KindReader {
  readonly kind: Kind
  /** Of the records that its objects come from. */
  readonly prefix: string
  /** `key` is NAMESPACE/NAME, or NAME. */
  get(key: string): Entry | undefined
  /** Throws why no object is shown although something is stored under its key. */
  mustBeReadable?(key: string): void
  /** Matching entries in the order of their keys. */
  select(filter: Filter): Entry[]
  /** The changes after `revision`. Throws Expired when some of them are forgotten. */
  since(revision: number, current: number): readonly Change[]
  /** Tells the watcher of every change from now on, until the returned function is called. */
  watch(watcher: Watcher): () => void
  /** An object as it was stored at some revision. */
  entryOf(record: StoredRecord): Entry
  /** The text alone, for less. */
  textOf(record: StoredRecord): string
}

export class KindCache implements KindReader {
  readonly kind: Kind
  readonly prefix: string
  readonly window: Window
  readonly watchers = new Set<Watcher>()
  readonly #reader: EntryReader
  readonly #index: Indexer
  readonly #onEncode: () => void
  readonly #onUnreadable: (key: string, error: unknown) => void
  readonly #entries = new Map<string, Entry>()
  /** Why what is stored under these keys is not among the entries. */
  readonly #unreadable = new Map<string, unknown>()
  /** Sorted; within a namespaced kind the objects of one namespace stand together. */
  readonly #keys: string[] = []

  constructor(
    kind: Kind,
    options: {
      readonly window: number
      readonly index: Indexer
      readonly onEncode: () => void
      /** A record that is no object is left out: one bad record must not take all others with it. */
      readonly onUnreadable: (key: string, error: unknown) => void
    },
  ) {
    this.kind = kind
    this.prefix = storagePrefix(kind)
    this.window = new Window(options.window)
    this.#reader = new EntryReader(kind)
    this.#index = options.index
    this.#onEncode = options.onEncode
    this.#onUnreadable = options.onUnreadable
  }

  get size(): number {
    return this.#entries.size
  }

  get(key: string): Entry | undefined {
    return this.#entries.get(key)
  }

  mustBeReadable(key: string): void {
    if (this.#unreadable.has(key)) throw this.#unreadable.get(key)
  }

  /** Those of one namespace are found without looking at the others. */
  select(filter: Filter): Entry[] {
    const name = selectedName(filter)
    const { namespace } = filter
    if (name !== undefined && (namespace !== undefined || !this.kind.namespaced)) {
      const entry = this.#entries.get(namespace === undefined ? name : `${namespace}/${name}`)
      return entry !== undefined && matchesEntry(filter, entry) ? [entry] : []
    }
    const [from, to] = this.#range(namespace)
    const selected: Entry[] = []
    for (let index = from; index < to; index++) {
      const entry = this.#entries.get(this.#keys[index] ?? '')
      if (entry !== undefined && matchesEntry(filter, entry)) selected.push(entry)
    }
    return selected
  }

  since(revision: number, current: number): readonly Change[] {
    return this.window.since(revision, current)
  }

  watch(watcher: Watcher): () => void {
    this.watchers.add(watcher)
    return () => this.watchers.delete(watcher)
  }

  entryOf(record: StoredRecord): Entry {
    return this.#reader.read(record).entry
  }

  textOf(record: StoredRecord): string {
    return this.#reader.text(record)
  }

  apply(event: StoredEvent): void {
    const { record } = event
    const key = record.key.slice(this.prefix.length)
    const before = this.#entries.get(key)
    if (event.type === 'delete') this.#unreadable.delete(key)
    if (event.type === 'delete') this.#remove(key)
    const after = event.type === 'put' ? this.#put(key, record) : undefined
    // Nothing to tell of a record that cannot be read, or of the end of one.
    if (after === undefined && (before === undefined || event.type === 'put')) return
    this.#tell({ revision: record.revision, before, after })
  }

  /** Takes one record of a first list. */
  load(record: StoredRecord): void {
    this.#put(record.key.slice(this.prefix.length), record)
  }

  /** Takes a fresh list instead of what is known; watchers are cut, for what lies between is lost. */
  replace(records: readonly StoredRecord[], revision: number): void {
    const known = new Set(this.#keys)
    this.#unreadable.clear()
    for (const record of records) {
      const key = record.key.slice(this.prefix.length)
      known.delete(key)
      this.#put(key, record)
    }
    for (const key of known) this.#remove(key)
    this.window.reset(revision)
    for (const watcher of this.watchers) watcher.cut('the server had to read its storage again')
  }

  #put(key: string, record: StoredRecord): Entry | undefined {
    const read = this.#read(record)
    if (read === undefined) return undefined
    if (!this.#entries.has(key)) this.#keys.splice(this.#position(key), 0, key)
    this.#entries.set(key, read.entry)
    this.#index(this.kind, key, read.object)
    return read.entry
  }

  #read(record: StoredRecord) {
    try {
      const read = this.#reader.read(record)
      this.#unreadable.delete(record.key.slice(this.prefix.length))
      return read
    } catch (error) {
      this.#unreadable.set(record.key.slice(this.prefix.length), error)
      this.#onUnreadable(record.key, error)
      return undefined
    }
  }

  #remove(key: string): void {
    if (!this.#entries.delete(key)) return
    this.#keys.splice(this.#position(key), 1)
    this.#index(this.kind, key, undefined)
  }

  #tell(states: { revision: number; before: Entry | undefined; after: Entry | undefined }): void {
    const change = new Change(this.kind, states, this.#onEncode)
    this.window.push(change)
    for (const watcher of this.watchers) watcher.change(change)
  }

  #range(namespace: string | undefined): [number, number] {
    if (namespace === undefined || !this.kind.namespaced) return [0, this.#keys.length]
    // '0' is the character after '/'.
    return [this.#position(`${namespace}/`), this.#position(`${namespace}0`)]
  }

  /** Of the first key that is not smaller. */
  #position(key: string): number {
    let low = 0
    let high = this.#keys.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#keys[middle] ?? '') < key) low = middle + 1
      else high = middle
    }
    return low
  }
}
