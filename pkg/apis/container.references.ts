/**
 * Which other objects a Container names: what its node must read to run it, and therefore may read. One function for
 * the server, which decides by it, and for the agent, which asks by it. Pure.
 */
import { objectKey } from '#pkg/apimachinery/meta.ts'
import { parseReference } from '#pkg/apimachinery/reference.ts'
import type { Container } from './container.ts'
import { loginSecretName } from './wellknown.ts'

export interface Reference {
  readonly kind: 'Secret' | 'ConfigMap' | 'Volume' | 'Network' | 'Image'
  /** That of the Container: nothing of another one can be named. */
  readonly namespace: string
  readonly name: string
  /** It counts if it is there, and nothing waits for it. */
  readonly optional?: true
}

type Referring = Pick<Container, 'metadata'> & { readonly spec: Partial<Container['spec']> }

/**
 * Each object once. Fields that this version does not act on count too: whoever acts on them
 * has to read what they name. Takes what an older version stored, before a field got its default.
 */
export function referencesOf({ metadata, spec }: Referring): Reference[] {
  const { namespace = 'default' } = metadata
  const found = new Map<string, Reference>()
  for (const [kind, name] of [...inEnv(spec), ...inMounts(spec)]) {
    if (name !== undefined && name !== '') found.set(`${kind}/${name}`, { kind, namespace, name })
  }
  return withLogins([...found.values()], namespace, [spec.image])
}

/** With the namespace's logins to the registries of these references, of which none has to exist. */
export function withLogins(
  named: readonly Reference[],
  namespace: string,
  references: readonly (string | undefined)[],
): Reference[] {
  const logins = references.flatMap((reference) => loginFor(reference) ?? [])
  const further = [...new Set(logins)].filter(
    (login) => !named.some(({ kind, name }) => kind === 'Secret' && name === login),
  )
  return [...named, ...further.map((name) => ({ kind: 'Secret', namespace, name, optional: true }) as const)]
}

/** Undefined for what is no reference, such as an id. */
export function loginFor(reference: string | undefined): string | undefined {
  const parsed = parseReference(reference ?? '')
  return parsed.ok ? loginSecretName(parsed.reference.registry) : undefined
}

type Named = readonly [Reference['kind'], string | undefined]

function inEnv({ env = [], envFrom = [] }: Referring['spec']): Named[] {
  return [
    ...env.flatMap(({ valueFrom }): Named[] => [
      ['Secret', valueFrom?.secretKeyRef?.name],
      ['ConfigMap', valueFrom?.configMapKeyRef?.name],
    ]),
    ...envFrom.flatMap(({ secretRef, configMapRef }): Named[] => [
      ['Secret', secretRef?.name],
      ['ConfigMap', configMapRef?.name],
    ]),
  ]
}

function inMounts({
  imageFrom,
  imagePullSecrets = [],
  mounts = [],
  networks = [],
}: Referring['spec']): Named[] {
  return [
    ...imagePullSecrets.map(({ name }): Named => ['Secret', name]),
    ...mounts.flatMap(({ secret, configMap, volume }): Named[] => [
      ['Secret', secret],
      ['ConfigMap', configMap],
      ['Volume', volume],
    ]),
    ...networks.map(({ name }): Named => ['Network', name]),
    ['Image', imageFrom?.image ?? imageFrom?.build],
  ]
}

/** Key of the Image that it follows, which of a Build is the one of the same name; undefined: it names its image itself. */
export function followedImage({ metadata, spec }: Referring): string | undefined {
  const name = spec.imageFrom?.image ?? spec.imageFrom?.build
  return name === undefined ? undefined : objectKey({ namespace: metadata.namespace ?? 'default', name })
}
