/** Which other objects an Image names: what the nodes that hold it must read for it, and therefore may read. Pure. */
import { type Reference, withLogins } from './container.references.ts'
import type { Image } from './image.ts'

type Referring = Pick<Image, 'metadata'> & { readonly spec: Partial<Image['spec']> }

/** Each object once. Takes what an older version stored, before a field got its default. */
export function referencesOfImage({ metadata, spec }: Referring): Reference[] {
  const { namespace = 'default' } = metadata
  const names = [
    ...(spec.pullSecrets ?? []).map(({ name }) => name),
    ...(spec.push ?? []).flatMap(({ secret }) => secret ?? []),
  ]
  const named = [...new Set(names)].map((name) => ({ kind: 'Secret', namespace, name }) as const)
  const pushed = (spec.push ?? []).map(({ reference }) => reference)
  return withLogins(named, namespace, [spec.reference, ...pushed])
}
