/** What is to become of the Secrets that hold tokens of ServiceAccounts. Pure. */
import { objectKey } from '#pkg/apimachinery/meta.ts'
import type { Secret } from '#pkg/apis/core.ts'
import { accountUidAnnotation } from '#pkg/apis/secret.types.ts'
import { accountOfSecret, type ServiceAccount } from '#pkg/apis/serviceaccount.ts'

export type SecretOp =
  | { readonly op: 'fill'; readonly secret: Secret; readonly account: ServiceAccount }
  | { readonly op: 'delete'; readonly secret: Secret }

/**
 * A Secret without a token gets one; one whose account is gone, or another than it was filled for, goes. One that waits
 * for its account is left alone: both may come out of one manifest.
 */
export function planAccountTokens(
  secrets: Iterable<Secret>,
  accounts: { get(key: string): ServiceAccount | undefined },
): SecretOp[] {
  return [...secrets].flatMap((secret): SecretOp[] => {
    const { namespace = '', deletionTimestamp, annotations = {} } = secret.metadata
    const name = accountOfSecret(secret)
    if (name === undefined || deletionTimestamp !== undefined) return []
    const account = accounts.get(objectKey({ namespace, name }))
    const uid = annotations[accountUidAnnotation]
    if (uid !== undefined && uid !== account?.metadata.uid) return [{ op: 'delete', secret }]
    if (account === undefined || account.metadata.deletionTimestamp !== undefined) return []
    const isFilled = uid !== undefined && (secret.data?.['token'] ?? '') !== ''
    return isFilled ? [] : [{ op: 'fill', secret, account }]
  })
}
