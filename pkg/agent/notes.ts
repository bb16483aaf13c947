/** The event that tells of an op's result: the op's words and its cause, and the error if it failed. Pure. */
import { messageOf } from '#pkg/apimachinery/errors.ts'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import type { EventNote } from '#pkg/client/recorder.ts'
import type { OpResult } from '#pkg/plan/execute.ts'
import { type AgentOp, describeOp, opReasons } from './ops.ts'

/** Undefined for what is not worth telling: ops not begun, and the end of an object's life here. */
export function noteOf(object: KubeObject, result: OpResult<AgentOp>): EventNote | undefined {
  const { op, cause } = result.planned
  if (result.outcome === 'skipped' || (op.type === 'releaseObject' && result.outcome === 'done'))
    return undefined
  const reasons = opReasons[op.type]
  if (result.outcome === 'done') {
    return { object, type: 'Normal', reason: reasons.done, message: `${describeOp(op)} because ${cause}` }
  }
  const message = `${describeOp(op)} because ${cause}: ${messageOf(result.error)}`
  return { object, type: 'Warning', reason: reasons.failed, message }
}
