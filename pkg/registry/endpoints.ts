/** The addresses that stand for a registry, in the order in which an engine asks them. */
import { dockerHub } from './access.ts'
import type { Reach } from './exchange.ts'
import type { RegistryAccess } from './port.ts'

export interface Endpoint {
  /** `https://registry.example.com:5000` */
  readonly base: string
  readonly isMirror: boolean
  readonly reach: Reach
}

/** How each of the mirrors is believed, by its host. */
export type MirrorReach = (host: string) => Promise<Reach>

/** Mirrors first; where a certificate is not insisted on, HTTPS and then HTTP. */
export async function endpointsOf(
  registry: string,
  { insecure, mirrors, authorities }: RegistryAccess,
  { hub, reachOf }: { readonly hub: string; readonly reachOf: MirrorReach },
): Promise<Endpoint[]> {
  const itself = { isMirror: false, reach: { insecure, authorities } }
  if (registry === dockerHub) {
    const usable = mirrors.filter((mirror) => URL.canParse(mirror))
    const before = usable.map(async (mirror) => ({
      base: mirror.replace(/\/+$/, ''),
      isMirror: true,
      reach: await reachOf(new URL(mirror).host),
    }))
    return [...(await Promise.all(before)), { ...itself, base: hub }]
  }
  const secure = { ...itself, base: `https://${registry}` }
  return insecure ? [secure, { ...itself, base: `http://${registry}` }] : [secure]
}
