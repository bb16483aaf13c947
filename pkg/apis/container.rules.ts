/** Rules over several fields of one Container, and warnings. Pure. */
import type { Cause } from '#pkg/apimachinery/errors.ts'
import { parseDuration } from '#pkg/apimachinery/quantity.ts'
import { isFloating, parseReference } from '#pkg/apimachinery/reference.ts'
import type { Container, ContainerMount } from './container.ts'
import type { Rule } from './kind.ts'

const mountSources = ['volume', 'hostPath', 'tmpfs', 'configMap', 'secret'] as const
const envSources = ['secretKeyRef', 'configMapKeyRef', 'fieldRef'] as const
const checks = ['command', 'shell', 'http', 'tcp'] as const

export const containerRules: readonly Rule<Container>[] = [
  nameFitsEngine,
  envHasOneSource,
  mountsHaveOneSource,
  healthcheckIsOneThing,
  hostPortsDiffer,
  dependsOnOthers,
]

export function containerWarnings(container: Container): string[] {
  const parsed = parseReference(container.spec.image)
  if (!parsed.ok || !isFloating(parsed.reference)) return []
  return [
    `spec.image: "${container.spec.image}" names the moving tag latest; name a version or a digest to get the same bytes everywhere`,
  ]
}

/** The engine wants two characters at least, and the name of the object is the name of the container. */
function nameFitsEngine({ metadata }: Container): Cause[] {
  if (metadata.name.length >= 2 || metadata.name === '') return []
  return [
    invalidField('metadata.name', `"${metadata.name}" is too short: the engine wants at least 2 characters`),
  ]
}

function envHasOneSource({ spec }: Container): Cause[] {
  return spec.env.flatMap((variable, index) => {
    const from = variable.valueFrom
    const path = `spec.env[${index}]`
    if (from === undefined) return []
    if (variable.value !== undefined) return [invalidField(path, 'has both value and valueFrom; keep one')]
    return exactlyOne(from, envSources, `${path}.valueFrom`)
  })
}

function mountsHaveOneSource({ spec }: Container): Cause[] {
  return spec.mounts.flatMap((mount: ContainerMount, index) =>
    exactlyOne(mount, mountSources, `spec.mounts[${index}]`),
  )
}

function healthcheckIsOneThing({ spec }: Container): Cause[] {
  const { healthcheck } = spec
  if (healthcheck === undefined) return []
  const given = checks.filter((name) => healthcheck[name] !== undefined)
  if (healthcheck.disabled && given.length === 0) return []
  if (healthcheck.disabled)
    return [invalidField('spec.healthcheck.disabled', `excludes ${given.join(' and ')}`)]
  const unsupported =
    healthcheck.onUnhealthy === 'Recreate'
      ? [
          forbidden(
            'spec.healthcheck.onUnhealthy',
            'Recreate is not implemented in this version of Cove; use Restart or None',
          ),
        ]
      : []
  const tooShort = (['interval', 'timeout'] as const)
    .filter((name) => (parseDuration(healthcheck[name]) ?? 0) < 1)
    .map((name) => invalidField(`spec.healthcheck.${name}`, 'must be at least 1ms'))
  return [...exactlyOne(healthcheck, checks, 'spec.healthcheck'), ...unsupported, ...tooShort]
}

function hostPortsDiffer({ spec }: Container): Cause[] {
  return spec.ports.flatMap((port, index) => {
    if (port.hostPort === undefined) return []
    const first = spec.ports.findIndex((other) => sameHostPort(port, other))
    if (first >= index) return []
    const message = `${port.hostPort}/${port.protocol} is already used by spec.ports[${first}]`
    return [{ reason: 'FieldValueDuplicate' as const, field: `spec.ports[${index}].hostPort`, message }]
  })
}

type Port = Container['spec']['ports'][number]

function sameHostPort(one: Port, other: Port): boolean {
  const sameAddress = one.hostIP === other.hostIP || isAnyAddress(one) || isAnyAddress(other)
  return one.hostPort === other.hostPort && one.protocol === other.protocol && sameAddress
}

function isAnyAddress({ hostIP = '0.0.0.0' }: Port): boolean {
  return hostIP === '0.0.0.0' || hostIP === '::'
}

function dependsOnOthers({ metadata, spec }: Container): Cause[] {
  const index = spec.dependsOn.findIndex((dependency) => dependency.container === metadata.name)
  return index < 0
    ? []
    : [invalidField(`spec.dependsOn[${index}].container`, 'a Container cannot depend on itself')]
}

function exactlyOne<T extends object>(value: T, names: readonly (keyof T & string)[], path: string): Cause[] {
  const given = names.filter((name) => value[name] !== undefined)
  if (given.length === 1) return []
  const all = names.join(', ')
  if (given.length === 0)
    return [{ reason: 'FieldValueRequired', field: path, message: `needs one of ${all}` }]
  return [invalidField(path, `has ${given.join(' and ')}; exactly one of ${all} is allowed`)]
}

function invalidField(field: string, message: string): Cause {
  return { reason: 'FieldValueInvalid', field, message }
}

function forbidden(field: string, message: string): Cause {
  return { reason: 'FieldValueForbidden', field, message }
}
