/**
 * What is to be done so that the engine has the settings that its Node asks for: write its file, have it read again, ask
 * whether it took it, and put the old file back when it did not. Every step is told from what is there, so whoever comes
 * after a killed agent goes on from anywhere. Pure.
 */
import type { NodeSpec } from '#pkg/apis/node.ts'
import { PlanBuilder } from '#pkg/plan/plan.ts'
import type { AgentOp } from '../ops.ts'
import type { Decision, Hold } from '../world.ts'
import { obstacleOf, type Refusal } from './obstacles.ts'
import {
  type EngineConfigRecord,
  type EngineConfigSight,
  type EngineProcess,
  type EngineSettingsSight,
  isOurs,
} from './port.ts'
import {
  agrees,
  hashOf,
  namedSettings,
  parseFile,
  type RegistrySettings,
  settingsIn,
  wishOf,
  withSettings,
} from './settings.ts'

export interface EngineConfigInput extends EngineSettingsSight {
  readonly group: string
  readonly now: number
  readonly wanted: NodeSpec['engine']
  readonly hold?: Hold
}

export interface EngineConfigCondition {
  readonly status: 'True' | 'False'
  readonly reason: string
  readonly message: string
}

export interface EngineConfigDecision extends Decision {
  /** Undefined: nothing is asked for. */
  readonly condition?: EngineConfigCondition
}

/** An engine reads its file within some ms; what it has not said by then it has refused. */
export const patienceMs = 10_000
const askEvery = 250

export function planEngineConfig(input: EngineConfigInput): EngineConfigDecision {
  const { wanted, sight } = input
  const wish = wishOf(wanted)
  // An earlier run was ended on the way.
  if (isHalfRestored(sight))
    return planPutBack(input, sight.record?.refused?.message ?? 'spec.engine asked for something else before')
  if (wish === undefined)
    return isOpen(input) ? planPutBack(input, 'spec.engine asks for nothing any more') : nothing(input)
  const obstacle = obstacleOf(wish, input)
  if (obstacle !== undefined) return withCondition(nothing(input), refused(obstacle))
  return planWish(wish, input)
}

function planWish(wish: RegistrySettings, input: EngineConfigInput): EngineConfigDecision {
  const { sight, reported, reloaded, now, hold } = input
  const file = hashOf(sight.text)
  if (isInFile(wish, sight) && agrees(wish, reported)) {
    const message = `the engine has the settings of ${sight.path}: ${tell(reported, wish)}`
    return withCondition(nothing(input), { status: 'True', reason: 'EngineConfigured', message })
  }
  const before = sight.record?.refused
  if (before?.wish === hashOf(wish) && before.file === file)
    return withCondition(nothing(input), refused({ reason: 'EngineRefused', message: before.message }))
  const trouble = hold && refused({ reason: hold.reason, message: `${hold.action}: ${hold.message}` })
  if (!isInFile(wish, sight)) {
    const message = `writing ${sight.path}`
    return withCondition(planWrite(wish, input), trouble ?? { status: 'False', reason: 'Writing', message })
  }
  if (reloaded?.file !== file) {
    const message = `${sight.path} is as it should be; the engine is asked to read it`
    return withCondition(planReload(input), trouble ?? { status: 'False', reason: 'Reloading', message })
  }
  if (now - reloaded.at < patienceMs) {
    const message = `the engine was asked to read ${sight.path}, and does not say yet that it has`
    const waiting = { ...nothing(input), wakeAt: now + askEvery }
    return withCondition(waiting, { status: 'False', reason: 'Reloading', message })
  }
  const message = refusalText(wish, input)
  // A file that somebody else wrote is left to them.
  if (sight.record === undefined || !isOurs(sight.record, file))
    return withCondition(nothing(input), refused({ reason: 'EngineRefused', message }))
  return withCondition(planPutBack(input, message, wish), refused({ reason: 'EngineRefused', message }))
}

/** Written by the agent, and not taken by the engine. */
function isOpen({ sight, reported }: EngineConfigInput): boolean {
  if (sight.record === undefined || !isOurs(sight.record, hashOf(sight.text))) return false
  const parsed = parseFile(sight.text)
  const inFile = parsed.ok ? settingsIn(parsed.content) : {}
  return typeof inFile !== 'string' && !agrees(inFile, reported)
}

function isInFile(wish: RegistrySettings, { text }: EngineConfigSight): boolean {
  const parsed = parseFile(text)
  const found = parsed.ok ? settingsIn(parsed.content) : {}
  return typeof found !== 'string' && agrees(wish, found)
}

