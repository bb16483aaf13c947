/** What access.ts looks up: names of hosts, and the certificates that the machine holds for a registry, where Docker has them. */
import { lookup } from 'node:dns/promises'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import type { AccessLookups } from './access.ts'

/** Below it one directory for each registry, `HOST:PORT`. */
export const dockerCertificates = '/etc/docker/certs.d'

export function machineLookups(directory: string): AccessLookups {
  return { addressesOf, authoritiesOf: (registry) => authoritiesIn(directory, registry) }
}

/** A name that nobody knows has no addresses; asking for it will say so. */
async function addressesOf(host: string): Promise<readonly string[]> {
  const found = await lookup(host, { all: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.syscall === 'getaddrinfo') return []
    throw error
  })
  return found.map(({ address }) => address)
}

async function authoritiesIn(directory: string, registry: string): Promise<readonly string[]> {
  // It comes out of references: nothing but one directory is meant.
  if (!/^[\w.:[\]-]+$/.test(registry) || registry.startsWith('.')) return []
  const place = join(directory, registry)
  try {
    const files = (await readdir(place)).filter((file) => file.endsWith('.crt')).sort()
    return await Promise.all(files.map((file) => readFile(join(place, file), 'utf8')))
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (code === 'ENOENT' || code === 'ENOTDIR') return []
    const message = `certificates of registry ${registry} in ${place} cannot be read: ${code || 'unknown error'}`
    throw new StatusError('RegistryUnavailable', message, {}, { cause: error })
  }
}
