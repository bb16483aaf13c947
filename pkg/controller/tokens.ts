/**
 * Looks after the Secrets by which somebody is known: takes away bootstrap tokens that have ended, and gives Secrets of
 * the type kubernetes.io/service-account-token the token that they are for.
 */
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { type Secret, secretKind } from '#pkg/apis/core.ts'
import { accountUidAnnotation } from '#pkg/apis/secret.types.ts'
import { accountOfSecret, type ServiceAccount, serviceAccountKind } from '#pkg/apis/serviceaccount.ts'
import { Informer } from '#pkg/client/informer.ts'
import { Loop } from '#pkg/client/loop.ts'
import type { Client } from '#pkg/client/rest.ts'
import { planAccountTokens, type SecretOp } from './accounttoken.plan.ts'
import { planTokens } from './bootstraptoken.plan.ts'

/** What goes into such a Secret; the server signs it. */
export interface AccountTokenSource {
  readonly issueForSecret: (
    account: { readonly namespace: string; readonly name: string; readonly uid: string },
    secretName: string,
  ) => string
  /** PEM. */
  readonly ca: string
}

export interface TokenControllerOptions {
  readonly client: Client
  readonly ambient: Ambient
  /** Absent: Secrets for tokens stay empty. */
  readonly accountTokens?: AccountTokenSource | undefined
}

export class TokenController {
  readonly #options: TokenControllerOptions
  readonly #secrets: Informer<Secret>
  readonly #accounts: Informer<ServiceAccount>
  readonly #loop: Loop

  constructor(options: TokenControllerOptions) {
    const { client, ambient } = options
    this.#options = options
    this.#loop = new Loop({ name: 'tokens', ambient, pass: (signal) => this.#pass(signal) })
    const onChange = () => this.#loop.poke()
    this.#secrets = new Informer({ client, kind: secretKind, ambient, onChange })
    this.#accounts = new Informer({ client, kind: serviceAccountKind, ambient, onChange })
  }

  async run(signal: AbortSignal): Promise<void> {
    const running = Promise.all([this.#secrets.run(signal), this.#accounts.run(signal)])
    await Promise.all([this.#secrets.synced(signal), this.#accounts.synced(signal)])
    await this.#loop.run(signal)
    await running
  }

  async #pass(signal: AbortSignal): Promise<number | undefined> {
    const { ambient } = this.#options
    const { expired, next } = planTokens(this.#secrets.list(), ambient.clock.now())
    for (const token of expired) {
      await this.#delete(token, signal)
      ambient.log.info('expired bootstrap token removed', { secret: token.metadata.name })
    }
    for (const op of planAccountTokens(this.#secrets.list(), this.#accounts)) await this.#perform(op, signal)
    return next
  }

  async #perform(op: SecretOp, signal: AbortSignal): Promise<void> {
    if (op.op === 'fill') await this.#fill(op.secret, op.account, signal)
    else if (!(await this.#hasAccount(op.secret, signal))) await this.#delete(op.secret, signal)
  }

  /** Asks the server: the copy of the accounts may be older than that of the Secrets. */
  async #hasAccount(secret: Secret, signal: AbortSignal): Promise<boolean> {
    const { namespace = '', annotations = {} } = secret.metadata
    try {
      const name = { namespace, name: accountOfSecret(secret) ?? '' }
      const { metadata } = await this.#options.client.get(serviceAccountKind, name, signal)
      return metadata.uid === annotations[accountUidAnnotation]
    } catch (error) {
      if (isReason(error, 'NotFound')) return false
      throw error
    }
  }

  async #fill(secret: Secret, account: ServiceAccount, signal: AbortSignal): Promise<void> {
    const { client, accountTokens } = this.#options
    if (accountTokens === undefined) return
    const { name, namespace = '', resourceVersion } = secret.metadata
    const { uid = '' } = account.metadata
    const token = accountTokens.issueForSecret({ namespace, name: account.metadata.name, uid }, name)
    const values = { token, 'ca.crt': accountTokens.ca, namespace }
    const data = Object.fromEntries(
      Object.entries(values).map(([key, value]) => [key, Buffer.from(value).toString('base64')]),
    )
    const metadata = { resourceVersion, annotations: { [accountUidAnnotation]: uid } }
    await ignoreChanged(client.patch(secretKind, { namespace, name }, { metadata, data }, signal))
  }

  async #delete({ metadata }: Secret, signal: AbortSignal): Promise<void> {
    await ignoreChanged(this.#options.client.delete(secretKind, metadata, signal))
  }
}

/** Gone or changed meanwhile: the change itself makes us look again. */
async function ignoreChanged(done: Promise<unknown>): Promise<void> {
  try {
    await done
  } catch (error) {
    if (!isReason(error, 'NotFound') && !isReason(error, 'Conflict')) throw error
  }
}
