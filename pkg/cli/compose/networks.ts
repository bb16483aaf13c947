/** Networks of a Compose project, and who joins which. Pure. */
import { ownValue } from '#pkg/apimachinery/hash.ts'
import { nearestObjectName } from '#pkg/apis/wellknown.ts'
import { type At, below, bool, type Fields, list, map, type Note, pairs, text, texts } from './reading.ts'

interface InProject {
  readonly project: string
  readonly notes: Note[]
}

/** Compose's own network of a project, which every service joins that says nothing else. */
const usual = 'default'

function networkName(network: string, { project }: InProject): string {
  return nearestObjectName(`${project}-${network}`)
}

/** `networks` or `networkMode` of a service. */
export function networksOf(service: Fields, at: At, around: InProject & { name: string }): Fields {
  const mode = service['network_mode']
  if (mode !== undefined) return modeOf(text(mode, at), below(at, 'network_mode', around.notes))
  const joined = joinedBy(service, below(at, 'networks', around.notes))
  const networks = [...joined].map(([network, settings]) => {
    const { aliases, ...rest } = map(settings, at)
    for (const key of Object.keys(rest))
      below(below(at, 'networks', around.notes), network, around.notes).note(`${key} has no counterpart`)
    // Found by the name of the service, also when the container has another, or is one of several.
    const names = [...new Set([around.name, ...(aliases === undefined ? [] : texts(aliases, at))])]
    return { name: networkName(network, around), aliases: names }
  })
  return { networks }
}

function joinedBy(service: Fields, at: At): ReadonlyMap<string, unknown> {
  const value = service['networks']
  if (value === undefined) return new Map([[usual, {}]])
  if (Array.isArray(value)) return new Map(list(value, at).map((network) => [text(network, at), {}]))
  return new Map(Object.entries(map(value, at)))
}

function modeOf(mode: string, at: At): Fields {
  if (mode === 'bridge' || mode === 'host' || mode === 'none') return { networkMode: mode }
  const [kind, name = ''] = mode.split(':')
  if (kind === 'service' || kind === 'container')
    return { networkMode: `container:${nearestObjectName(name)}` }
  at.note(`"${mode}" has no counterpart`)
  return {}
}

/** Of the networks that a service joins; one that nobody joins is not made by Compose either. */
export function networkManifests(
  declared: unknown,
  at: At,
  around: InProject & { services: readonly Fields[] },
): Fields[] {
  const networks = map(declared, at)
  const joining = around.services.filter((service) => service['network_mode'] === undefined)
  const used = new Set(joining.flatMap((service) => [...joinedBy(service, at).keys()]))
  return [...used].map((network) => {
    const here = below(at, network, around.notes)
    const {
      driver,
      driver_opts,
      internal,
      labels,
      ipam,
      external,
      name: _name,
      ...rest
    } = map(ownValue(networks, network), here)
    for (const key of Object.keys(rest)) here.note(`${key} has no counterpart`)
    if (external !== undefined && external !== false)
      here.note('is external: here a network of its own is made, which containers of others do not join')
    return {
      apiVersion: 'cove.run/v1',
      kind: 'Network',
      metadata: { name: networkName(network, around) },
      spec: {
        ...(driver !== undefined && { driver: text(driver, here) }),
        ...(internal !== undefined && { internal: bool(internal, here) }),
        ...(driver_opts !== undefined && { options: Object.fromEntries(pairs(driver_opts, here)) }),
        ...(labels !== undefined && { labels: Object.fromEntries(pairs(labels, here)) }),
        ...ipamOf(ipam, here),
      },
    }
  })
}

function ipamOf(value: unknown, at: At): Fields {
  const config = list(map(value, at)['config'], at).map((one) => {
    const { subnet, gateway, ip_range: ipRange } = map(one, at)
    return {
      ...(subnet !== undefined && { subnet: text(subnet, at) }),
      ...(gateway !== undefined && { gateway: text(gateway, at) }),
      ...(ipRange !== undefined && { ipRange: text(ipRange, at) }),
    }
  })
  return config.length === 0 ? {} : { ipam: config }
}
