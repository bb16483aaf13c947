/** One object of a set that admission has accepted, and where it is written. */
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import type { ManifestDocument } from './decode.ts'

export interface CheckedObject {
  readonly kind: Kind
  /** Pruned and defaulted, in its namespace. */
  readonly object: KubeObject
  /** As written, in its namespace: what is sent, so that the server's defaults stay the server's. */
  readonly manifest: KubeObject
  readonly document: ManifestDocument
}
