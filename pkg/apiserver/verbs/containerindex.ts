/**
 * What rules across objects ask about Containers and Nodes, kept current by the cache. A write in flight is counted
 * as if it had happened, so that of two concurrent claims for one host port the second is refused.
 */
import { objectKey } from '#pkg/apimachinery/meta.ts'
import type { Container } from '#pkg/apis/container.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import type { ApiObject } from '../cache/encoded.ts'
import type { AdmissionView, ContainerFacts, NodeFacts } from './admission.ts'

export class ContainerIndex implements AdmissionView {
  readonly #stored = new Map<string, ContainerFacts>()
  readonly #pending = new Map<string, ContainerFacts>()
  /** Keys of Containers that claim a port of the host, by PORT/PROTOCOL; may hold keys that no longer do. */
  readonly #claims = new Map<string, Set<string>>()
  readonly #nodes = new Map<string, NodeFacts>()

  /** An Indexer of the cache. */
  readonly index = (kind: Kind, key: string, object: ApiObject | undefined): void => {
    if (kind.group !== 'cove.run') return
    if (kind.kind === 'Container') this.#putContainer(key, object)
    if (kind.kind === 'Node') this.#putNode(key, object)
  }

  /** Counts `container` as written until the returned function is called. */
  reserve(container: Container): () => void {
    const key = objectKey(container.metadata)
    const facts = factsOf(container)
    this.#pending.set(key, facts)
    this.#claim(key, facts)
    return () => {
      if (this.#pending.get(key) === facts) this.#pending.delete(key)
      this.#unclaim(key, facts)
    }
  }

  container(key: string): ContainerFacts | undefined {
    return this.#pending.get(key) ?? this.#stored.get(key)
  }

  claimants(port: string): readonly ContainerFacts[] {
    return [...(this.#claims.get(port) ?? [])].flatMap((key) => this.container(key) ?? [])
  }

  nodes(): Iterable<NodeFacts> {
    return this.#nodes.values()
  }

  #putContainer(key: string, object: ApiObject | undefined): void {
    const before = this.#stored.get(key)
    this.#stored.delete(key)
    if (object !== undefined) {
      const facts = factsOf(asContainer(object))
      this.#stored.set(key, facts)
      this.#claim(key, facts)
    }
    if (before !== undefined) this.#unclaim(key, before)
  }

  #putNode(key: string, object: ApiObject | undefined): void {
    if (object === undefined) this.#nodes.delete(key)
    else this.#nodes.set(key, { name: key, labels: object.metadata.labels ?? {} })
  }

  #claim(key: string, facts: ContainerFacts): void {
    for (const { port } of facts.hostPorts) {
      const keys = this.#claims.get(port)
      if (keys === undefined) this.#claims.set(port, new Set([key]))
      else keys.add(key)
    }
  }

  #unclaim(key: string, facts: ContainerFacts): void {
    for (const { port } of facts.hostPorts) {
      const held = [this.#stored.get(key), this.#pending.get(key)]
      if (held.some((other) => other?.hostPorts.some((claim) => claim.port === port))) continue
      const keys = this.#claims.get(port)
      keys?.delete(key)
      if (keys?.size === 0) this.#claims.delete(port)
    }
  }
}

/** The kind says that it is one, and its schema has accepted it. */
export function asContainer(object: ApiObject): Container {
  return object as unknown as Container
}

/** An older version may have stored it, before a field got its default. */
export function factsOf({ metadata, spec }: Container): ContainerFacts {
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    nodeName: spec.nodeName,
    nodeSelector: isEmpty(spec.nodeSelector) ? anywhere : spec.nodeSelector,
    deleting: metadata.deletionTimestamp !== undefined,
    dependsOn: orNone((spec.dependsOn ?? []).map((dependency) => dependency.container)),
    hostPorts: orNone(
      (spec.ports ?? []).flatMap(({ hostPort, hostIP, protocol }, index) =>
        hostPort === undefined ? [] : [{ index, port: `${hostPort}/${protocol}`, hostIP: hostIP ?? '' }],
      ),
    ),
  }
}

const anywhere: Readonly<Record<string, string>> = {}
const none: readonly never[] = []

/** What most Containers do not have is there once: there may be very many. */
function orNone<T>(list: readonly T[]): readonly T[] {
  return list.length === 0 ? none : list
}

function isEmpty(selector: Readonly<Record<string, string>> | undefined): selector is undefined {
  return selector === undefined || Object.keys(selector).length === 0
}
