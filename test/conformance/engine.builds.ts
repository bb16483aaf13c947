/** The engine port's promises about builds, held by each of the builders that an engine has. */
import type { ExecutionContext } from 'ava'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { BuildError, type BuildEvent, type Builder, type BuildOptions } from '#pkg/engine/builds.ts'
import { piecesOf } from '#test/helpers/imagearchive.ts'
import { tar } from '#test/helpers/tar.ts'
import { type EngineUnderTest, fails, never } from './enginesubject.ts'

type Body = (t: ExecutionContext, on: EngineUnderTest) => Promise<void>

type BuilderBody = (t: ExecutionContext, on: EngineUnderTest, build: Build) => Promise<void>

interface Asked extends Partial<BuildOptions> {
  readonly files?: Readonly<Record<string, string>>
}

type Build = (dockerfile: string, asked?: Asked) => Promise<Built>

interface Built {
  readonly image: string
  readonly stages: readonly string[]
  readonly events: readonly BuildEvent[]
}

export function contextOf(files: Readonly<Record<string, string>>): AsyncIterable<Uint8Array> {
  const entries = Object.entries(files).map(([name, text]) => ({
    name,
    mode: 0o644,
    data: Buffer.from(text),
  }))
  return piecesOf(tar(entries))
}

/** `made` gathers what no name leads to, for it to be removed. */
function builderOf(on: EngineUnderTest, builder: Builder, made: Set<string>): Build {
  return async (dockerfile, { files = {}, onEvent, ...asked } = {}) => {
    const events: BuildEvent[] = []
    const options: BuildOptions = {
      builder,
      context: contextOf({ Dockerfile: dockerfile, ...files }),
      dockerfile: 'Dockerfile',
      tags: [`${on.uniqueName()}:1`],
      args: {},
      labels: {},
      noCache: false,
      cacheFrom: [],
      secrets: new Map(),
      signal: never(),
      ...asked,
      onEvent: (event) => {
        events.push(event)
        onEvent?.(event)
      },
    }
    try {
      const built = await on.settle(on.engine.buildImage(options))
      for (const stage of built.stages) made.add(stage)
      return { ...built, events }
    } catch (error) {
      const layer = lastLayer(events)
      if (layer !== undefined) made.add(layer)
      throw error
    }
  }
}

/** Of what the build itself has made, before it failed. */
function lastLayer(events: readonly BuildEvent[]): string | undefined {
  const own = new Set(
    events.flatMap((event) =>
      event.type === 'step' && !event.instruction.startsWith('FROM') ? [event.step] : [],
    ),
  )
  return events
    .flatMap((event) => (event.type === 'stepDone' && own.has(event.step) ? [event.layer] : []))
    .findLast((layer) => layer !== undefined)
}

async function removeMade(on: EngineUnderTest, made: ReadonlySet<string>): Promise<void> {
  for (const image of made) {
    try {
      await on.engine.removeImage(image, { force: false })
    } catch (error) {
      if (!isReason(error, 'InUse') && !isReason(error, 'NotFound')) throw error
    }
  }
}

/** `RUN make: Done`, one for each step, in order of their beginning. */
function stepsOf(events: readonly BuildEvent[]): readonly string[] {
  const states = new Map(
    events.flatMap((event) => (event.type === 'stepDone' ? [[event.step, event.state]] : [])),
  )
  return events.flatMap((event) =>
    event.type === 'step' ? [`${event.instruction}: ${states.get(event.step)}`] : [],
  )
}

function outputOf(events: readonly BuildEvent[]): string {
  return events
    .map((event) => (event.type === 'output' && event.step !== undefined ? event.text : ''))
    .join('')
}

async function failureOf(t: ExecutionContext, build: Promise<unknown>): Promise<BuildError> {
  const error: unknown = await t.throwsAsync(build)
  if (error instanceof BuildError) return error
  throw new Error(`wanted BuildFailed, got ${String(error)}`, { cause: error })
}

