/** What must hold between the Containers of one set: host ports on a node, and dependencies without a cycle. Pure. */
import type { Container } from '#pkg/apis/container.ts'
import type { CheckedObject } from './checked.ts'
import { type ManifestDocument, placeOf } from './decode.ts'
import { type Problem, placeText } from './place.ts'

interface Written {
  readonly container: Container
  readonly document: ManifestDocument
}

/** Takes admitted objects of any kind. */
export function checkContainers(objects: readonly CheckedObject[]): Problem[] {
  const containers = objects
    .filter(({ kind }) => kind.kind === 'Container')
    // Admission has accepted them as Containers.
    .map(({ object, document }) => ({ container: object as Container, document }))
  return [...hostPortProblems(containers), ...cycleProblems(containers)]
}

interface HostPort {
  readonly owner: Written
  readonly field: string
  readonly port: number
  readonly protocol: string
  readonly address: string
}

function hostPortProblems(containers: readonly Written[]): Problem[] {
  const taken: HostPort[] = []
  return containers.flatMap((owner) => {
    const mine = hostPortsOf(owner)
    const problems = mine.flatMap((port) => {
      const other = taken.find((candidate) => clashes(candidate, port))
      return other === undefined ? [] : [hostPortProblem(port, other)]
    })
    taken.push(...mine)
    return problems
  })
}

function hostPortsOf(owner: Written): HostPort[] {
  return owner.container.spec.ports.flatMap(({ hostPort, hostIP, protocol }, index) => {
    if (hostPort === undefined) return []
    const any = hostIP === undefined || hostIP === '0.0.0.0' || hostIP === '::'
    const address = any ? '' : hostIP
    return [{ owner, field: `spec.ports[${index}].hostPort`, port: hostPort, protocol, address }]
  })
}

function clashes(one: HostPort, other: HostPort): boolean {
  const sameNode = one.owner.container.spec.nodeName === other.owner.container.spec.nodeName
  const sameAddress = one.address === other.address || one.address === '' || other.address === ''
  return sameNode && one.port === other.port && one.protocol === other.protocol && sameAddress
}

function hostPortProblem({ owner, field, port, protocol }: HostPort, other: HostPort): Problem {
  const { metadata } = other.owner.container
  const at = placeText(placeOf(other.owner.document, other.field))
  const message = `${port}/${protocol} is already used by container "${metadata.name}" at ${at}`
  return { place: placeOf(owner.document, field), field, message }
}

/** One problem per cycle, at the first of its Containers as written. */
function cycleProblems(containers: readonly Written[]): Problem[] {
  const byKey = new Map(containers.map((one) => [keyOf(one.container), one]))
  const settled = new Set<string>()
  const problems: Problem[] = []
  const visit = (one: Written, path: readonly Written[]): void => {
    const key = keyOf(one.container)
    const from = path.findIndex((step) => keyOf(step.container) === key)
    if (from >= 0) problems.push(cycleProblem(path.slice(from)))
    if (from >= 0 || settled.has(key)) return
    for (const { container } of one.container.spec.dependsOn) {
      const next = byKey.get(`${one.container.metadata.namespace ?? ''}/${container}`)
      // A Container that depends on itself is refused by its own rules.
      if (next !== undefined && next !== one) visit(next, [...path, one])
    }
    settled.add(key)
  }
  for (const one of containers) visit(one, [])
  return problems
}

function cycleProblem(cycle: readonly Written[]): Problem {
  const names = cycle.map(({ container }) => container.metadata.name)
  const [first] = cycle
  if (first === undefined) throw new RangeError('a cycle has at least one member')
  const next = names[1] ?? names[0]
  const index = first.container.spec.dependsOn.findIndex(({ container }) => container === next)
  const field = `spec.dependsOn[${index}].container`
  const message = `dependency cycle: ${[...names, names[0]].join(' -> ')}`
  return { place: placeOf(first.document, field), field, message }
}

function keyOf({ metadata }: Container): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`
}
