/**
 * With which credentials a person's pull or push asks a registry: those of a Secret that is named, else of the login of the
 * namespace, when there is one and it may be read. Without any, the node shows its own.
 */
import { isReason } from '#pkg/apimachinery/errors.ts'
import { loginFor } from '#pkg/apis/container.references.ts'
import { type Secret, secretKind } from '#pkg/apis/core.ts'
import { credentialsFor } from '#pkg/apis/dockerconfig.ts'
import { encodeRegistryAuth, registryAuthHeader } from '#pkg/apis/registryauth.ts'
import type { Args } from '../args.ts'
import { CliError } from '../errors.ts'
import type { Session } from '../session.ts'

export async function loginHeaders(
  reference: string,
  args: Args,
  session: Session,
): Promise<Readonly<Record<string, string>>> {
  const named = args.text('secret')
  const name = named ?? loginFor(reference)
  const secret = name === undefined ? undefined : await readSecret(name, named !== undefined, session)
  if (name === undefined || secret === undefined) return {}
  const [found] = credentialsFor(reference, [name], () => secret)
  if (found !== undefined) return { [registryAuthHeader]: encodeRegistryAuth(found.credentials) }
  if (named === undefined) return {}
  throw new CliError(`Secret ${named} holds no credentials for ${reference}`)
}

/** One that nobody has named may be absent, and out of reach. */
async function readSecret(name: string, must: boolean, session: Session): Promise<Secret | undefined> {
  const { client, signal, namespace } = session
  try {
    return await client.get(secretKind, { namespace, name }, signal)
  } catch (error) {
    if (!must && (isReason(error, 'NotFound') || isReason(error, 'Forbidden'))) return undefined
    throw error
  }
}
