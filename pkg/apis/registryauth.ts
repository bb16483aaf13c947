/**
 * Credentials for a registry on their way to a node: the header that Docker's clients send them in, JSON in the base64 of
 * URLs. They are for one request, and in no log.
 */
import { badRequest } from '#pkg/apimachinery/errors.ts'
import { isPlainObject, jsonValue } from '#pkg/apimachinery/hash.ts'

export const registryAuthHeader = 'x-registry-auth'

export interface RegistryLogin {
  readonly username: string
  readonly password: string
}

export function encodeRegistryAuth({ username, password }: RegistryLogin): string {
  return Buffer.from(JSON.stringify({ username, password })).toString('base64url')
}

/** Undefined when there are none; throws BadRequest for what is none, without repeating it. */
export function decodeRegistryAuth(header: string | undefined): RegistryLogin | undefined {
  if (header === undefined || header === '') return undefined
  const value = jsonValue(Buffer.from(header, 'base64url').toString('utf8'))
  const { username, password } = isPlainObject(value) ? value : {}
  if (typeof username === 'string' && typeof password === 'string') return { username, password }
  throw badRequest(`the header ${registryAuthHeader} holds no user name and password`)
}
