/** Which other objects a Build names: what the node that makes it must read for it, and therefore may read. Pure. */
import type { Build } from './build.ts'
import { type Reference, withLogins } from './container.references.ts'

/** In spec.network: no Network of the namespace. */
export const engineNetworks: ReadonlySet<string> = new Set(['default', 'none', 'host', 'bridge'])

type Referring = Pick<Build, 'metadata'> & { readonly spec: Partial<Build['spec']> }

/**
 * Each object once; the Image of its own name is one of them. The namespace's logins for base images are not among them: which those are, the Dockerfile says,
 * which may be read later.
 */
export function referencesOfBuild({ metadata, spec }: Referring): Reference[] {
  const { namespace = 'default' } = metadata
  const names = [
    ...(spec.pullSecrets ?? []).map(({ name }) => name),
    ...(spec.secrets ?? []).map(({ secret }) => secret),
    ...(spec.context?.git?.secret === undefined ? [] : [spec.context.git.secret]),
  ]
  const { network } = spec
  const joined = network === undefined || engineNetworks.has(network) ? [] : [network]
  const named = [...new Set(names)].map((name) => ({ kind: 'Secret', namespace, name }) as const)
  // Which may be somebody else's: then nothing is built.
  const kept = { kind: 'Image', namespace, name: metadata.name, optional: true } as const
  const networks = joined.map((name) => ({ kind: 'Network', namespace, name, optional: true }) as const)
  return [...withLogins(named, namespace, spec.cacheFrom ?? []), ...networks, kept]
}
