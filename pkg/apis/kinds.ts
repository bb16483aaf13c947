/** Every kind that Cove serves, in the order of discovery: where two groups share a plural, the earlier one wins. */
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { containerKind } from './container.kind.ts'
import { configMapKind, namespaceKind, secretKind } from './core.ts'
import { eventKind } from './event.ts'
import type { Kind } from './kind.ts'
import { networkKind } from './network.ts'
import { nodeKind } from './node.ts'
import { volumeKind } from './volume.ts'

export const kinds: readonly Kind[] = [
  erase(containerKind),
  erase(volumeKind),
  erase(networkKind),
  erase(nodeKind),
  erase(namespaceKind),
  erase(secretKind),
  erase(configMapKind),
  erase(eventKind),
]

/**
 * A kind among others. Its functions take the object type that its schema describes, so they may only be given
 * objects that the schema has accepted: admission keeps that promise.
 */
function erase<T extends KubeObject>(kind: Kind<T>): Kind {
  return kind as unknown as Kind
}

export function findKind(gvk: { group: string; version: string; kind: string }): Kind | undefined {
  return kinds.find(
    (kind) => kind.group === gvk.group && kind.version === gvk.version && kind.kind === gvk.kind,
  )
}
