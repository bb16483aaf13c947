/** Which variables of a container hold what Secrets hold: nobody is told their values. Pure. */
import { objectKey } from '#pkg/apimachinery/meta.ts'
import type { Container } from '#pkg/apis/container.ts'
import { engineLabels } from '#pkg/apis/wellknown.ts'
import type { ObservedContainer } from '#pkg/engine/port.ts'
import type { Desired } from './world.ts'

/** Sorted. Rather one too many: a later source may have taken a name over. */
export function secretVariables({ metadata, spec }: Container, { secrets }: Desired): string[] {
  const { namespace = 'default' } = metadata
  const single = spec.env.filter(({ valueFrom }) => valueFrom?.secretKeyRef !== undefined)
  const whole = (spec.envFrom ?? []).flatMap(({ prefix = '', secretRef }) => {
    const secret = secretRef && secrets.get(objectKey({ namespace, name: secretRef.name }))
    return Object.keys(secret?.data ?? {}).map((key) => `${prefix}${key}`)
  })
  return [...new Set([...single.map(({ name }) => name), ...whole])].sort()
}

/** What a container carries, so that its values stay untold when the spec takes them from elsewhere. */
export function secretsLabel(names: readonly string[]): Record<string, string> {
  return { [engineLabels.secretVariables]: names.join(',') }
}

/** Variables of another container, as the engine hands them on through links of the default bridge. */
const linked = /^[A-Z0-9_]+_ENV_/

/**
 * Whether a variable of the container may hold what a Secret held. Of a container that does not say so any may: whoever
 * may write a Container is not to read by it what others gave to theirs.
 */
export function mayBeSecret(name: string, { labels }: Pick<ObservedContainer, 'labels'>): boolean {
  if (linked.test(name)) return true
  const told = labels[engineLabels.secretVariables]
  return told === undefined || told.split(',').includes(name)
}
