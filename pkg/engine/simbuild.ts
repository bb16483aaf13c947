/**
 * A little builder for simulated engines: stages, arguments, copies of what is in the context, settings of the image and
 * a cache, as Docker has them. What RUN does is scripted, and nothing has files.
 */
import { type Clock, sleep } from '#pkg/apimachinery/ambient.ts'
import { canonicalJson } from '#pkg/apimachinery/hash.ts'
import { BuildError, type BuildEvent, type BuildOptions, type BuiltImage } from './builds.ts'
import { readFiles } from './simarchive.ts'
import { digestOf, SimContext, sourcesOf } from './simbuildcontext.ts'
import {
  expand,
  findStage,
  neededStages,
  readStages,
  type SimInstruction,
  type SimStage,
} from './simbuildfile.ts'
import type { SimHost } from './simhost.ts'
import { readChanges } from './simimagesview.ts'
import { makeSimImage, type SimImage, type SimImageSpec, type SimRegistry } from './simregistry.ts'

/** What a command of RUN does, besides taking its time. */
export interface SimRun {
  readonly output?: string
  /** 0. */
  readonly exitCode?: number
  /** ms; 0. */
  readonly takes?: number
}

/** `secrets`: those that this RUN mounts, by id. */
export type BuildHook = (command: string, secrets: ReadonlyMap<string, Uint8Array>) => SimRun

export interface SimBuilderParts {
  readonly host: SimHost
  readonly registry: SimRegistry
  readonly clock: Clock
  readonly run: BuildHook
  readonly mustAnswer: () => void
}

/** A step between the image before it and the one after. */
interface Step {
  /** 0: nobody is told of it. */
  readonly number: number
  readonly stage: SimStage
  readonly instruction: SimInstruction
  readonly before: SimImage
  readonly values: Map<string, string>
}

const empty = makeSimImage({}, 'scratch')
const bytesOfRun = 1024

export class SimBuild {
  readonly #parts: SimBuilderParts
  readonly #options: BuildOptions
  readonly #context: SimContext
  readonly #made = new Map<SimStage, SimImage>()
  readonly #unused: Set<string>
  #stages: readonly SimStage[] = []
  #of = 0
  #number = 0

  private constructor(parts: SimBuilderParts, options: BuildOptions, context: SimContext) {
    this.#parts = parts
    this.#options = options
    this.#context = context
    this.#unused = new Set(Object.keys(options.args))
  }

  /** What was built has its names when this resolves. */
  static async run(parts: SimBuilderParts, options: BuildOptions): Promise<BuiltImage> {
    options.signal.throwIfAborted()
    const context = new SimContext(await readFiles(options.context))
    return await new SimBuild(parts, options, context).#build()
  }

  async #build(): Promise<BuiltImage> {
    const { builder, dockerfile, labels, tags, target } = this.#options
    const text = this.#context.text(dockerfile)
    if (text === undefined) throw new BuildError(`Cannot locate specified Dockerfile: ${dockerfile}`, {})
    const { args, stages } = readStages(text)
    const last = target === undefined ? stages.at(-1) : findStage(stages, target)
    if (last === undefined) throw new BuildError(`failed to reach build target ${target} in Dockerfile`, {})
    const upTo = stages.slice(0, last.index + 1)
    this.#stages = builder === 'BuildKit' ? neededStages(upTo, last) : upTo
    const written = [...args, ...this.#stages.flatMap(({ instructions }) => instructions)]
    this.#of = written.filter((instruction) => this.#isTold(instruction)).length
    const globals = new Map<string, string>()
    for (const instruction of args) {
      const number = this.#tellBegin(instruction)
      this.#declare(instruction.rest, globals, new Map())
      this.#done({ number }, 'Done', empty)
    }
    for (const stage of this.#stages) this.#made.set(stage, await this.#buildStage(stage, globals))
    const image = this.#label(this.#made.get(last) ?? empty, labels)
    this.#warn()
    const held = this.#parts.host.images.get(image.id)
    if (held !== undefined) for (const tag of tags) this.#parts.host.tagImage(held, tag)
    const others = [...this.#made.values()].filter(({ id }) => id !== image.id && id !== empty.id)
    return { image: image.id, stages: builder === 'Classic' ? [...new Set(others.map(({ id }) => id))] : [] }
  }

  async #buildStage(stage: SimStage, globals: ReadonlyMap<string, string>): Promise<SimImage> {
    const values = new Map<string, string>()
    let image = empty
    for (const instruction of stage.instructions) {
      this.#options.signal.throwIfAborted()
      this.#parts.mustAnswer()
      const number = this.#tellBegin(instruction, stage)
      const step = { number, stage, instruction, before: image, values }
      try {
        image = await this.#perform(step, globals)
        for (const [name, value] of Object.entries(image.spec.env ?? {})) values.set(name, value)
      } catch (error) {
        const state = this.#options.signal.aborted ? 'Canceled' : 'Failed'
        if (number > 0) this.#tell({ type: 'stepDone', step: number, state })
        throw error
      }
    }
    return image
  }

  async #perform(step: Step, globals: ReadonlyMap<string, string>): Promise<SimImage> {
    const { instruction, values } = step
    if (instruction.name === 'FROM') return this.#done(step, 'Done', this.#base(step.stage, globals))
    if (instruction.name === 'ARG') this.#declare(instruction.rest, values, globals)
    this.#check(step)
    const key = this.#keyOf(step)
    const { buildSteps, images } = this.#parts.host
    const cached = this.#options.noCache ? undefined : images.get(buildSteps.get(key) ?? '')
    if (cached !== undefined) return this.#done(step, 'Cached', cached.image)
    const grown = instruction.name === 'RUN' ? await this.#run(step) : this.#copiedBytes(step)
    const image = this.#keep(step.before, this.#specAfter(step, grown))
    buildSteps.set(key, image.id)
    return this.#done(step, 'Done', image)
  }

