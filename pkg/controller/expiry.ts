/** Forgets events an hour after they last happened, so that the store stays small. */
import { type Ambient, pause } from '#pkg/apimachinery/ambient.ts'
import { isReason, messageOf } from '#pkg/apimachinery/errors.ts'
import { type Event, eventKind } from '#pkg/apis/event.ts'
import type { Client } from '#pkg/client/rest.ts'

const keepFor = 3_600_000
const lookEvery = 300_000

export async function expireEvents(
  options: { client: Client; ambient: Ambient },
  signal: AbortSignal,
): Promise<void> {
  const { client, ambient } = options
  while (!signal.aborted) {
    try {
      const { items } = await client.list(eventKind, {}, signal)
      for (const event of items.filter((each) => isExpired(each, ambient.clock.now()))) {
        await forget(client, event, signal)
      }
    } catch (error) {
      if (!signal.aborted) ambient.log.warn('events not expired', { error: messageOf(error) })
    }
    await pause(ambient.clock, lookEvery, signal)
  }
}

export function isExpired({ lastTimestamp, metadata }: Event, now: number): boolean {
  const last = Date.parse(lastTimestamp ?? metadata.creationTimestamp ?? '')
  return !Number.isNaN(last) && now - last > keepFor
}

async function forget(client: Client, event: Event, signal: AbortSignal): Promise<void> {
  try {
    await client.delete(eventKind, event.metadata, signal)
  } catch (error) {
    if (!isReason(error, 'NotFound')) throw error
  }
}
