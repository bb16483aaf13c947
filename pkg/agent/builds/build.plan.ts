/**
 * A Build on its node: its files are fetched, its base images pulled, and the image built, each when it is its turn; and
 * nothing at all is done while the image is what its inputs say. Pure.
 */
import type { Build } from '#pkg/apis/build.ts'
import { buildAnnotation } from '#pkg/apis/wellknown.ts'
import { emptyPlan, PlanBuilder } from '#pkg/plan/plan.ts'
import { numberOf } from '../image.ts'
import { statusOfBuild } from '../images/built.ts'
import { registryRests } from '../images/registryhold.ts'
import type { AgentOp } from '../ops.ts'
import { type Decision, groupOf, type Waiting, type World } from '../world.ts'
import { cachePulls } from './buildbases.ts'
import { contextBefore } from './builddue.ts'
import { fetchOf } from './buildsource.ts'
import { cancelOf, weighBuild } from './buildweigh.ts'
import { nextDue } from './schedule.ts'
import type { Weighed } from './weighed.ts'

export function planBuild(build: Build, world: World): Decision {
  if (build.metadata.deletionTimestamp !== undefined) return planDeletion(build)
  if (build.spec.suspend)
    return { plan: emptyPlan(), waiting: { reason: 'Suspended', message: 'spec.suspend: nothing is built' } }
  const weighed = weighBuild(build, world)
  const wakeAt = nextDue(build.spec.triggers, world.now)
  const decided = cancelOf(build, world) === undefined ? planStage(build, weighed, world) : nothing()
  const times = [decided.wakeAt, wakeAt].filter((time) => time !== undefined)
  return { ...decided, ...(times.length > 0 && { wakeAt: Math.min(...times) }) }
}

/** The image and its names are the Image's, which goes with the Build. */
function planDeletion({ metadata }: Build): Decision {
  const { namespace = 'default', name } = metadata
  const builder = new PlanBuilder<AgentOp>(groupOf('Build', metadata))
  const cause = 'nothing of it is under way on the node'
  return {
    plan: builder.add({ type: 'releaseObject', kind: 'Build', object: { namespace, name } }, cause).build(),
  }
}

function planStage(build: Build, weighed: Weighed, world: World): Decision {
  if (weighed.is === 'waiting') return nothing(weighed.waiting)
  const { failure } = statusOfBuild(build, world)
  if (weighed.is !== 'current' && failure?.inputHash === weighed.key) return nothing(failure)
  const builder = new PlanBuilder<AgentOp>(groupOf('Build', build.metadata))
  switch (weighed.is) {
    case 'refused':
      return nothing(weighed.failure)
    case 'current':
      return nothing()
    case 'fetch':
      return {
        plan: builder.add(fetchOf(build, weighed.wanted, contextBefore(build, world)), weighed.cause).build(),
      }
    case 'pull':
      return planPulls(builder, weighed, world)
    case 'due': {
      const { namespace = 'default', name } = build.metadata
      const { draft } = weighed
      const order = { ...draft, attempt: (statusOfBuild(build, world).attempt ?? 0) + 1 }
      const pulls = draft.noCache ? [] : cachePulls(build, world)
      const op = { type: 'buildImage', build: { namespace, name }, order, cachePulls: pulls } as const
      return { plan: builder.add(op, draft.cause).build() }
    }
  }
}

function planPulls(
  builder: PlanBuilder<AgentOp>,
  { pulls }: Extract<Weighed, { is: 'pull' }>,
  world: World,
): Decision {
  const rests = pulls.map(({ op }) => registryRests(op.reference, world)).find((rest) => rest !== undefined)
  if (rests !== undefined) return { ...nothing(rests.waiting), wakeAt: rests.wakeAt }
  for (const { op, cause } of pulls) builder.add(op, cause)
  return { plan: builder.build() }
}

function nothing(waiting?: Waiting): Decision {
  return {
    plan: emptyPlan(),
    ...(waiting !== undefined && { waiting: { reason: waiting.reason, message: waiting.message } }),
  }
}

/** Of a generation, what stands for whoever asks for a build: what is under way is not begun anew for that. */
const requestSpan = 2 ** 12

/** Changes with everything that the group's next op works on, and when somebody asks: what failed is tried again then. */
export function generationOfBuild(build: Build, world: World): number {
  const weighed = weighBuild(build, world)
  const request = numberOf(build.metadata.annotations?.[buildAnnotation] ?? '', 3)
  return workNumber(weighed.is === 'waiting' ? weighed.keys : weighed.key) * requestSpan + request
}

function workNumber(key: unknown): number {
  return numberOf(key, 10)
}

/** Whether what is under way for it still is what is wanted. */
export function isBuildWanted(build: Build, generation: number, world: World): boolean {
  const { metadata, spec } = build
  if (metadata.deletionTimestamp !== undefined || spec.suspend) return false
  if (cancelOf(build, world) !== undefined) return false
  const weighed = weighBuild(build, world)
  // While it is not known what is wanted, what was wanted before goes on.
  if (weighed.is === 'waiting') return true
  const work = Math.floor(generation / requestSpan)
  return weighed.keys.some((key) => workNumber(key) === work)
}
