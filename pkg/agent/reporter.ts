/** Writes statuses home: each object's once per pass, and only when it changed. */
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import { isReason, messageOf } from '#pkg/apimachinery/errors.ts'
import { type KubeObject, objectKey } from '#pkg/apimachinery/meta.ts'
import { diffMergePatch } from '#pkg/apimachinery/patch.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import type { Client } from '#pkg/client/rest.ts'
import { makeSlots, type Slots } from '#pkg/plan/execute.ts'

type Json = Record<string, unknown>

const writesAtOnce = 16

export class Reporter {
  readonly #client: Client
  readonly #ambient: Ambient
  readonly #slots: Slots = makeSlots(writesAtOnce)
  /** By uid: what was last written, newer than the local copy of the API may show. */
  readonly #written = new Map<string, Json>()

  constructor(client: Client, ambient: Ambient) {
    this.#client = client
    this.#ambient = ambient
  }

  /** Forgets what was written, so that the next comparison is with the API's own copy. */
  resync(): void {
    this.#written.clear()
  }

  /** Resolves when the status is written or known to be as it should be; a failed write is tried again by the next pass. */
  async report<T extends KubeObject>(
    kind: Kind<T>,
    object: T,
    status: object,
    signal: AbortSignal,
  ): Promise<void> {
    const { uid = '', namespace, name } = object.metadata
    const next: Json = { ...status }
    const before = this.#written.get(uid) ?? { ...(object.status ?? {}) }
    const patch = diffMergePatch(before, next)
    if (patch === undefined) return
    const free = await this.#slots.take()
    try {
      this.#written.set(uid, next)
      const target = { name, subresource: 'status' as const, ...(namespace !== undefined && { namespace }) }
      await this.#client.patch(kind, target, { status: patch }, signal)
    } catch (error) {
      this.#written.delete(uid)
      if (signal.aborted || isReason(error, 'NotFound')) return
      const key = objectKey(object.metadata)
      this.#ambient.log.warn('status not written', { kind: kind.kind, key, error: messageOf(error) })
    } finally {
      free()
    }
  }
}