  #base(stage: SimStage, globals: ReadonlyMap<string, string>): SimImage {
    const name = expand(stage.base, globals)
    if (name === 'scratch') return empty
    const earlier = findStage(
      this.#stages.filter(({ index }) => index < stage.index),
      name,
    )
    return (earlier && this.#made.get(earlier)) ?? this.#image(name)
  }

  /** Brought when it is not here. */
  #image(name: string): SimImage {
    const { host, registry, clock } = this.#parts
    const held = host.findAnyImage(name)
    if (held !== undefined) return held.image
    const { image } = registry.fetch(name)
    host.holdImage(image, name, clock.now())
    return image
  }

  #check({ stage, instruction, number }: Step): void {
    const { name, flags, rest, line } = instruction
    const failure = { step: number, line }
    if (this.#options.builder === 'Classic' && (flags.has('mount') || flags.has('chmod')))
      throw new BuildError(
        `the --${flags.has('mount') ? 'mount' : 'chmod'} option requires BuildKit`,
        failure,
      )
    if (name !== 'COPY' && name !== 'ADD') return
    const from = flags.get('from')
    if (from !== undefined) {
      const earlier = findStage(
        this.#stages.filter(({ index }) => index < stage.index),
        from,
      )
      if (earlier === undefined) this.#image(from)
      return
    }
    const missing = this.#context.missing(sourcesOf(rest))
    if (missing === undefined) return
    const why = `${name} failed: file not found in build context or excluded by .dockerignore`
    throw new BuildError(`${why}: stat ${missing}: file does not exist`, failure)
  }

  async #run(step: Step): Promise<number> {
    const { instruction, number, values } = step
    const { clock, run } = this.#parts
    const { signal } = this.#options
    const {
      output = '',
      exitCode = 0,
      takes = 0,
    } = run(expand(instruction.rest, values), this.#mounted(step))
    if (output !== '') this.#tell({ type: 'output', step: number, text: output })
    if (takes > 0) await sleep(clock, takes, signal)
    if (exitCode === 0) return bytesOfRun
    const message = `The command '/bin/sh -c ${instruction.rest}' returned a non-zero code: ${exitCode}`
    throw new BuildError(message, { step: number, exitCode, line: instruction.line })
  }

  #mounted({ instruction, number }: Step): ReadonlyMap<string, Uint8Array> {
    const mount = instruction.flags.get('mount') ?? ''
    const id = /(?:^|,)id=([^,]+)/.exec(mount)?.[1]
    if (id === undefined || !mount.includes('type=secret')) return new Map()
    const value = this.#options.secrets.get(id)
    if (value !== undefined) return new Map([[id, value]])
    if (!/(?:^|,)required(?:,|=true|$)/.test(mount)) return new Map()
    throw new BuildError(`secret ${id}: not found`, { step: number, line: instruction.line })
  }

  #copiedBytes({ instruction }: Step): number {
    const { name, flags, rest } = instruction
    if ((name !== 'COPY' && name !== 'ADD') || flags.has('from')) return 0
    return this.#context.bytesOf(sourcesOf(rest))
  }

  /** What the step comes out the same by, as far as is known before. */
  #keyOf({ instruction, before, values }: Step): string {
    const { name, flags, rest, text } = instruction
    const from = flags.get('from')
    const source = from === undefined ? undefined : findStage(this.#stages, from)
    const copies = name === 'COPY' || name === 'ADD'
    const files = copies && from === undefined ? this.#context.digestsOf(sourcesOf(rest)) : []
    const of = source === undefined ? from : this.#made.get(source)?.id
    const args = name === 'RUN' ? [...values] : []
    return digestOf(
      canonicalJson({ before: before.id, text: expand(text, values), files, args, ...(of && { of }) }),
    )
  }

  #specAfter({ instruction, before, values }: Step, grown: number): SimImageSpec {
    const { name, text } = instruction
    const { content: _, ...spec } = before.spec
    const isSetting = /^(CMD|ENTRYPOINT|ENV|LABEL|USER|WORKDIR|EXPOSE|VOLUME|STOPSIGNAL)$/.test(name)
    const changed = isSetting ? readChanges([expand(text, values)], spec) : spec
    if (grown === 0) return changed
    return { ...changed, layers: { ...changed.layers, [this.#parts.host.nextId().slice(0, 12)]: grown } }
  }

  #keep(before: SimImage, spec: SimImageSpec): SimImage {
    const { host, clock } = this.#parts
    const image = makeSimImage({ ...spec, content: host.nextId() }, '')
    host.keepImage(image, clock.now(), before.id === empty.id ? undefined : before.id)
    return image
  }

  /** As a step that nobody has written, with a cache of its own. */
  #label(before: SimImage, labels: Readonly<Record<string, string>>): SimImage {
    if (before.id === empty.id) throw new BuildError('No image was generated. Is your Dockerfile empty?', {})
    if (Object.keys(labels).length === 0) return before
    const { buildSteps, images } = this.#parts.host
    const key = digestOf(canonicalJson({ before: before.id, labels }))
    const cached = this.#options.noCache ? undefined : images.get(buildSteps.get(key) ?? '')
    if (cached !== undefined) return cached.image
    const image = this.#keep(before, { ...before.spec, labels: { ...before.spec.labels, ...labels } })
    buildSteps.set(key, image.id)
    return image
  }

  #declare(rest: string, values: Map<string, string>, outer: ReadonlyMap<string, string>): void {
    const [, name = '', given] = /^(\w+)(?:=(.*))?$/s.exec(rest) ?? []
    this.#unused.delete(name)
    const value = this.#options.args[name] ?? given?.replace(/^"(.*)"$/, '$1') ?? outer.get(name)
    if (value !== undefined) values.set(name, value)
  }

  #warn(): void {
    if (this.#unused.size === 0) return
    const names = [...this.#unused].sort().join(' ')
    this.#tell({ type: 'warning', message: `One or more build-args [${names}] were not consumed` })
  }

  /** BuildKit tells of what makes layers. */
  #isTold({ name, rest }: SimInstruction): boolean {
    if (this.#options.builder === 'Classic') return true
    if (name !== 'FROM') return /^(RUN|COPY|ADD|WORKDIR)$/.test(name)
    const base = rest.split(/\s/)[0] ?? ''
    return base !== 'scratch' && findStage(this.#stages, base) === undefined
  }

  /** The number of the step; 0: it is not told. */
  #tellBegin(instruction: SimInstruction, stage?: SimStage): number {
    if (!this.#isTold(instruction)) return 0
    this.#number += 1
    const name = stage?.name ?? (this.#options.builder === 'BuildKit' ? `stage-${stage?.index}` : undefined)
    const named = name !== undefined && { stage: name }
    this.#tell({ type: 'step', step: this.#number, of: this.#of, instruction: instruction.text, ...named })
    return this.#number
  }

  #done({ number }: Pick<Step, 'number'>, state: 'Done' | 'Cached', image: SimImage): SimImage {
    const isTold = this.#options.builder === 'Classic' && image.id !== empty.id
    const layer = isTold && { layer: image.id.replace('sha256:', '').slice(0, 12) }
    if (number > 0) this.#tell({ type: 'stepDone', step: number, state, ...layer })
    return image
  }

  #tell(event: BuildEvent): void {
    this.#options.onEvent(event)
  }
}
