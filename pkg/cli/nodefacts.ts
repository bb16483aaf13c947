/** What is asked of the server about the node of an object. */
import { isReason } from '#pkg/apimachinery/errors.ts'
import type { Lease } from '#pkg/apis/lease.ts'
import type { Node } from '#pkg/apis/node.ts'
import { objectPath } from '#pkg/apis/paths.ts'
import type { NodeFacts } from './nodetext.ts'
import { builtinResource } from './resources.ts'
import type { Session } from './session.ts'

/** Where nodes hold their leases, as in Kubernetes. */
const leaseNamespace = 'kube-node-lease'

export async function readNodeFacts(name: string | undefined, session: Session): Promise<NodeFacts> {
  if (name === undefined) return { node: undefined, lease: undefined }
  const { client, signal } = session
  const read = async (kind: 'Node' | 'Lease', namespace?: string) => {
    const path = objectPath(builtinResource(kind), { name, ...(namespace !== undefined && { namespace }) })
    return await maybe(client.json({ method: 'GET', path }, signal))
  }
  const [node, lease] = await Promise.all([read('Node'), read('Lease', leaseNamespace)])
  return {
    // Of these resources the server has nothing else.
    node: node as Node | 'hidden' | undefined,
    lease: lease === 'hidden' ? undefined : (lease as Lease | undefined),
  }
}

/** Not everybody may read nodes. */
async function maybe(reading: Promise<unknown>): Promise<unknown> {
  try {
    return await reading
  } catch (error) {
    if (isReason(error, 'NotFound')) return undefined
    if (isReason(error, 'Forbidden')) return 'hidden'
    throw error
  }
}
