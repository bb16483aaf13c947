/**
 * How the engine of a node reaches a registry, by Docker's rules: which registries may do without a verified
 * certificate, which mirrors stand before Docker Hub, and which authorities count for one registry. Pure, but for the
 * files and names that are looked up by what is handed in.
 */
import { BlockList, isIP } from 'node:net'
import type { RegistryAccess } from './port.ts'

/** What an engine says of its own settings. */
export interface EngineRegistries {
  /** Hosts as references name them, and networks (`10.0.0.0/8`). */
  readonly insecure: readonly string[]
  /** Addresses (`https://mirror.example.com`). */
  readonly mirrors: readonly string[]
}

export interface AccessLookups {
  /** Addresses of a host; empty when nobody knows it. */
  readonly addressesOf: (host: string) => Promise<readonly string[]>
  /** PEM certificates that the machine holds for the registry. */
  readonly authoritiesOf: (registry: string) => Promise<readonly string[]>
}

export const dockerHub = 'docker.io'

/** These count as insecure wherever an engine runs. */
const loopback = ['127.0.0.0/8', '::1/128']

export async function accessOf(
  registry: string,
  engine: EngineRegistries,
  { addressesOf, authoritiesOf }: AccessLookups,
): Promise<RegistryAccess> {
  return {
    insecure: await mayBeInsecure(registry, engine.insecure, addressesOf),
    mirrors: registry === dockerHub ? engine.mirrors : [],
    authorities: await authoritiesOf(registry),
  }
}

/** Listed by name, or with an address in a network that is. */
export async function mayBeInsecure(
  registry: string,
  listed: readonly string[],
  addressesOf: AccessLookups['addressesOf'],
): Promise<boolean> {
  if (registry === dockerHub || listed.includes(registry)) return isListed(registry, listed, [])
  const host = hostOf(registry)
  return isListed(registry, listed, isIP(host) > 0 ? [] : await addressesOf(host))
}

/** The same, for a host whose addresses are known; one that is an address itself needs none. Pure. */
export function isListed(registry: string, listed: readonly string[], addresses: readonly string[]): boolean {
  if (registry === dockerHub) return false
  if (listed.includes(registry)) return true
  const host = hostOf(registry)
  const networks = new BlockList()
  for (const network of [...loopback, ...listed]) addNetwork(networks, network)
  const known = isIP(host) > 0 ? [host] : host === 'localhost' ? ['127.0.0.1'] : addresses
  return known.some((address) => networks.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4'))
}

/** Of `HOST:PORT` and `[::1]:PORT`. */
export function hostOf(registry: string): string {
  return registry.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1')
}

function addNetwork(networks: BlockList, text: string): void {
  const [address = '', bits] = text.split('/')
  const family = isIP(address)
  const prefix = Number(bits)
  if (family === 0 || bits === undefined || !/^\d{1,3}$/.test(bits)) return
  if (prefix > (family === 4 ? 32 : 128)) return
  networks.addSubnet(address, prefix, family === 4 ? 'ipv4' : 'ipv6')
}
