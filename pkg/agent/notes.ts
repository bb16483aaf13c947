/** The event that tells of an op's result: the op's words and its cause, and the error if it failed. Pure. */

import { messageOf } from '#pkg/apimachinery/errors.ts'
import { type KubeObject, objectKey } from '#pkg/apimachinery/meta.ts'
import { useless } from '#pkg/apis/dockerconfig.ts'
import type { EventNote } from '#pkg/client/recorder.ts'
import type { OpResult } from '#pkg/plan/execute.ts'
import { skippedNames } from './env.ts'
import { type AgentOp, describeOp, opReasonsOf } from './ops.ts'
import type { Desired } from './world.ts'

/** `words`: what the op has found. Undefined for what is not worth telling: ops not begun, and the end of an object's life here. */
export function noteOf(object: KubeObject, result: OpResult<AgentOp>, words?: string): EventNote | undefined {
  const { op, cause } = result.planned
  if (result.outcome === 'skipped' || (op.type === 'releaseObject' && result.outcome === 'done'))
    return undefined
  const reasons = opReasonsOf(op)
  if (result.outcome === 'done') {
    const found = words === undefined ? '' : `: ${words}`
    const message = `${describeOp(op)} because ${cause}${found}`
    return { object, type: 'Normal', reason: reasons.done, message }
  }
  const message = `${describeOp(op)} because ${cause}: ${messageOf(result.error)}`
  return { object, type: 'Warning', reason: reasons.failed, message }
}

/** What is told besides: of a container that was made what was left out, of a pull which Secrets were of no use. */
export function furtherNotes(object: KubeObject, result: OpResult<AgentOp>, desired: Desired): EventNote[] {
  const { op } = result.planned
  if (op.type === 'pullImage' && result.outcome !== 'skipped') return pullNotes(object, op.secrets, desired)
  if (result.outcome !== 'done' || op.type !== 'createContainer') return []
  const container = desired.containers.get(objectKey(object.metadata))
  if (container === undefined) return []
  return skippedNames(container, desired).map((message) => ({
    object,
    type: 'Warning',
    reason: 'InvalidEnvironmentVariableNames',
    message,
  }))
}

/** As the kubelet words it. */
function pullNotes(object: KubeObject, secrets: readonly string[], desired: Desired): EventNote[] {
  const names = useless(secrets, (key) => desired.secrets.get(key))
  if (names.length === 0) return []
  const message = `Unable to retrieve some image pull secrets (${names.join(', ')}); attempting to pull the image may not succeed.`
  return [{ object, type: 'Warning', reason: 'FailedToRetrieveImagePullSecret', message }]
}
