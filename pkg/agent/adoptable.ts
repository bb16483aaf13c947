/**
 * `GET /adoptable?namespace=N` of the node's small API (streams.ts): every container of its engine that is nobody's of
 * this API, as the manifests by which that namespace would take it over. They hold all its variables.
 */
import type { ApiResponse } from '#pkg/apimachinery/transport.ts'
import type { Adoptable } from '#pkg/apis/looks.ts'
import { clusterOf, nearestObjectName } from '#pkg/apis/wellknown.ts'
import type { Engine, ObservedContainer } from '#pkg/engine/port.ts'
import { adoptionOf } from './adoption.ts'
import type { NodeTarget } from './nodelooks.ts'
import { tellOwner } from './owned.ts'

export async function adoptable(target: NodeTarget): Promise<ApiResponse> {
  const { engine, request, ownerOf } = target
  const namespace = request.query.get('namespace') ?? 'default'
  const listed = await engine.listContainers()
  const strange = listed.filter(
    (found) => ownerOf(found) === undefined && clusterOf(found.labels) === undefined,
  )
  const names = new Map(
    listed.map(({ id, name, labels }) => [id, ownerOf({ id, labels })?.name ?? nearestObjectName(name)]),
  )
  const found = await Promise.all(strange.map(({ id }) => engine.inspectContainer(id)))
  const items = await Promise.all(
    found.filter((each) => each !== undefined).map((each) => tell(each, { ...target, namespace, names })),
  )
  const body = JSON.stringify({ kind: 'AdoptableContainers', apiVersion: 'cove.run/v1', items })
  return { status: 200, headers: { 'content-type': 'application/json' }, body }
}

interface Telling {
  readonly engine: Engine
  readonly nodeName: string
  readonly namespace: string
  readonly names: ReadonlyMap<string, string>
}

async function tell(
  found: ObservedContainer,
  { engine, nodeName, namespace, names }: Telling,
): Promise<Adoptable> {
  const image = (await engine.inspectImage(found.imageID)) ?? undefined
  const { manifests, notes } = adoptionOf({
    found,
    image,
    namespace,
    nodeName,
    nameOf: (id) => names.get(id),
  })
  const { id, name, state, labels } = found
  return {
    id,
    name,
    state,
    owner: tellOwner(labels, undefined),
    manifests: [...manifests],
    notes: [...notes],
  }
}