const ofEachBuilder: Record<string, BuilderBody> = {
  async 'an image is made as the Dockerfile says, and has its names and labels'(t, on, build) {
    const tags = [`${on.uniqueName()}:1`, `${on.uniqueName()}:2`]
    const text = [
      `FROM ${on.image}`,
      'ENV A=b',
      'LABEL own=yes',
      'COPY x /y',
      'USER 12',
      'EXPOSE 80',
      'CMD ["/y"]',
      '',
    ].join('\n')
    const { image } = await build(text, {
      files: { x: on.uniqueName() },
      tags,
      labels: { 'cove.test/l': 'v' },
    })
    t.regex(image, /^sha256:[0-9a-f]{64}$/)
    t.like(await on.engine.inspectImage(image), { cmd: ['/y'], user: '12', exposedPorts: ['80/tcp'] })
    const config = await on.engine.inspectImage(image)
    t.like(config?.labels, { own: 'yes', 'cove.test/l': 'v' })
    t.is(config?.env['A'], 'b')
    const references = (await on.engine.imageDetails(image))?.references ?? []
    t.deepEqual([...references].sort(), [...tags].sort())
  },

  async 'steps are told with what they write, and are cached when nothing moved'(t, on, build) {
    const mark = on.uniqueName()
    const text = `FROM ${on.image}\nRUN echo ${mark}\nCOPY x /x\n`
    const first = await build(text, { files: { x: mark } })
    const [from, run, copy, ...more] = stepsOf(first.events)
    t.regex(from ?? '', /^FROM .*: Done$/)
    t.deepEqual([run, copy, more], [`RUN echo ${mark}: Done`, 'COPY x /x: Done', []])
    t.is(outputOf(first.events), `${mark}\n`)
    const again = await build(text, { files: { x: mark } })
    t.deepEqual(stepsOf(again.events).slice(1), [`RUN echo ${mark}: Cached`, 'COPY x /x: Cached'])
    t.is(again.image, first.image)
    const moved = await build(text, { files: { x: `${mark}.` } })
    t.deepEqual(stepsOf(moved.events).slice(1), [`RUN echo ${mark}: Cached`, 'COPY x /x: Done'])
    t.not(moved.image, first.image)
    const anew = await build(text, { files: { x: mark }, noCache: true })
    t.deepEqual(stepsOf(anew.events).slice(1), [`RUN echo ${mark}: Done`, 'COPY x /x: Done'])
  },

  async 'steps are numbered without gaps, and each ends once'(t, on, build) {
    const mark = on.uniqueName()
    const text = `FROM ${on.image} AS one\nRUN echo ${mark}\nFROM ${on.image}\nCOPY --from=one /bin/sh /s\n`
    const { events } = await build(text)
    const begun = events.flatMap((event) => (event.type === 'step' ? [event.step] : []))
    const ended = events.flatMap((event) => (event.type === 'stepDone' ? [event.step] : []))
    t.deepEqual(
      begun,
      begun.map((_, index) => index + 1),
    )
    t.deepEqual(
      [...ended].sort((one, other) => one - other),
      begun,
    )
    const named = events.find((event) => event.type === 'step' && event.instruction === `RUN echo ${mark}`)
    t.like(named, { stage: 'one' })
    for (const event of events) if (event.type === 'step') t.true(event.step <= event.of)
  },

  async 'arguments are taken'(t, on, build) {
    const mark = on.uniqueName()
    const text = `FROM ${on.image}\nARG GIVEN\nARG OWN=own\nRUN echo $GIVEN-$OWN\n`
    const { events } = await build(text, { args: { GIVEN: mark } })
    t.is(outputOf(events), `${mark}-own\n`)
  },

  async 'a stage is built alone when it is the target'(t, on, build) {
    const text = `FROM ${on.image} AS first\nENV A=1\nFROM ${on.image} AS second\nRUN exit 7\n`
    const { image } = await build(text, { target: 'first' })
    t.is((await on.engine.inspectImage(image))?.env['A'], '1')
    await failureOf(t, build(text, { target: 'third' }))
  },

  async 'a step that fails says its exit code, and nothing has the name'(t, on, build) {
    const tag = `${on.uniqueName()}:1`
    const events: BuildEvent[] = []
    const onEvent = (event: BuildEvent) => events.push(event)
    const text = `FROM ${on.image}\nRUN echo ${tag}\nRUN exit 7\nRUN echo never\n`
    const error = await failureOf(t, build(text, { tags: [tag], onEvent }))
    t.is(error.failure.exitCode, 7)
    const failing = events.find((event) => event.type === 'step' && event.step === error.failure.step)
    t.like(failing, { instruction: 'RUN exit 7' })
    t.is(stepsOf(events).at(-1), 'RUN exit 7: Failed')
    t.is(await on.engine.imageDetails(tag), undefined)
  },

  async 'a Dockerfile that is none is refused with the line'(t, on, build) {
    const error = await failureOf(t, build(`FROM ${on.image}\n\nRUNN x\n`))
    t.is(error.failure.line, 3)
    await failureOf(t, build('', {}))
    await failureOf(t, build(`FROM ${on.image}\n`, { dockerfile: 'nowhere' }))
  },

  async 'a file that is not in the context fails the step'(t, on, build) {
    const error = await failureOf(t, build(`FROM ${on.image}\nCOPY nowhere /\n`))
    t.regex(error.message, /nowhere/)
  },

  async 'a base image is pulled when it is not here, and says why it cannot be'(t, on, build) {
    await build(`FROM ${on.pulls.open}\nENV A=b\n`)
    await fails(t, 'ImageNotFound', build(`FROM ${on.pulls.missing}\nENV A=b\n`))
    await fails(t, 'RegistryUnavailable', build(`FROM ${on.pulls.unreachable}\nENV A=b\n`))
    // One that no other test brings here with credentials.
    const isRefused = await t.throwsAsync(build(`FROM ${on.pulls.protected}-unseen\nENV A=b\n`))
    t.true(
      isReason(isRefused, 'RegistryUnauthorized') || isReason(isRefused, 'ImageNotFound'),
      String(isRefused),
    )
  },

  async 'a build ends when it is told to, with just that reason'(t, on, build) {
    const over = new AbortController()
    const events: BuildEvent[] = []
    const reason = new Error('enough')
    const isRunning = (event: BuildEvent) => event.type === 'output' && event.text.includes('begun')
    const building = build(`FROM ${on.image}\nRUN echo begun; sleep 600\n`, {
      noCache: true,
      signal: over.signal,
      onEvent: (event) => {
        events.push(event)
        if (isRunning(event)) over.abort(reason)
      },
    })
    t.is(await t.throwsAsync(building), reason)
    t.regex(stepsOf(events).at(-1) ?? '', /^RUN .*: Canceled$/)
    await t.throwsAsync(build(`FROM ${on.image}\n`, { signal: over.signal }), { is: reason })
  },

  async 'a context that fails ends the build with its own failure'(t, _on, build) {
    const reason = new Error('the disk is gone')
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield Buffer.alloc(512, 1)
      throw reason
    }
    t.is(await t.throwsAsync(build('', { context: broken() })), reason)
  },
}

