/** What the reader of Dockerfiles takes, real builders take, and the other way round: over a corpus, on a real engine. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what looks like a placeholder is a variable of a Dockerfile
import test from 'ava'
import { judgeDockerfile } from '#pkg/build/dockerfile/judge.ts'
import { withStageLabels } from '#pkg/build/dockerfile/labels.ts'
import { parseDockerfile } from '#pkg/build/dockerfile/parse.ts'
import { scopesOf } from '#pkg/build/dockerfile/scopes.ts'
import { type DockerfileCase, dockerfiles } from '#test/fixtures/dockerfiles.ts'
import { ensureBaseImage, type RawEngine, rawEngine } from '#test/helpers/engine.ts'
import { type PrivateEngine, startPrivateEngine } from '#test/helpers/private-engine.ts'
import { tar } from '#test/helpers/tar.ts'

type Builder = 'Classic' | 'BuildKit'

const teardowns: (() => Promise<void>)[] = []

let own: PrivateEngine
let engine: RawEngine
let version = ''

// An engine of its own: some of these bring older ones down.
test.before(async (t) => {
  own = await startPrivateEngine({ teardown: (work) => teardowns.push(work) })
  await ensureBaseImage(own.host)
  engine = rawEngine(own.host)
  version = (await engine.request('GET', '/version')).text.match(/"Version":"([^"]+)"/)?.[1] ?? ''
  t.not(version, '')
})

test.after.always(async () => {
  engine.close()
  for (const work of teardowns.reverse()) await work()
})

const file = (name: string, text: string) => ({ name, mode: 0o644, data: Buffer.from(text) })

function build(one: DockerfileCase, builder: Builder, more: Readonly<Record<string, string>> = {}) {
  const context = tar([
    file('Dockerfile', one.text),
    file('a', 'a\n'),
    file('b', 'b\n'),
    file('dir/c', 'c\n'),
    file('my file', 'mine\n'),
  ])
  const query = new URLSearchParams({
    rm: '1',
    forcerm: '1',
    buildargs: JSON.stringify(one.args ?? {}),
    ...(one.target !== undefined && { target: one.target }),
    ...(builder === 'BuildKit' && { version: '2' }),
    ...more,
  })
  return engine.request('POST', `/build?${query}`, context)
}

/** Why the engine does not build it; undefined when it does. */
async function refusalOf(...building: Parameters<typeof build>): Promise<string | undefined> {
  const answer = await build(...building).catch(broken)
  if (typeof answer === 'string') return answer
  const { status, text } = answer
  if (status >= 400) return text
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  const messages = lines.map((line): Message => JSON.parse(line))
  return messages.find(({ error }) => error !== undefined)?.error
}

/** The connection ended without an answer: at worst the daemon, too. */
async function broken(error: Error): Promise<string> {
  if ((await engine.request('GET', '/_ping').catch(() => undefined))?.status !== 200) {
    await own.kill()
    await own.restart()
  }
  return `the engine broke down: ${error.message}`
}

interface Message {
  readonly error?: string
}

/** Why it is refused here. */
function verdict({ text, args, target }: DockerfileCase, builder: Builder): string | undefined {
  const building = { ...(args && { args }), ...(target !== undefined && { target }) }
  const judging = { ...building, builder, secrets: 0, engineBuilder: builder, engineVersion: version }
  const judged = judgeDockerfile(text, judging)
  return judged.ok ? undefined : judged.refusals.map(({ message }) => message).join('; ')
}

for (const builder of ['Classic', 'BuildKit'] as const) {
  test.serial(`${builder} and the reader take the same Dockerfiles`, async (t) => {
    t.timeout(300_000)
    const differences: string[] = []
    for (const one of dockerfiles) {
      const [ours, theirs] = [verdict(one, builder), await refusalOf(one, builder)]
      if ((ours === undefined) === (theirs === undefined)) continue
      const isStricter = one.stricter !== undefined && (one.stricter.builder ?? builder) === builder
      if (isStricter && theirs === undefined) continue
      differences.push(`${one.name}: here ${ours ?? 'taken'}, there ${theirs ?? 'taken'}`)
    }
    t.deepEqual(differences, [])
  })
}

const variables = [
  'ARG G=global',
  'FROM scratch AS base',
  'ENV E=1 F="two words" G2=\'$E\'',
  'ARG D=${E}x',
  'ENV H=$D I="${F} $E" J=\\$E K=${NONE:-${E}} L=${E:+set}',
  'ENV E=2 M=$E',
  'ARG G',
  'ENV N=$G',
  'ENV O a  b $E',
  'ARG P=given',
  'ENV Q=$E R=$P S="a\\"b" T=a\\ b U="\\$E \\n"',
  'FROM base',
  'ENV V=$E-$H X=${P}',
]

test.serial('variables have the values that builders give them', async (t) => {
  t.timeout(120_000)
  const text = `${variables.join('\n')}\n`
  const args = { P: 'from outside', G: 'elsewhere' }
  const { dockerfile, problems } = parseDockerfile(text)
  t.deepEqual(problems, [])
  for (const builder of ['Classic', 'BuildKit'] as const) {
    const end = scopesOf(dockerfile, { args, builder }).stages.at(-1)?.end
    const image = `variables-${builder.toLowerCase()}`
    t.is(await refusalOf({ name: builder, text, args }, builder, { t: image }), undefined)
    const { text: inspected } = await engine.request('GET', `/images/${image}/json`)
    const { Config }: { Config: { Env: readonly string[] } } = JSON.parse(inspected)
    // What the builders themselves put into every image.
    const theirs = Config.Env.filter((pair) => !pair.startsWith('PATH='))
    const ours = theirs
      .map((pair) => pair.slice(0, pair.indexOf('=')))
      .map((name) => `${name}=${end?.expand(`$${name}`).text}`)
    t.true(theirs.length > 12)
    t.deepEqual(ours, theirs, builder)
  }
})

test.serial(
  'images of all stages have the labels, and steps are told as if no label had been put in',
  async (t) => {
    t.timeout(120_000)
    const text = 'ARG V=1\nFROM scratch AS one\nCOPY a /\n\nFROM scratch\nCOPY b /\nCMD ["x"]\n'
    const {
      text: labelled,
      hides,
      stepOf,
    } = withStageLabels(parseDockerfile(text).dockerfile, { 'cove.test/it': "it's" })
    const { text: stream } = await build({ name: 'labelled', text: labelled }, 'Classic')
    const steps = [...stream.matchAll(/Step (\d+)\/(\d+) : ([^\\"]*)/g)].map(
      ([, step, of, instruction = '']) => ({
        step: Number(step),
        of: Number(of),
        instruction,
      }),
    )
    t.deepEqual(
      steps
        .filter(({ step }) => !hides(step))
        .map(({ step, of, instruction }) => `${stepOf(step)}/${stepOf(of)} ${instruction}`),
      [
        '1/6 ARG V=1',
        '2/6 FROM scratch AS one',
        '3/6 COPY a /',
        '4/6 FROM scratch',
        '5/6 COPY b /',
        '6/6 CMD [',
      ],
    )
    t.true(
      steps.filter(({ step }) => hides(step)).every(({ instruction }) => instruction.startsWith('LABEL')),
    )
    const filters = encodeURIComponent(JSON.stringify({ label: ["cove.test/it=it's"] }))
    const images: readonly unknown[] = JSON.parse(
      (await engine.request('GET', `/images/json?filters=${filters}`)).text,
    )
    t.is(images.length, 2)
  },
)
