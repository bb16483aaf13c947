/** Rules that hold between objects: what one Container may be depends on the others. Pure; the world is the view. */
import type { Cause } from '#pkg/apimachinery/errors.ts'

export interface HostPortClaim {
  /** In spec.ports. */
  readonly index: number
  /** `8080/TCP`. */
  readonly port: string
  /** Empty: every address of the host. */
  readonly hostIP: string
}

export interface ContainerFacts {
  readonly namespace: string
  readonly name: string
  readonly nodeName: string | undefined
  readonly nodeSelector: Readonly<Record<string, string>>
  readonly deleting: boolean
  /** Names of Containers in the same namespace. */
  readonly dependsOn: readonly string[]
  readonly hostPorts: readonly HostPortClaim[]
}

export interface NodeFacts {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
}

export interface AdmissionView {
  /** By NAMESPACE/NAME. */
  container(key: string): ContainerFacts | undefined
  /** Containers that claim a port of the host, such as `8080/TCP`. */
  claimants(port: string): readonly ContainerFacts[]
  nodes(): Iterable<NodeFacts>
}

/** What is wrong with the Container among the others. */
export function admitContainer(container: ContainerFacts, view: AdmissionView): Cause[] {
  return [...dependencyCycles(container, view), ...hostPortConflicts(container, view)]
}

/** Containers that wait for each other would never start. Names the whole cycle. */
export function dependencyCycles(container: ContainerFacts, view: AdmissionView): Cause[] {
  const seen = new Set<string>()
  return container.dependsOn.flatMap((dependency, index) => {
    const path = pathTo(container.name, dependency, (name) => {
      if (seen.has(name)) return []
      seen.add(name)
      return view.container(`${container.namespace}/${name}`)?.dependsOn ?? []
    })
    if (path === undefined) return []
    const message = `makes a cycle: ${[container.name, ...path].join(' -> ')}`
    return [{ reason: 'FieldValueInvalid' as const, field: `spec.dependsOn[${index}].container`, message }]
  })
}

/** The names from `from` to `target`, both included; `next` yields each name's dependencies once. */
function pathTo(
  target: string,
  from: string,
  next: (name: string) => readonly string[],
): readonly string[] | undefined {
  const cameFrom = new Map<string, string | undefined>([[from, undefined]])
  const open = [from]
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (name === target) return backTo(name, cameFrom)
    for (const dependency of next(name)) {
      if (cameFrom.has(dependency)) continue
      cameFrom.set(dependency, name)
      open.push(dependency)
    }
  }
  return undefined
}

function backTo(end: string, cameFrom: ReadonlyMap<string, string | undefined>): string[] {
  const path: string[] = []
  for (let name: string | undefined = end; name !== undefined; name = cameFrom.get(name)) path.unshift(name)
  return path
}

/**
 * A fixed host port can be had once per node and address. Refused is what can never run: every node that the
 * Container may go to has the port taken, by a Container that is bound there or can go nowhere else.
 */
export function hostPortConflicts(container: ContainerFacts, view: AdmissionView): Cause[] {
  if (container.hostPorts.length === 0) return []
  const candidates = candidateNodes(container, view)
  if (candidates.length === 0) return []
  return container.hostPorts.flatMap((claim) => {
    const others = view.claimants(claim.port).filter((other) => competes(container, claim, other))
    const holders = candidates.map((node) => others.find((other) => mustBeOn(node, other, view)))
    const [first] = holders
    if (first === undefined || holders.includes(undefined)) return []
    const where = candidates[0] === unnamedNode ? '' : ` on node ${candidates[0]}`
    const message = `${claim.port} is already used by Container ${first.namespace}/${first.name}${where}`
    return [{ reason: 'FieldValueInvalid' as const, field: `spec.ports[${claim.index}].hostPort`, message }]
  })
}

/** As long as no Node has registered, there is taken to be one whose name is not known. */
const unnamedNode = ''

function candidateNodes({ nodeName, nodeSelector }: ContainerFacts, view: AdmissionView): string[] {
  if (nodeName !== undefined) return [nodeName]
  const nodes = [...view.nodes()]
  if (nodes.length === 0) return [unnamedNode]
  const wanted = Object.entries(nodeSelector)
  return nodes
    .filter(({ labels }) => wanted.every(([key, value]) => labels[key] === value))
    .map(({ name }) => name)
}

function competes(container: ContainerFacts, claim: HostPortClaim, other: ContainerFacts): boolean {
  if (other.deleting) return false
  if (other.namespace === container.namespace && other.name === container.name) return false
  return other.hostPorts.some(({ port, hostIP }) => port === claim.port && overlap(hostIP, claim.hostIP))
}

function overlap(left: string, right: string): boolean {
  return left === right || isEveryAddress(left) || isEveryAddress(right)
}

function isEveryAddress(address: string): boolean {
  return address === '' || address === '0.0.0.0' || address === '::'
}

function mustBeOn(node: string, other: ContainerFacts, view: AdmissionView): boolean {
  const [only, ...more] = candidateNodes(other, view)
  return (
    more.length === 0 && only !== undefined && (only === node || only === unnamedNode || node === unnamedNode)
  )
}
