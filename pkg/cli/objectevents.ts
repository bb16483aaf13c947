/** The events about one object. */
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { listObjects } from './follow.ts'
import { builtinResource } from './resources.ts'
import type { Session } from './session.ts'

export async function eventsOf({ kind, metadata }: KubeObject, session: Session): Promise<KubeObject[]> {
  const { name, namespace, uid } = metadata
  const fields = [`involvedObject.kind=${kind}`, `involvedObject.name=${name}`]
  const fieldSelector = [...fields, ...(uid === undefined ? [] : [`involvedObject.uid=${uid}`])].join(',')
  const resource = builtinResource('Event')
  const scope = { resource, fieldSelector, ...(namespace !== undefined && { namespace }) }
  return (await listObjects(scope, session)).objects
}
