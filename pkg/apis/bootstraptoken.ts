/**
 * Bootstrap tokens as Kubernetes has them: `ID.SECRET`, kept as Secrets of their own type in kube-system. They let a
 * machine ask for the certificate of a node, and nothing else. Pure.
 */
import type { Secret } from './core.ts'

export const bootstrapTokenType = 'bootstrap.kubernetes.io/token'
export const systemNamespace = 'kube-system'
export const bootstrappersGroup = 'system:bootstrappers'

/** Keys of the Secret's data; `nodeName`, Cove's own, restricts the token to one node. */
export const bootstrapKeys = {
  id: 'token-id',
  secret: 'token-secret',
  expiration: 'expiration',
  authentication: 'usage-bootstrap-authentication',
  groups: 'auth-extra-groups',
  description: 'description',
  nodeName: 'node-name',
} as const

export interface BootstrapToken {
  readonly id: string
  readonly secret: string
}

const idLength = 6
const secretLength = 16
const alphabet = '0123456789abcdefghijklmnopqrstuvwxyz'
const pattern = new RegExp(`^([a-z0-9]{${idLength}})\\.([a-z0-9]{${secretLength}})$`)

/** Undefined when the text is no bootstrap token. */
export function parseBootstrapToken(text: string): BootstrapToken | undefined {
  const [, id, secret] = pattern.exec(text) ?? []
  return id === undefined || secret === undefined ? undefined : { id, secret }
}

/** A new one. `next` is uniform in [0, 1), and must not be guessable. */
export function makeBootstrapToken(next: () => number): BootstrapToken {
  const letters = (length: number) =>
    Array.from({ length }, () => alphabet[Math.floor(next() * alphabet.length)] ?? '').join('')
  return { id: letters(idLength), secret: letters(secretLength) }
}

export function bootstrapSecretName(id: string): string {
  return `bootstrap-token-${id}`
}

export function isBootstrapTokenId(text: string): boolean {
  return new RegExp(`^[a-z0-9]{${idLength}}$`).test(text)
}

/** A value of the Secret's data as text; undefined when it is not there. */
export function bootstrapValue(
  { data }: Pick<Secret, 'data'>,
  key: keyof typeof bootstrapKeys,
): string | undefined {
  const value = data?.[bootstrapKeys[key]]
  return value === undefined ? undefined : Buffer.from(value, 'base64').toString()
}

/** When it ends, in ms since the epoch: Infinity when it says nothing, 0 when what it says cannot be read. */
export function bootstrapExpiration(secret: Pick<Secret, 'data'>): number {
  const text = bootstrapValue(secret, 'expiration')
  if (text === undefined || text === '') return Number.POSITIVE_INFINITY
  const time = Date.parse(text)
  return Number.isNaN(time) ? 0 : time
}