const classic: Record<string, BuilderBody> = {
  async 'every instruction is a step of the classic builder, also an argument before the first stage'(
    t,
    on,
    build,
  ) {
    const [name, tag] = on.image.split(':')
    const { events } = await build(`ARG TAG=${tag}\nFROM ${name}:$TAG\nENV A=${on.uniqueName()}\n`)
    const names = stepsOf(events).map((step) => step.split(' ')[0])
    t.deepEqual(names, ['ARG', 'FROM', 'ENV'])
  },

  async 'the classic builder warns of an argument that nobody asks for'(t, on, build) {
    const { events } = await build(`FROM ${on.image}\nRUN echo ${on.uniqueName()}\n`, {
      args: { NOBODY: '1' },
    })
    const warnings = events.flatMap((event) => (event.type === 'warning' ? [event.message] : []))
    t.true(
      warnings.some((message) => message.includes('NOBODY')),
      warnings.join(),
    )
  },

  async 'the classic builder tells the image after each step, and those of other stages'(t, on, build) {
    const mark = on.uniqueName()
    const text = `FROM ${on.image} AS one\nRUN echo ${mark}\nFROM ${on.image}\nRUN echo ${mark}.\n`
    const { image, stages, events } = await build(text)
    t.is(stages.length, 1)
    const layers = events.flatMap((event) => (event.type === 'stepDone' ? [event.layer ?? ''] : []))
    t.true(stages[0]?.startsWith(`sha256:${layers[1]}`))
    t.true(image.startsWith(`sha256:${layers.at(-1)}`))
    t.is((await on.engine.imageDetails(image))?.id, image)
  },

  async 'the classic builder says what it cannot do'(t, on, build) {
    const error = await failureOf(t, build(`FROM ${on.image}\nRUN --mount=type=cache,target=/c true\n`))
    t.regex(error.message, /BuildKit/)
  },
}

