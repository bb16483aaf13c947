/** Follows registries for the agent: each pass says what is to be asked, and the next one takes in what was said. */
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import { objectKey } from '#pkg/apimachinery/meta.ts'
import type { Image } from '#pkg/apis/image.ts'
import type { RegistryClient } from '#pkg/registry/port.ts'
import type { World } from '../world.ts'
import { type CredentialSources, credentialsOf } from './credentials.ts'
import { UpdateChecker } from './updatechecker.ts'
import { credentialsStamp, planUpdates, type Updates } from './updates.ts'

export interface UpdateFollowerOptions {
  readonly clock: Clock
  readonly registry: RegistryClient
  readonly credentials: CredentialSources
  readonly onAnswer: () => void
}

export class UpdateFollower {
  readonly #credentials: CredentialSources
  readonly #checker: UpdateChecker

  constructor({ credentials, ...options }: UpdateFollowerOptions) {
    this.#credentials = credentials
    this.#checker = new UpdateChecker(options)
  }

  answers(): World['registryAnswers'] {
    return this.#checker.answers()
  }

  /** What is decided now; what is to be asked for it is asked when its time comes. */
  follow(world: World): Updates {
    const updates = planUpdates(world)
    const checks = [...world.desired.images.values()].flatMap((image) => {
      const { uid = '' } = image.metadata
      const { askAt, question, request } = updates.get(uid) ?? {}
      if (askAt === undefined || question === undefined) return []
      const credentials = (signal: AbortSignal) => this.#credentialsOf(image, signal)
      const askedWith = credentialsStamp(image, world)
      return [{ uid, question, askAt, askedWith, ...(request !== undefined && { request }), credentials }]
    })
    this.#checker.sync(checks, new Set(updates.keys()))
    return updates
  }

  /** Resolves when nothing is asked any more. */
  async close(): Promise<void> {
    await this.#checker.close()
  }

  async #credentialsOf(image: Image, signal: AbortSignal) {
    const { metadata, spec } = image
    const { namespace = 'default' } = metadata
    const secrets = (spec.pullSecrets ?? []).map(({ name }) => objectKey({ namespace, name }))
    const { found } = await credentialsOf(spec.reference, { namespace, secrets, signal }, this.#credentials)
    return found.map(({ credentials }) => credentials)
  }
}
