/** Who shows a bootstrap token. Every way in which one can be wrong ends in Unauthorized, with a reason for the log. */
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import type { UserInfo } from '#pkg/apimachinery/transport.ts'
import {
  type BootstrapToken,
  bootstrapExpiration,
  bootstrappersGroup,
  bootstrapSecretName,
  bootstrapTokenType,
  bootstrapValue,
  systemNamespace,
} from '#pkg/apis/bootstraptoken.ts'
import { type Secret, secretKind } from '#pkg/apis/core.ts'
import type { ApiObject } from '../cache/encoded.ts'
import { type Lookup, sameText } from './accounttokens.ts'
import { authenticatedGroup } from './authenticate.ts'
import { refused } from './jwt.ts'

/** In UserInfo.extra: the only node for which the token was made. */
export const boundNodeExtra = 'cove.run/node-name'
const extraGroup = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/

export function bootstrapUser({ id, secret }: BootstrapToken, lookup: Lookup, clock: Clock): UserInfo {
  const found = tokenSecret(lookup(secretKind, systemNamespace, bootstrapSecretName(id)))
  if (found === undefined) throw refused(`there is no bootstrap token ${id}`)
  if (!sameText(bootstrapValue(found, 'secret') ?? '', secret) || bootstrapValue(found, 'id') !== id)
    throw refused(`the secret of bootstrap token ${id} is another`)
  if (clock.now() >= bootstrapExpiration(found)) throw refused(`bootstrap token ${id} has expired`)
  if (bootstrapValue(found, 'authentication') !== 'true')
    throw refused(`bootstrap token ${id} is not for authentication`)
  const nodeName = bootstrapValue(found, 'nodeName')
  return {
    name: `system:bootstrap:${id}`,
    groups: [bootstrappersGroup, ...extraGroups(found, id), authenticatedGroup],
    ...(nodeName !== undefined && { extra: { [boundNodeExtra]: [nodeName] } }),
  }
}

function tokenSecret(object: ApiObject | undefined): Pick<Secret, 'data'> | undefined {
  if (object === undefined || object.metadata.deletionTimestamp !== undefined) return undefined
  // What is stored under the kind Secret is what the schema of Secrets has accepted.
  return object['type'] === bootstrapTokenType ? (object as ApiObject & Pick<Secret, 'data'>) : undefined
}

function extraGroups(secret: Pick<Secret, 'data'>, id: string): string[] {
  const groups = (bootstrapValue(secret, 'groups') ?? '').split(',').filter((group) => group !== '')
  if (groups.every((group) => extraGroup.test(group))) return groups
  throw refused(`bootstrap token ${id} names a group that does not begin with ${bootstrappersGroup}:`)
}
