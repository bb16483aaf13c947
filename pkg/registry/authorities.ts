/** Who may vouch for servers on this machine, as other programs on it have that. */
import { getCACertificates } from 'node:tls'

/**
 * PEM: the machine's authorities (SSL_CERT_FILE and SSL_CERT_DIR in place of these), or those that come with Node where it
 * has none; and what NODE_EXTRA_CA_CERTS adds.
 */
export function machineAuthorities(): string[] {
  const system = getCACertificates('system')
  return [...(system.length > 0 ? system : getCACertificates('bundled')), ...getCACertificates('extra')]
}
