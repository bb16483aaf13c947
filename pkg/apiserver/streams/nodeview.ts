/**
 * Nodes as Kubernetes' core group has them, for clients that read them there: `kubectl top nodes` asks how much of each
 * machine can be used. Not told by discovery, where `nodes` means Cove's own kind.
 */
import { notFound } from '#pkg/apimachinery/errors.ts'
import { parseFieldSelector, parseLabelSelector } from '#pkg/apimachinery/selector.ts'
import { type NodeSpec, type NodeStatus, nodeKind } from '#pkg/apis/node.ts'
import type { Cache } from '../cache/cache.ts'
import { type ApiObject, decodeObject } from '../cache/encoded.ts'
import { jsonAnswer, onlyReads, type Surface } from '../http/answer.ts'
import { methodNotAllowed } from '../http/request.ts'

const path = /^\/api\/v1\/nodes(?:\/([^/]+))?$/

export function coreNodes(cache: () => Cache): Surface {
  return (request) => {
    const match = path.exec(request.path)
    if (match === null) return undefined
    onlyReads(request)
    if (!['', 'false', '0'].includes(request.query.get('watch') ?? '')) throw methodNotAllowed(['GET'])
    const nodes = cache().of(nodeKind)
    if (match[1] !== undefined) {
      const name = decodeURIComponent(match[1])
      const entry = nodes.get(name)
      if (entry === undefined) throw notFound({ group: '', plural: 'nodes' }, name)
      return jsonAnswer({ kind: 'Node', apiVersion: 'v1', ...coreNode(decodeObject(entry.text)) })
    }
    const labelSelector = parseLabelSelector(request.query.get('labelSelector') ?? '')
    const fieldSelector = parseFieldSelector(request.query.get('fieldSelector') ?? '')
    const items = nodes
      .select({ labelSelector, fieldSelector })
      .map(({ text }) => coreNode(decodeObject(text)))
    const metadata = { resourceVersion: String(cache().revision) }
    return jsonAnswer({ kind: 'NodeList', apiVersion: 'v1', metadata, items })
  }
}

/** A Node whose schema has accepted it. */
function coreNode({ metadata, spec, status = {} }: ApiObject) {
  const { managedFields: _managers, finalizers: _finalizers, ...shown } = metadata
  const { unschedulable, taints } = (spec ?? {}) as NodeSpec
  const { capacity, allocatable = capacity, conditions, addresses } = status as NodeStatus
  return {
    metadata: shown,
    spec: { ...(unschedulable && { unschedulable }), ...(taints !== undefined && { taints }) },
    status: {
      ...(capacity !== undefined && { capacity: amounts(capacity) }),
      ...(allocatable !== undefined && { allocatable: amounts(allocatable) }),
      ...(conditions !== undefined && { conditions }),
      ...(addresses !== undefined && { addresses }),
    },
  }
}

/** As quantities. */
function amounts({ cpu, memory }: NonNullable<NodeStatus['capacity']>) {
  return { cpu: String(cpu), memory: String(memory) }
}