const buildKit: Record<string, BuilderBody> = {
  async 'steps of BuildKit are what makes layers'(t, on, build) {
    const text = `FROM ${on.image}\nENV A=${on.uniqueName()}\nWORKDIR /x\nRUN echo ${on.uniqueName()}\nCMD ["x"]\n`
    const names = stepsOf((await build(text)).events).map((step) => step.split(' ')[0])
    t.deepEqual(names, ['FROM', 'WORKDIR', 'RUN'])
  },

  async 'BuildKit gives secrets to steps that ask, and the image keeps none'(t, on, build) {
    const secrets = new Map([['token', Buffer.from('sesame')]])
    const text = `FROM ${on.image}\nRUN --mount=type=secret,id=token cat /run/secrets/token; echo ${on.uniqueName()}\n`
    const { events } = await build(text, { secrets })
    t.regex(outputOf(events), /^sesame/)
    const needed = text.replace('id=token', 'id=token,required=true')
    await failureOf(t, build(needed, { noCache: true }))
  },

  async 'build cache that is younger than what is to go stays'(t, on, build) {
    const step = `RUN echo ${on.uniqueName()}`
    const text = `FROM ${on.image}\n${step}\n`
    await build(text)
    await on.engine.pruneBuildCache({ olderThanMs: 10 * 365 * 24 * 3_600_000, keepBytes: 0 })
    t.is(stepsOf((await build(text)).events).at(-1), `${step}: Cached`)
  },

  async 'BuildKit leaves out stages that nothing is made of'(t, on, build) {
    const text = `FROM ${on.image} AS one\nRUN exit 7\nFROM ${on.image}\nRUN echo ${on.uniqueName()}\n`
    const { stages, events } = await build(text)
    t.deepEqual(stages, [])
    t.false(stepsOf(events).some((step) => step.startsWith('RUN exit 7')))
  },
}

function withBuilder(
  bodies: Record<string, BuilderBody>,
  builder: Builder,
  suffix = '',
): Record<string, Body> {
  const entries = Object.entries(bodies).map(([title, body]): [string, Body] => [
    `${title}${suffix}`,
    async (t, on) => {
      const made = new Set<string>()
      try {
        await body(t, on, builderOf(on, builder, made))
      } finally {
        await removeMade(on, made)
      }
    },
  ])
  return Object.fromEntries(entries)
}

export const buildPromises: Record<string, Body> = {
  ...withBuilder(ofEachBuilder, 'Classic', ' (classic)'),
  ...withBuilder(ofEachBuilder, 'BuildKit', ' (BuildKit)'),
  ...withBuilder(classic, 'Classic'),
  ...withBuilder(buildKit, 'BuildKit'),
}
