/** How a Container is networked beside the Networks that it joins: modes and links, and what they exclude. */
import type { Static } from 'typebox'
import * as Type from 'typebox'
import { objectName, text } from './container.fields.ts'
import { listMap, rules, type Validation } from './schema.ts'

const shared = 'container:'

export const networkMode = text(
  "bridge: the engine's default bridge, as without networks. host: the node's own network. none: no network at all. container:NAME: the network of Container NAME of the same namespace, with its address, ports, host name and name servers; placement puts both on one node, and whenever NAME is started anew, so is this one.",
  {
    ...rules({
      rule: "self in ['bridge', 'host', 'none'] || self.matches('^container:[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",
      message: 'must be bridge, host, none or container:NAME',
      messageExpression: `'"' + self + '" is not one of bridge, host, none, container:NAME'`,
    }),
    maxLength: 263,
  },
)

const link = Type.Object({
  container: objectName(
    'Name of the other Container, of the same namespace. Placement puts both on one node.',
  ),
  alias: Type.Optional(
    text("Its name inside this one; absent: the Container's own.", {
      pattern: '^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$',
      maxLength: 63,
    }),
  ),
  injectEnv: Type.Optional(
    Type.Boolean({
      description:
        'Give this one the variables of old Docker links: ALIAS_PORT_80_TCP, ALIAS_PORT_80_TCP_ADDR and so on for every exposed port, as they are when the container is made. What changes later changes none of them. Absent: false.',
    }),
  ),
})

export const links = Type.Optional(
  listMap(link, ['container'], {
    maxItems: 32,
    ...rules({
      rule: 'self.all(one, self.filter(other, (has(other.alias) ? other.alias : other.container) == (has(one.alias) ? one.alias : one.container)).size() == 1)',
      message: 'two links have the same alias',
      reason: 'FieldValueDuplicate',
    }),
    description:
      'Other Containers under names of their own, which only this one sees; the other one starts first. Where both join a Network, the name is answered by its name service, else by /etc/hosts of the default bridge, where engines before Docker 29 also tell this one all variables of the other one, its secrets included: better join a Network.',
  }),
)

const shares = "has(self.networkMode) && self.networkMode.startsWith('container:')"
const excluded = (field: string, given: string): Validation => ({
  rule: `!(${shares}) || !(${given})`,
  message: `belongs to the Container whose network is shared; say it there`,
  fieldPath: `.${field}`,
})
const listed = (field: string) => excluded(field, `has(self.${field}) && self.${field}.size() > 0`)

/** Of the whole spec. As the engine has them: what belongs to a network cannot be said by one that joins it. */
export const networkRules: readonly Validation[] = [
  {
    rule: '!has(self.networkMode) || self.networks.size() == 0',
    message: 'excludes networks; keep one',
    fieldPath: '.networkMode',
  },
  {
    rule: "!(has(self.networkMode) && self.networkMode in ['host', 'none']) || self.ports.size() == 0",
    message: 'publishes no ports',
    messageExpression: `self.networkMode + ' publishes no ports' + (self.networkMode == 'host' ? ': what it listens on is open on the node as it is' : '') + '; leave ports out'`,
    fieldPath: '.networkMode',
  },
  listed('ports'),
  {
    rule: "!has(self.links) || self.links.size() == 0 || !has(self.networkMode) || self.networkMode == 'bridge'",
    message: 'needs a network of its own: there are no links with networkMode host, none or container:NAME',
    fieldPath: '.links',
  },
]

/** Of the whole object: they name metadata.name too. */
export const ownNetworkRules: readonly Validation[] = [
  {
    rule: "!has(self.metadata.name) || !has(self.spec.networkMode) || self.spec.networkMode != 'container:' + self.metadata.name",
    message: 'a Container cannot share its own network',
    fieldPath: '.spec.networkMode',
  },
  {
    rule: '!has(self.metadata.name) || !has(self.spec.links) || !self.spec.links.exists(one, one.container == self.metadata.name)',
    message: 'a Container cannot link to itself',
    fieldPath: '.spec.links',
  },
]

export type Link = Static<typeof link>

/** The name of the Container whose network is shared; undefined for every other way of networking. */
export function sharedNetworkOf({ networkMode }: { readonly networkMode?: string }): string | undefined {
  return networkMode?.startsWith(shared) === true ? networkMode.slice(shared.length) : undefined
}
