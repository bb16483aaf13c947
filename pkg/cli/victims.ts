/** The objects that manifests name, for deletion: kind and name are enough, the rest need not be valid. */
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { apiVersionOf } from '#pkg/apimachinery/meta.ts'
import { readTypeMeta, unknownKindMessage } from '#pkg/manifest/admit.ts'
import { type ManifestDocument, placeOf } from '#pkg/manifest/decode.ts'
import { type Problem, problemText } from '#pkg/manifest/place.ts'
import { discover } from './discovery.ts'
import { Failed } from './errors.ts'
import { readManifests } from './manifests.ts'
import { builtinResources, type Resource } from './resources.ts'
import type { Context, Session } from './session.ts'
import type { Waited } from './waiting.ts'

/** In the order of deletion: what uses others goes before what it uses. Throws Failed after printing what is wrong. */
export async function victimsOfManifests(context: Context, session: Session): Promise<Waited[]> {
  const documents = await readManifests(context, 'delete')
  const known = await knownResources(documents, session)
  const found = documents.map((document) => victimOf(document, known, session.namespace))
  const problems = found.flatMap((one) => ('message' in one ? [one] : []))
  if (problems.length > 0) {
    await context.io.stderr.write(problems.map((problem) => `${problemText(problem)}\n`).join(''))
    throw new Failed()
  }
  const victims = found.flatMap((one) => ('message' in one ? [] : [one]))
  return victims.sort((a, b) => deleteRank(a.resource) - deleteRank(b.resource))
}

function deleteRank({ kind }: Resource): number {
  const last = ['Network', 'Volume', 'ConfigMap', 'Secret', 'Namespace']
  return last.indexOf(kind) + 1
}

async function knownResources(documents: readonly ManifestDocument[], session: Session) {
  const builtin = documents.every(({ value }) => {
    const type = readTypeMeta(value)
    return 'message' in type || findResource(type, builtinResources) !== undefined
  })
  return builtin ? builtinResources : discover(session.client, session.signal)
}

function victimOf(
  document: ManifestDocument,
  known: readonly Resource[],
  defaultNamespace: string,
): Waited | Problem {
  const type = readTypeMeta(document.value)
  if ('message' in type) return { place: document.source, message: type.message }
  const resource = findResource(type, known)
  if (resource === undefined) {
    const types = known.map((one) => ({ apiVersion: apiVersionOf(one), kind: one.kind }))
    return { place: placeOf(document, 'kind'), message: unknownKindMessage(type, types) }
  }
  const metadata = isPlainObject(document.value) ? document.value['metadata'] : undefined
  const { name, namespace } = isPlainObject(metadata) ? metadata : {}
  if (typeof name !== 'string' || name === '')
    return { place: placeOf(document, 'metadata'), field: 'metadata.name', message: 'is required' }
  const own = typeof namespace === 'string' ? namespace : defaultNamespace
  return { resource, name, ...(resource.namespaced && { namespace: own }) }
}

function findResource(
  type: { apiVersion: string; kind: string },
  known: readonly Resource[],
): Resource | undefined {
  return known.find((one) => one.kind === type.kind && apiVersionOf(one) === type.apiVersion)
}
