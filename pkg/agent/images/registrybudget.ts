/**
 * How fast a registry is asked: no more pulls in a time than its Registry allows this node, none while the registry rests,
 * and one alone to find out whether it is back. What is planned beyond that stays planned and waits. Pulls are counted in
 * memory: an agent that starts again starts to count again. Pure.
 */
import { timestamp } from '#pkg/apimachinery/meta.ts'
import { parseDuration } from '#pkg/apimachinery/quantity.ts'
import { hubAsOne } from '#pkg/apis/dockerconfig.ts'
import type { Registry } from '#pkg/apis/registry.ts'
import type { Plan } from '#pkg/plan/plan.ts'
import type { AgentOp } from '../ops.ts'
import type { RegistryHold, World } from '../world.ts'
import { pullingImageOf } from './imagegroups.ts'
import { registryOf } from './registryname.ts'

type Asked = Pick<World, 'now' | 'desired' | 'busy' | 'pulledAt' | 'registryHolds'>

/** What the node may not do before then, by Registry.spec.pullLimit; undefined: it may. */
export function budgetHold(registry: string, world: Omit<Asked, 'registryHolds'>): RegistryHold | undefined {
  const budget = budgetOf(registry, world)
  if (budget === undefined || budget.left > 0) return undefined
  const { until, limit } = budget
  const message = `registry ${registry}: this node has had its ${limit.pulls} pulls per ${limit.per}; pulls go on at ${timestamp(until)}`
  return { reason: 'PullLimitReached', message, until }
}

/** Without the groups whose pull or push must wait; `wakeAt` is when one of them may go on. */
export function withinBudgets(
  plan: Plan<AgentOp>,
  world: Asked,
): { readonly plan: Plan<AgentOp>; readonly wakeAt?: number } {
  const left = new Map<string, number>()
  const wakes: number[] = []
  const waiting = new Set<string>()
  for (const { op, group } of plan.ops) {
    if (waiting.has(group) || (op.type !== 'pullImage' && op.type !== 'pushImage')) continue
    const registry = registryOf(op.reference)
    const until = untilOf(op, registry, world)
    const open = left.get(registry) ?? openingsOf(registry, world)
    left.set(registry, open - 1)
    if (until !== undefined) wakes.push(until)
    if (until !== undefined || open <= 0) waiting.add(group)
  }
  const ops = plan.ops.filter(({ group }) => !waiting.has(group))
  return { plan: { ops }, ...(wakes.length > 0 && { wakeAt: Math.min(...wakes) }) }
}

function untilOf({ type }: AgentOp, registry: string, world: Asked): number | undefined {
  const hold = holdOf(registry, world) ?? (type === 'pullImage' ? budgetHold(registry, world) : undefined)
  return hold?.until
}

function holdOf(registry: string, { registryHolds, now }: Asked): RegistryHold | undefined {
  const hold = registryHolds.get(registry)
  return hold !== undefined && hold.until > now ? hold : undefined
}

/** How many pulls may begin now: after a rest one, whose end says whether there may be more. */
function openingsOf(registry: string, world: Asked): number {
  const budget = budgetOf(registry, world)
  const most = budget === undefined ? Number.POSITIVE_INFINITY : budget.left
  return world.registryHolds.has(registry) ? Math.min(most, 1 - atWork(registry, world)) : most
}

interface Budget {
  readonly left: number
  /** When the next pull may begin, of one with nothing left. */
  readonly until: number
  readonly limit: NonNullable<Registry['spec']['pullLimit']>
}

function budgetOf(registry: string, world: Omit<Asked, 'registryHolds'>): Budget | undefined {
  const limit = limitOf(registry, world.desired.registries.values())
  if (limit === undefined) return undefined
  const window = parseDuration(limit.per) ?? 0
  const counted = (world.pulledAt?.get(registry) ?? []).filter(
    // What is later than now was counted by a clock that was put back.
    (at) => at > world.now - window && at <= world.now,
  )
  const left = limit.pulls - counted.length - atWork(registry, world)
  // Of those that count, so many must have gone out of the window that one is free.
  const freed = counted[Math.max(0, counted.length - limit.pulls)] ?? world.now
  return { left, until: freed + window, limit }
}

function limitOf(registry: string, registries: Iterable<Registry>): Registry['spec']['pullLimit'] {
  for (const { spec } of registries) if (hubAsOne(spec.server) === registry) return spec.pullLimit
  return undefined
}

/** Groups at work that pull from it, whether the pull has begun or waits for its turn. */
function atWork(registry: string, { busy, desired }: Pick<World, 'busy' | 'desired'>): number {
  const referenceOf = (group: string) => {
    if (group.startsWith('Pull/')) return group.slice('Pull/'.length).split(' ')[0]
    return desired.images.get(pullingImageOf(group) ?? '')?.spec.reference
  }
  return [...busy].filter((group) => registryOf(referenceOf(group) ?? '') === registry).length
}
