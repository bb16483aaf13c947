/**
 * What BuildKit tells of a build, made into steps: each piece of work that is an instruction of the Dockerfile is one,
 * numbered in the order in which they begin, as several stages are built at once.
 */
import type { BuildEvent, BuiltImage } from './builds.ts'
import type { ToldFailure } from './dockerbuildclassic.ts'
import { readTrace, type Vertex, type VertexLog } from './dockerbuildtrace.ts'
import { readStreamError } from './dockerimagesview.ts'
import { object, text } from './json.ts'

interface Step {
  readonly number: number
  readonly vertex: string
  readonly decoder: TextDecoder
  /** Its end as told last: it may begin anew, when it was only looked at. */
  ended?: Vertex
  /** Its end was passed on. */
  isOver: boolean
}

interface Instruction {
  readonly stage?: string
  readonly number: number
  readonly of: number
  readonly words: string
}

/** `[linux/amd64 build  2/14] RUN make`: platform and stage may be missing. */
const stepName = /^\[(?:\S+\/\S+ )?(?:(\S+) +)?(\d+)\/(\d+)\] (.*)$/s
/** Work for an instruction that is none itself. */
const baseName = /^(?:\[internal\] load metadata for|resolve image config for|FROM) (\S+)/
const canceled = /context canceled|^canceled$/i
const exitCode = /exit code: (\d+)\s*$/
/** How BuildKit came to it; what went wrong comes after. */
const wrapping =
  /^(?:failed to solve(?: with frontend [\w.]+)?|failed to create LLB definition|failed to (?:compute|load) cache key|rpc error: code = \w+ desc =): */

/** Where the engine has the files of an image while it reads them. */
const mountedPath = /\/\S+?\/(?:merged|buildkit-mount\d+)(?=\/)/g

export class BuildKitReader {
  readonly #steps = new Map<string, Step>()
  /** Digests of all work that is a step, begun or not. */
  readonly #known = new Set<string>()
  #failedVertex: Vertex | undefined
  #image: string | undefined
  failure: ToldFailure | undefined

  /** Undefined: none was made. */
  get image(): BuiltImage | undefined {
    return this.#image === undefined ? undefined : { image: this.#image, stages: [] }
  }

  /** One value of the stream. */
  read(line: unknown): readonly BuildEvent[] {
    const message = readStreamError(line)
    if (message !== undefined) return this.#fail(message)
    const root = object(line)
    if (root['id'] === 'moby.buildkit.trace') return this.#trace(Buffer.from(text(root['aux']), 'base64'))
    const id = text(object(root, 'aux')['ID'])
    if (id === '') return []
    this.#image = id
    return this.#over('Done')
  }

  /** It will say no more. */
  broken(): readonly BuildEvent[] {
    return this.#over('Canceled')
  }

  #trace(message: Uint8Array): readonly BuildEvent[] {
    const { vertexes, logs, warnings } = readTrace(message)
    for (const { digest, name } of vertexes) if (stepName.test(name)) this.#known.add(digest)
    return [
      ...vertexes.flatMap((vertex) => this.#vertex(vertex)),
      ...logs.flatMap((log) => this.#log(log)),
      ...warnings.map((warning) => ({ type: 'warning' as const, ...warning })),
    ]
  }

  #vertex(vertex: Vertex): readonly BuildEvent[] {
    if (vertex.error !== '' && !canceled.test(vertex.error)) this.#failedVertex = vertex
    const instruction = readName(vertex.name)
    if (instruction === undefined || vertex.startedAt === undefined) return []
    const known = this.#steps.get(vertex.digest)
    const begun = known === undefined ? this.#begin(vertex, instruction) : []
    const step = known ?? this.#steps.get(vertex.digest)
    if (step === undefined || step.isOver) return begun
    // Its own end may still be told anew; those of all others are settled when something else goes on.
    const settled = known === undefined ? this.#settle(step) : []
    if (vertex.completedAt === undefined) delete step.ended
    else step.ended = vertex
    return [...settled, ...begun, ...(isFinal(vertex) ? this.#end(step) : [])]
  }

  #begin(vertex: Vertex, { stage, number, of, words }: Instruction): readonly BuildEvent[] {
    const step: Step = {
      number: this.#steps.size + 1,
      vertex: vertex.digest,
      decoder: new TextDecoder(),
      isOver: false,
    }
    this.#steps.set(vertex.digest, step)
    return [
      {
        type: 'step',
        step: step.number,
        of: this.#known.size,
        instruction: words,
        inStage: { step: number, of },
        ...(stage !== undefined && { stage }),
      },
    ]
  }

  #log({ vertex, text: bytes }: VertexLog): readonly BuildEvent[] {
    const step = this.#steps.get(vertex)
    if (step === undefined) return [{ type: 'output', text: new TextDecoder().decode(bytes) }]
    return [{ type: 'output', step: step.number, text: step.decoder.decode(bytes, { stream: true }) }]
  }

