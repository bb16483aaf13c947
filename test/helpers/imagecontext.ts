/** What ops about images are performed with: an engine, and around it nothing that has a login, an answer or an ear. */
import { LentNames } from '#pkg/agent/images/lentnames.ts'
import type { ImageContext } from '#pkg/agent/images/performimages.ts'
import { silentLogger } from '#pkg/apimachinery/ambient.ts'
import { Client } from '#pkg/client/rest.ts'

/** `more` takes the place of what is usual. */
export function imageContext({
  engine,
  clock,
  ...more
}: Pick<ImageContext, 'engine' | 'clock'> & Partial<ImageContext>): ImageContext {
  return {
    engine,
    clock,
    client: new Client(() => Promise.resolve({ status: 200, headers: {}, body: '' }), 'test'),
    credentials: { secretOf: () => undefined, registries: () => [] },
    lent: new LentNames({ engine, log: silentLogger }),
    onProgress: () => {},
    onAnswer: () => {},
    ...more,
  }
}
