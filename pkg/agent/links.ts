/**
 * Links: another Container under a name that only this one sees. Where both join a Network it is the network's name
 * service that answers, which follows the other one wherever it goes; on the default bridge it is the engine's own link,
 * a line of /etc/hosts that the engine keeps true while the two containers live. docs/adr/0013-links.md says why. Pure.
 */
import { objectKey } from '#pkg/apimachinery/meta.ts'
import type { Link } from '#pkg/apis/container.network.ts'
import type { Container } from '#pkg/apis/container.ts'
import { engineName, engineNameOf } from '#pkg/apis/wellknown.ts'
import type { ObservedContainer } from '#pkg/engine/port.ts'
import { currentContainer } from './container.cast.ts'
import type { Waiting, World } from './world.ts'

type Around = Pick<World, 'desired' | 'observed' | 'clusterID'>

/** `CONTAINER:NAME` of the links that the default bridge carries; in order of their names. */
export function bridgeLinks(container: Container): string[] {
  return onBridge(container)
    ? linksOf(container)
        .map((link) => linkText(container, link))
        .sort()
    : []
}

/** `CONTAINER:NAME` of those that a Network carries: the other Container joins it too. */
export function linksIn(
  network: string,
  container: Container,
  { desired }: Pick<World, 'desired'>,
): string[] {
  return linksOf(container)
    .filter((link) => sourceOf(link, container, desired)?.spec.networks.some(({ name }) => name === network))
    .map((link) => linkText(container, link))
    .sort()
}

/** The first link that leads nowhere: its Container is not on this node, or in no network of this one. */
export function whyNoLink(container: Container, world: World): Waiting | undefined {
  const { desired, observed, nodeName } = world
  const reasons = linksOf(container).map((link): Waiting | undefined => {
    const source = sourceOf(link, container, desired)
    const what = `spec.links: Container ${link.container}`
    if (source === undefined)
      return { reason: 'LinkNotFound', message: `${what} does not exist on node ${nodeName}` }
    const bridged = onBridge(container) && onBridge(source)
    const message = `${what} is in no network that ${container.metadata.name} is in; let both join one Network`
    if (!bridged && networksShared(container, source).length === 0)
      return { reason: 'LinkNotPossible', message }
    // The engine links to whoever has the name when the link is made.
    const isNamed = observed.containerNames.has(engineName(source.metadata))
    return bridged && !isNamed && currentContainer(source, world) !== undefined
      ? { reason: 'LinkNotFound', message: `${what} has no container of its name` }
      : undefined
  })
  return reasons.find((reason) => reason !== undefined)
}

/** Whose links lead here, and under which name: `web/db`. Sorted. */
export function linkedBy({ metadata }: Container, { desired }: Pick<World, 'desired'>): string[] {
  return [...desired.containers.values()]
    .filter((other) => other.metadata.namespace === metadata.namespace)
    .flatMap((other) =>
      linksOf(other)
        .filter(({ container }) => container === metadata.name)
        .map((link) => `${other.metadata.name}/${aliasOf(link)}`),
    )
    .sort()
}

/** What of links is fixed when the container is made: all of them, for a Network can carry them only by chance. */
export function linksFingerprint(container: Container): readonly string[] {
  const texts = linksOf(container).map(
    (link) => `${link.container}:${aliasOf(link)}:${link.injectEnv === true}`,
  )
  return texts.sort()
}

/**
 * The variables that links gave before there were networks: where each exposed port of the other container is reached.
 * Its own variables are not told. Of one that has no address there are none.
 */
export function linkVariables(container: Container, world: Around): Record<string, string> {
  const asked = linksOf(container).filter(({ injectEnv }) => injectEnv === true)
  return Object.assign({}, ...asked.map((link) => variablesOf(link, container, world)))
}

function variablesOf(link: Link, container: Container, world: Around): Record<string, string> {
  const source = sourceOf(link, container, world.desired)
  const observed = source && currentContainer(source, world)
  const address = source && observed && addressOf(source, observed, container, world.desired)
  if (observed === undefined || address === undefined) return {}
  const prefix = aliasOf(link).toUpperCase().replaceAll('-', '_')
  const ports = observed.settings.exposedPorts.map(readPort).sort(byNumber)
  const [first] = ports
  return {
    [`${prefix}_NAME`]: `/${engineName(container.metadata)}/${aliasOf(link)}`,
    ...(first !== undefined && { [`${prefix}_PORT`]: `${first.protocol}://${address}:${first.port}` }),
    ...Object.assign(
      {},
      ...ports.map(({ port, protocol }) => {
        const name = `${prefix}_PORT_${port}_${protocol.toUpperCase()}`
        return {
          [name]: `${protocol}://${address}:${port}`,
          [`${name}_ADDR`]: address,
          [`${name}_PORT`]: port,
          [`${name}_PROTO`]: protocol,
        }
      }),
    ),
  }
}

function addressOf(
  source: Container,
  observed: ObservedContainer,
  container: Container,
  { networks }: World['desired'],
): string | undefined {
  const { namespace = 'default' } = container.metadata
  const shared = networksShared(container, source).map((name) => {
    const network = networks.get(objectKey({ namespace, name }))
    return network === undefined ? engineName({ namespace, name }) : engineNameOf(network)
  })
  const wanted = onBridge(container) ? ['bridge'] : shared
  const found = observed.networks.find(({ network, ip }) => wanted.includes(network) && ip !== '')
  return found?.ip
}

interface Port {
  readonly port: string
  readonly protocol: string
}

/** `80/tcp`. */
function readPort(text: string): Port {
  const [port = '', protocol = 'tcp'] = text.split('/')
  return { port, protocol }
}

/** Of one number TCP comes first, as with Docker. */
function byNumber(a: Port, b: Port): number {
  return Number(a.port) - Number(b.port) || (a.protocol < b.protocol ? -1 : 1)
}

function linksOf({ spec }: Container): readonly Link[] {
  return spec.links ?? []
}

function aliasOf({ alias, container }: Link): string {
  return alias ?? container
}

/** The other one by its name on the engine, which is that of whoever serves. */
function linkText({ metadata }: Container, link: Link): string {
  const { namespace = 'default' } = metadata
  return `${engineName({ namespace, name: link.container })}:${aliasOf(link)}`
}

function sourceOf(link: Link, { metadata }: Container, desired: World['desired']): Container | undefined {
  const { namespace = 'default' } = metadata
  return desired.containers.get(objectKey({ namespace, name: link.container }))
}

function onBridge({ spec }: Container): boolean {
  return spec.networks.length === 0 && (spec.networkMode === undefined || spec.networkMode === 'bridge')
}

function networksShared(container: Container, source: Container): string[] {
  return container.spec.networks
    .map(({ name }) => name)
    .filter((name) => source.spec.networks.some((other) => other.name === name))
}
