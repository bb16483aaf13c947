/** What a kind is: the value that each kind file exports and that the server, the CLI and the agent read. */
import type { Cause } from '#pkg/apimachinery/errors.ts'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import type { Schema } from './schema.ts'

/** A rule over several fields. Pure; runs after the schema has accepted the object. */
export type Rule<T> = (object: T) => Cause[]

/** A column of the table that `get` prints. Cells are short: a list is joined, an absent value is "". */
export interface Column<T> {
  readonly name: string
  readonly type: 'string' | 'integer' | 'date'
  readonly description: string
  /** Only with -o wide. */
  readonly wide?: true
  /** Where the cell comes from, when it is one field as it stands: `.spec.image`. For Kubernetes, which asks no code. */
  readonly jsonPath?: string
  readonly cell: (object: T, now: number) => string | number
}

/** What changing a field does to what the node holds of the object. */
export type ChangeClass = 'nothing' | 'in place' | 'recreate'

/** What is served below an object besides `status`, for discovery; who answers it is not the kind's business. */
export interface Subresource {
  /** Such as `log`. */
  readonly name: string
  readonly verbs: readonly string[]
  /** What it takes and answers; absent: the kind itself. */
  readonly kind?: { readonly group: string; readonly version: string; readonly kind: string }
}

/** For a kind that stores nothing: each of its objects shows one of another kind, and is made when it is asked for. */
export interface ViewOf<T> {
  /** The kind whose objects are shown, under the same namespace and name; whoever wants a change changes those. */
  readonly source: Kind
  /** Pure. Is given the source without its managers of fields; keeps name, namespace, labels and revision. */
  readonly project: (source: KubeObject) => T
  /** Of the selectable fields those that the source has under the same path: selected without projecting. */
  readonly sameFields: readonly string[]
}

export interface Kind<T extends KubeObject = KubeObject> {
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly plural: string
  readonly singular: string
  readonly shortNames: readonly string[]
  readonly categories: readonly string[]
  readonly namespaced: boolean
  /** What names may be; absent: those of DNS. A label holds no dot; a path segment is anything without "/" and "%". */
  readonly nameRule?: 'label' | 'path segment'
  readonly description: string
  /** Of the whole object, apiVersion, kind and metadata included. */
  readonly schema: Schema
  /** Whether status is written apart from the rest, and generation counts changes of the rest. */
  readonly statusSubresource: boolean
  /** Field selectors beside metadata.name and metadata.namespace, as dotted paths. */
  readonly selectableFields: readonly string[]
  /** Shorter words for selectable fields, by the word: those of Docker's filters. */
  readonly selectableAliases?: Readonly<Record<string, string>>
  /** Absent: objects of the kind are stored, and can be written. */
  readonly viewOf?: ViewOf<T>
  /** Absent: none besides status. */
  readonly subresources?: readonly Subresource[]
  readonly columns: readonly Column<T>[]
  /** Where the name stands in a table; absent: first. Last and only with -o wide where names tell nothing. */
  readonly nameColumn?: 'wide'
  /** Defaults that depend on other fields; runs after the schema's own. Returns a new object. */
  readonly prepare?: (object: T) => T
  readonly rules: readonly Rule<T>[]
  /** How long it may take to end when a deletion does not say, in seconds; absent: 0. */
  readonly gracePeriod?: (object: T) => number
  /** By the path of a field, such as `spec.env[0].value`; absent: changes of this kind make nothing anew. */
  readonly changeOf?: (path: string) => ChangeClass
  /** Things that are allowed but seldom meant; printed as warnings, never stored. */
  readonly warn?: (object: T) => string[]
}

/** Whether there is a status below its objects: to be written too, or of a kind that only shows others to be read. */
export function hasStatus({ statusSubresource, viewOf }: Kind): boolean {
  return statusSubresource || viewOf?.source.statusSubresource === true
}

/** `Container.cove.run/v1` reads as one word in logs and errors. */
export function kindName(kind: { group: string; kind: string }): string {
  return kind.group === '' ? kind.kind : `${kind.kind}.${kind.group}`
}

/**
 * A kind among others. Its functions take the object type that its schema describes, so they may only be given
 * objects that the schema has accepted: admission keeps that promise.
 */
export function anyKind<T extends KubeObject>(kind: Kind<T>): Kind {
  return kind as unknown as Kind
}
