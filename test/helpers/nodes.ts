/** What the server knows of nodes and of what is placed on them, made by hand. */
import { objectKey } from '#pkg/apimachinery/meta.ts'
import { buildKind } from '#pkg/apis/build.ts'
import { containerKind } from '#pkg/apis/container.kind.ts'
import { eventKind } from '#pkg/apis/event.ts'
import { imageKind } from '#pkg/apis/image.ts'
import { anyKind, type Kind } from '#pkg/apis/kind.ts'
import { networkKind } from '#pkg/apis/network.ts'
import { nodeKind } from '#pkg/apis/node.ts'
import { prunePolicyKind } from '#pkg/apis/prunepolicy.ts'
import { registryKind } from '#pkg/apis/registry.ts'
import { volumeKind } from '#pkg/apis/volume.ts'
import { NodeIndex } from '#pkg/apiserver/access/nodeindex.ts'
import type { ApiObject } from '#pkg/apiserver/cache/encoded.ts'

const kinds: Readonly<Record<string, Kind>> = {
  Container: anyKind(containerKind),
  Volume: anyKind(volumeKind),
  Network: anyKind(networkKind),
  Image: anyKind(imageKind),
  Build: anyKind(buildKind),
  Registry: anyKind(registryKind),
  PrunePolicy: anyKind(prunePolicyKind),
  Node: anyKind(nodeKind),
  Event: anyKind(eventKind),
}

/** As the cache tells the index of a change. */
export function tellNodes(index: NodeIndex, object: ApiObject, gone = false): void {
  const kind = kinds[object.kind]
  if (kind === undefined) throw new Error(`no kind ${object.kind} here`)
  index.index(kind, objectKey(object.metadata), gone ? undefined : object)
}

export function nodeIndexOf(...objects: readonly ApiObject[]): NodeIndex {
  const index = new NodeIndex()
  for (const object of objects) tellNodes(index, object)
  return index
}

export function makeNode(name: string): ApiObject {
  return { apiVersion: 'cove.run/v1', kind: 'Node', metadata: { name }, spec: { unschedulable: false } }
}

/** `key` is NAMESPACE/NAME. */
export function makePlaced(
  kind: 'Container' | 'Volume' | 'Network' | 'Image' | 'Build',
  key: string,
  more: { readonly spec?: object; readonly status?: object; readonly finalizers?: string[] } = {},
): ApiObject {
  const [namespace = '', name = ''] = key.split('/')
  const { spec = {}, status, finalizers } = more
  const metadata = { namespace, name, uid: `${kind}-${key}`, ...(finalizers && { finalizers }) }
  return { apiVersion: 'cove.run/v1', kind, metadata, spec: { ...spec }, ...(status && { status }) }
}

export function makeContainer(key: string, spec: object, finalizers?: string[]): ApiObject {
  return makePlaced('Container', key, { spec, ...(finalizers && { finalizers }) })
}