  #fail(message: string): readonly BuildEvent[] {
    const vertex = this.#failedVertex
    const step = vertex && this.#steps.get(vertex.digest)
    const code = vertex !== undefined && exitCode.exec(message)?.[1]
    this.failure = {
      message: unwrapped(message),
      ...(vertex !== undefined && { instruction: instructionOf(vertex.name) }),
      ...(step !== undefined && { step: step.number }),
      ...(code && { exitCode: Number(code) }),
    }
    return this.#over('Canceled')
  }

  /** Passes on the ends of all but one. */
  #settle(but: Step): readonly BuildEvent[] {
    return [...this.#steps.values()].flatMap((step) =>
      step === but || step.isOver || step.ended === undefined ? [] : this.#end(step),
    )
  }

  #over(state: 'Done' | 'Canceled'): readonly BuildEvent[] {
    return [...this.#steps.values()].flatMap((step) => (step.isOver ? [] : this.#end(step, state)))
  }

  /** `otherwise`: of one of which no end was told. */
  #end(step: Step, otherwise: 'Done' | 'Canceled' = 'Done'): readonly BuildEvent[] {
    step.isOver = true
    const { ended, number } = step
    if (ended === undefined) return [{ type: 'stepDone', step: number, state: otherwise }]
    const { startedAt = 0, completedAt = startedAt } = ended
    const seconds = Math.max(0, completedAt - startedAt) / 1000
    return [{ type: 'stepDone', step: number, state: stateOf(ended), seconds }]
  }
}

/** Nothing more comes of it: other work may be told as done when it was only looked at, and then be done. */
function isFinal({ completedAt, isCached, error, name }: Vertex): boolean {
  return (
    completedAt !== undefined &&
    (isCached || error !== '' || readName(name)?.words.startsWith('RUN') === true)
  )
}

function stateOf({ error, isCached, name }: Vertex): 'Done' | 'Cached' | 'Failed' | 'Canceled' {
  if (error !== '') return canceled.test(error) ? 'Canceled' : 'Failed'
  // A base is no work that was saved: BuildKit calls it cached or not as it goes, and the classic builder never.
  return isCached && readName(name)?.words.startsWith('FROM ') !== true ? 'Cached' : 'Done'
}

function readName(name: string): Instruction | undefined {
  const found = stepName.exec(name)
  if (found === null) return undefined
  const [, stage, number, of, words = ''] = found
  return { number: Number(number), of: Number(of), words, ...(stage !== undefined && { stage }) }
}

/** What the Dockerfile says that this work is for. */
function instructionOf(name: string): string {
  const base = baseName.exec(name)?.[1]
  if (base !== undefined) return `FROM ${base}`
  return /^https?:\/\//.test(name) ? `ADD ${name}` : (readName(name)?.words ?? '')
}

function unwrapped(message: string): string {
  const rest = message.replace(wrapping, '')
  return rest === message || rest === '' ? message.replaceAll(mountedPath, '') : unwrapped(rest)
}