function planWrite(wish: RegistrySettings, input: EngineConfigInput): Decision {
  const { sight, reported, group } = input
  const text = withSettings(sight.text, wish)
  // What the engine never took is nothing to go back to.
  const last = isOpen(input) ? sight.record : undefined
  const before = last === undefined ? (sight.text ?? null) : last.before
  const record: EngineConfigRecord = { before, wrote: hashOf(text), reported: last?.reported ?? reported }
  const cause = `spec.engine: ${tell(wish, wish)}`
  const builder = new PlanBuilder<AgentOp>(group)
  builder.add({ type: 'writeEngineConfig', path: sight.path, text, record, checkBy: processOf(input) }, cause)
  return { plan: addReload(builder, input, text, cause).build() }
}

function planReload(input: EngineConfigInput): Decision {
  const { sight, group } = input
  const cause = `${sight.path} says what the engine does not`
  return { plan: addReload(new PlanBuilder<AgentOp>(group), input, sight.text ?? null, cause).build() }
}

/**
 * What the old file does not speak of an engine would keep from the new one, as far as it took that: for a moment the
 * file says it as it was.
 */
function planPutBack(input: EngineConfigInput, cause: string, wish?: RegistrySettings): Decision {
  const { sight, group, reported } = input
  const record = sight.record
  if (record === undefined) return nothing(input)
  const refusedWish = wish && { wish: hashOf(wish), file: hashOf(record.before ?? undefined), message: cause }
  const file = hashOf(sight.text)
  const next = { ...record, restoring: true as const, ...(refusedWish && { refused: refusedWish }) }
  const explicit = withSettings(record.before ?? undefined, missingIn(record))
  const builder = new PlanBuilder<AgentOp>(group)
  const isHalfTaken = !agrees(record.reported, reported)
  if (isHalfTaken) {
    const half = { ...next, wrote: hashOf(explicit), replaces: file }
    builder.add({ type: 'writeEngineConfig', path: sight.path, text: explicit, record: half }, cause)
    addReload(builder, input, explicit, cause)
  }
  builder.add(restoreOp(sight, next, isHalfTaken ? hashOf(explicit) : file), cause)
  return { plan: addReload(builder, input, record.before, cause).build() }
}

function isHalfRestored({ record, text }: EngineConfigSight): boolean {
  const file = hashOf(text)
  return record?.restoring === true && isOurs(record, file) && hashOf(record.before ?? undefined) !== file
}

function restoreOp({ path }: EngineConfigSight, last: EngineConfigRecord, replaces: string): AgentOp {
  const record = { ...last, wrote: hashOf(last.before ?? undefined), replaces }
  return { type: 'writeEngineConfig', path, text: last.before, record, restores: true }
}

/** What the engine said before, of the settings that the old file does not speak of. */
function missingIn({ before, reported }: EngineConfigRecord): RegistrySettings {
  const parsed = parseFile(before ?? undefined)
  const found = parsed.ok ? settingsIn(parsed.content) : {}
  if (typeof found === 'string') return {}
  return {
    ...(found.insecure === undefined && { insecure: reported.insecure.filter((each) => !isLoopback(each)) }),
    ...(found.mirrors === undefined && { mirrors: reported.mirrors }),
  }
}

function isLoopback(network: string): boolean {
  return network === '127.0.0.0/8' || network === '::1/128'
}

function addReload(
  builder: PlanBuilder<AgentOp>,
  input: EngineConfigInput,
  text: string | null,
  cause: string,
): PlanBuilder<AgentOp> {
  const running = input.sight.process
  if (running === undefined) return builder
  const op: AgentOp = { type: 'reloadEngine', pid: running.pid, file: hashOf(text ?? undefined) }
  return builder.add(op, cause)
}

/** `dockerd --validate` came with 23.0. */
function processOf({ sight, engineVersion }: EngineConfigInput): EngineProcess | null {
  return Number.parseInt(engineVersion, 10) >= 23 ? (sight.process ?? null) : null
}

function refusalText(wish: RegistrySettings, { sight, reported }: EngineConfigInput): string {
  return `the engine was asked to read ${sight.path} with ${tell(wish, wish)}, and after ${patienceMs / 1000} s it still has ${tell(reported, wish)}; its log says why`
}

function tell(lists: RegistrySettings, wish: RegistrySettings): string {
  const words = { insecure: 'insecure registries', mirrors: 'mirrors' }
  return namedSettings(wish)
    .map((setting) => `${words[setting]} [${(lists[setting] ?? []).join(', ')}]`)
    .join(' and ')
}

function refused({ reason, message }: Refusal): EngineConfigCondition {
  return { status: 'False', reason, message }
}

function nothing({ group }: EngineConfigInput): Decision {
  return { plan: new PlanBuilder<AgentOp>(group).build() }
}

function withCondition(decision: Decision, condition: EngineConfigCondition): EngineConfigDecision {
  return { ...decision, condition }
}
