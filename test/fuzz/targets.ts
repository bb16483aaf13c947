/** Everything that reads what others wrote. */
import type { Target } from './target.ts'
import { bodyTargets } from './targets.body.ts'
import { buildTargets } from './targets.builds.ts'
import { containerTargets } from './targets.containers.ts'
import { dockerfileTargets } from './targets.dockerfile.ts'
import { imageTargets } from './targets.images.ts'
import { patchTargets } from './targets.patch.ts'
import { serverTargets } from './targets.server.ts'
import { streamTargets } from './targets.streams.ts'
import { textTargets } from './targets.text.ts'

export const targets: readonly Target[] = [
  ...textTargets,
  ...bodyTargets,
  ...patchTargets,
  ...streamTargets,
  ...serverTargets,
  ...containerTargets,
  ...imageTargets,
  ...dockerfileTargets,
  ...buildTargets,
]
