/**
 * Builds on a node without an engine and an API: the planner, and what becomes of its ops, in a world of values. What the
 * test says is in contexts, registries and Dockerfiles is there at once.
 */
import { planBuild } from '#pkg/agent/builds/build.plan.ts'
import { afterBuild, type BuildEnd, withProgress } from '#pkg/agent/builds/buildbook.ts'
import { reportBuild } from '#pkg/agent/builds/buildstatus.plan.ts'
import { hashOfText } from '#pkg/agent/builds/inputs.ts'
import {
  type BaseAnswer,
  type BuildFacts,
  type BuildOrder,
  type ContextMove,
  moveKey,
  type SourceAnswer,
  type StoredContext,
} from '#pkg/agent/builds/port.ts'
import { contextKey } from '#pkg/agent/builds/sources/contextkey.ts'
import { canonicalImage } from '#pkg/agent/image.ts'
import type { AgentOp } from '#pkg/agent/ops.ts'
import type { Decision, World } from '#pkg/agent/world.ts'
import { canonicalJson } from '#pkg/apimachinery/hash.ts'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import type { Build, BuildStatus } from '#pkg/apis/build.ts'
import type { ObservedImage } from '#pkg/engine/port.ts'
import { now, world } from './world.ts'

export interface BuildScene {
  build: Build
  /** Beside it. */
  objects: KubeObject[]
  images: ObservedImage[]
  now: number
  status: BuildStatus
  source?: SourceAnswer
  readonly contexts: Map<string, StoredContext>
  readonly bases: Map<string, BaseAnswer>
  /** Of each build that was made. */
  readonly orders: BuildOrder[]
  /** How a build ends; absent: well. */
  fails?: (order: BuildOrder) => boolean
  /** The Dockerfile in contexts that are fetched. */
  dockerfile?: string
  /** What comparing contexts comes to; one without files: that it is not known. Absent: nobody compares. */
  moves?: Partial<ContextMove>
  readonly compared?: Map<string, ContextMove | 'unknown'>
}

export function buildScene(build: Build, parts: Partial<BuildScene> = {}): BuildScene {
  return {
    build,
    objects: [],
    images: [onNode('base:1')],
    now,
    status: {},
    contexts: new Map(),
    bases: new Map(),
    orders: [],
    compared: new Map(),
    ...parts,
  }
}

/** An image whose id names the text; `digest`: of its repository, where it has come from a registry. */
export function onNode(reference: string, text = reference, digest?: string): ObservedImage {
  const repository = reference.replace(/:[^:/]*$/, '')
  const digests = digest === undefined ? [] : [`${repository}@${digest}`]
  return {
    id: hashOfText(text),
    references: [reference],
    digests,
    sizeBytes: 5,
    createdAt: '2026-01-01T00:00:00Z',
  }
}

export function worldOf(scene: BuildScene, more: Partial<World> = {}): World {
  const { build, status, contexts, bases, source } = scene
  const uid = build.metadata.uid ?? ''
  const building: BuildFacts = {
    statuses: new Map([[uid, status]]),
    sources: new Map(source === undefined ? [] : [[uid, source]]),
    contexts,
    bases,
    engineBuilder: 'Classic',
    secretKey: Buffer.alloc(32, 7),
    ...(scene.moves !== undefined && scene.compared !== undefined && { moves: scene.compared }),
  }
  const given = { objects: [build, ...scene.objects], images: scene.images }
  return world(given, { building, now: scene.now, ...more })
}

export function decide(scene: BuildScene, more: Partial<World> = {}): Decision {
  return planBuild(scene.build, worldOf(scene, more))
}

/** One pass: its ops are done, its status is told. Resolves to what was done. */
export function pass(scene: BuildScene): readonly AgentOp[] {
  const seen = worldOf(scene)
  const decision = planBuild(scene.build, seen)
  scene.status = reportBuild(scene.build, decision, seen)
  const ops = decision.plan.ops.map(({ op }) => op)
  for (const op of ops) perform(scene, op)
  return ops
}

const mostPasses = 20

/** Passes until nothing is to be done. Throws when that does not come. */
export function settle(scene: BuildScene): BuildStatus {
  for (let passes = 0; passes < mostPasses; passes++) if (pass(scene).length === 0) return scene.status
  throw new Error(`it does not come to rest: ${JSON.stringify(decide(scene).plan)}`)
}

function perform(scene: BuildScene, op: AgentOp): void {
  if (op.type === 'fetchContext') fetch(scene, op)
  else if (op.type === 'pullImage') {
    const { digest = hashOfText('first') } = scene.bases.get(canonicalImage(op.reference)) ?? {}
    const others = scene.images.filter(({ references }) => !references.includes(op.reference))
    scene.images = [...others, onNode(op.reference, digest, digest)]
  } else if (op.type === 'buildImage') finish(scene, op.order)
  else throw new Error(`nobody does ${op.type} here`)
}

function fetch(scene: BuildScene, op: Extract<AgentOp, { type: 'fetchContext' }>): void {
  const files = 'files' in op.source ? op.source.files : {}
  const text = 'files' in op.source ? op.source.files['Dockerfile'] : scene.dockerfile
  const digest = hashOfText(canonicalJson({ files, from: op.source })).replace('sha256:', 'tree:')
  const dockerfiles = text === undefined ? {} : { Dockerfile: text }
  scene.contexts.set(contextKey(op), { digest, bytes: 1, files: 1, dockerfiles, revision: digest })
  const { files: moved, count = 0 } = scene.moves ?? {}
  const move = moved === undefined ? 'unknown' : { files: moved, count }
  if (op.before !== undefined) scene.compared?.set(moveKey(op.before, digest), move)
}

function finish(scene: BuildScene, order: BuildOrder): void {
  scene.orders.push(order)
  const running = { order, startedAt: scene.now, steps: [], warnings: [] }
  const image = hashOfText(`image of ${order.inputHash}`)
  const bad = scene.fails?.(order) === true
  const failure = { reason: 'StepFailed', message: 'step 2: it fails' }
  const end: BuildEnd = bad
    ? { result: 'Failed', failure, permanent: true }
    : { result: 'Succeeded', built: { image, stages: [] } }
  scene.status = withProgress(scene.status, running)
  scene.status = afterBuild(scene.status, { running, end, now: scene.now, limit: 3 })
  if (bad || scene.images.some(({ id }) => id === image)) return
  scene.images = [...scene.images, { ...onNode(order.tags[0] ?? ''), id: image }]
}
