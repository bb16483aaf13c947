/** What the reader of Dockerfiles takes, real builders take, and the other way round: over a corpus, on a real engine. */
import test from 'ava'
import { checkDockerfile, targetProblem } from '#pkg/build/dockerfile/check.ts'
import { describeProblem } from '#pkg/build/dockerfile/dockerfile.ts'
import { chooseBuilder } from '#pkg/build/dockerfile/features.ts'
import { parseDockerfile } from '#pkg/build/dockerfile/parse.ts'
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

/** Why the engine does not build it; undefined when it does. */
async function refusalOf(one: DockerfileCase, builder: Builder): Promise<string | undefined> {
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
  })
  const answer = await engine.request('POST', `/build?${query}`, context).catch(broken)
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
function verdict(one: DockerfileCase, builder: Builder): string | undefined {
  const { dockerfile, problems } = parseDockerfile(one.text)
  const building = { builder, ...(one.args && { args: one.args }), ...(one.target && { target: one.target }) }
  if (problems.length > 0) return problems.map(describeProblem).join('; ')
  const target = targetProblem(dockerfile, building)
  if (target !== undefined) return target
  const checked = checkDockerfile(dockerfile, building)
  if (checked.length > 0) return checked.map(describeProblem).join('; ')
  const choice = chooseBuilder({
    dockerfile,
    builder,
    secrets: 0,
    engineBuilder: builder,
    engineVersion: version,
  })
  return 'needs' in choice ? choice.needs.map(({ message }) => message).join('; ') : undefined
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
