/** How a Container is networked when it does not join Networks: the schema, and what it excludes. */
import { text } from './container.fields.ts'
import { rules, type Validation } from './schema.ts'

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
]

/** Of the whole object: they name metadata.name too. */
export const ownNetworkRules: readonly Validation[] = [
  {
    rule: "!has(self.metadata.name) || !has(self.spec.networkMode) || self.spec.networkMode != 'container:' + self.metadata.name",
    message: 'a Container cannot share its own network',
    fieldPath: '.spec.networkMode',
  },
]

/** The name of the Container whose network is shared; undefined for every other way of networking. */
export function sharedNetworkOf({ networkMode }: { readonly networkMode?: string }): string | undefined {
  return networkMode?.startsWith(shared) === true ? networkMode.slice(shared.length) : undefined
}
